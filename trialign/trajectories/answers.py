"""Which answer of an observation is the best one known: what the baselines without welfare learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trialign.rewards import preference_reward_of_choice
from trialign.trajectories.records import Trajectory

Actions = Sequence[tuple[Sequence[Trajectory], Sequence[Sequence[int]]]]


@dataclass(frozen=True)
class LikelihoodUnits:
    """One answer to each of N observations of one group.

    Attributes:
        branches: [N] branch of the answer.
    """

    branches: Tensor

    def to(self, device: torch.device | str) -> LikelihoodUnits:
        """The same on another device."""
        return LikelihoodUnits(self.branches.to(device))


@dataclass(frozen=True)
class PairUnits:
    """N pairs of a better and a worse answer to one observation of one group.

    Attributes:
        better: [N] branch of the better answer.
        worse: [N] branch of the worse one.
        reference: [N] log pi_ref(better) - log pi_ref(worse), in nats.
        groups: [N] index of the group.
    """

    better: Tensor
    worse: Tensor
    reference: Tensor
    groups: Tensor

    def to(self, device: torch.device | str) -> PairUnits:
        """The same on another device."""
        return PairUnits(*(part.to(device) for part in (self.better, self.worse, self.reference, self.groups)))


def answers_of(trajectory: Trajectory) -> tuple[tuple[int, ...], ...]:
    """Token ids of every option, or of every sample where the answers cannot be enumerated."""
    return trajectory.options or tuple(sample.token_ids for sample in trajectory.samples)


def reference_of(trajectory: Trajectory) -> tuple[float, ...]:
    """Log-probability of each answer under the reference, summed over its tokens, in nats."""
    if trajectory.options:
        return trajectory.option_log_probabilities
    return tuple(sample.log_probability for sample in trajectory.samples)


def worths(trajectory: Trajectory) -> tuple[float, ...]:
    """What each answer is worth: its truth and preference rewards added, as far as they are known."""
    if not trajectory.options:
        return tuple((s.reward_truth or 0.0) + (s.reward_preference or 0.0) for s in trajectory.samples)
    if trajectory.gold is not None:
        return tuple(float(option == trajectory.gold) for option in range(len(trajectory.options)))
    target = trajectory.target or ()
    return tuple(preference_reward_of_choice(target, option) for option in range(len(target)))


def best_answer(trajectory: Trajectory) -> int | None:
    """Index of the answer that is worth most, of several a right one, then the first; None where that one is wrong."""
    right = [0.0] * len(trajectory.options) or [sample.reward_truth or 0.0 for sample in trajectory.samples]
    ranked = list(zip(worths(trajectory), right, strict=True))
    best = ranked.index(max(ranked))
    wrong = not trajectory.options and trajectory.samples[best].reward_truth == 0
    return None if wrong else best


def pairs_of(trajectory: Trajectory) -> list[tuple[int, int]]:
    """(better, worse): the best answer beside each one that is worth less; none where the best one is wrong."""
    best, worth = best_answer(trajectory), worths(trajectory)
    if best is None:
        return []
    return [(best, other) for other, value in enumerate(worth) if value < worth[best]]


def with_unprofiled_answers(rows: Sequence[Trajectory], unprofiled: Mapping[str, Trajectory]) -> list[Trajectory]:
    """The observations with one answer each: that of the base model to the same question without a profile.

    Args:
        rows: of queries that all stand in ``unprofiled``.
        unprofiled: query id -> the base model's trajectory; its first sample is the answer.
    """
    return [
        replace(
            row,
            options=(),
            option_log_probabilities=(),
            gold=None,
            target=None,
            # It is learned whether it is right or wrong, so nothing is known of its worth.
            samples=(
                replace(
                    unprofiled[row.query_id].samples[0], reward_truth=None, reward_preference=None, disagreement=None
                ),
            ),
        )
        for row in rows
    ]


def likelihood_units(actions: Actions) -> LikelihoodUnits:
    """The learned answers of some observations.

    Args:
        actions: for each observation of all groups, their trajectories and the one branch of each.
    """
    found = [
        branches[0]
        for rows, of_groups in actions
        for row, branches in zip(rows, of_groups, strict=True)
        if best_answer(row) is not None
    ]
    return LikelihoodUnits(torch.tensor(found, dtype=torch.long))


def pair_units(actions: Actions) -> PairUnits:
    """The pairs of some observations.

    Args:
        actions: for each observation of all groups, their trajectories and the branches of all answers of each.
    """
    better, worse, reference, groups = [], [], [], []
    for rows, of_groups in actions:
        for group, (row, branches) in enumerate(zip(rows, of_groups, strict=True)):
            scores = reference_of(row)
            for one, other in pairs_of(row):
                better.append(branches[one])
                worse.append(branches[other])
                reference.append(scores[one] - scores[other])
                groups.append(group)
    indices = (torch.tensor(part, dtype=torch.long) for part in (better, worse, groups))
    of_better, of_worse, of_group = indices
    return PairUnits(of_better, of_worse, torch.tensor(reference, dtype=torch.float32), of_group)
