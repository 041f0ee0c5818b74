"""``pairs``: direct preference optimization on pairs of a better and a worse answer, also weighted by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from trialign.trajectories.answers import answers_of, best_answer, reference_of, worths
from trialign.trajectories.batches import Observed, Units
from trialign.trajectories.records import Trajectory
from trialign.updates.update import Step, Update, UpdateLoss


@dataclass(frozen=True)
class PairUnits(Units):
    """N pairs of a better and a worse answer to one observation of one group.

    Attributes:
        better: [N] branch of the better answer.
        worse: [N] branch of the worse one.
        reference: [N] log pi_ref(better) - log pi_ref(worse), in nats.
        groups: [N] index of the group, among those at hand.
        tokens: [N] tokens of the better answer.
    """

    better: Tensor
    worse: Tensor
    reference: Tensor
    groups: Tensor
    tokens: Tensor


@dataclass(frozen=True)
class Pairs(Update[PairUnits]):
    """Learns the best known answer of an observation against each one that is worth less; all are branches."""

    part: ClassVar[str] = "pairs"
    weighted: ClassVar[bool] = False
    shares: ClassVar[bool] = False

    @property
    def remembers(self) -> bool:
        """Where groups count by their past losses."""
        return self.objective.pairs.group_step > 0

    def answers(self, trajectory: Trajectory) -> tuple[tuple[int, ...], ...]:
        """All options, or all samples."""
        return answers_of(trajectory)

    def units(self, observed: Sequence[Observed]) -> PairUnits:
        """The pairs of all groups."""
        better, worse, reference, groups, tokens = [], [], [], [], []
        for one in observed:
            for group, (row, branches) in enumerate(zip(one.rows, one.branches, strict=True)):
                scores = reference_of(row)
                for good, bad in pairs_of(row):
                    better.append(branches[good])
                    worse.append(branches[bad])
                    reference.append(scores[good] - scores[bad])
                    groups.append(group)
                    tokens.append(len(answers_of(row)[good]))
        of_better, of_worse, of_group, of_tokens = (
            torch.tensor(part, dtype=torch.long) for part in (better, worse, groups, tokens)
        )
        return PairUnits(of_better, of_worse, torch.tensor(reference, dtype=torch.float32), of_group, of_tokens)

    def count(self, observations: Sequence[Sequence[Trajectory]]) -> tuple[int, ...]:
        """The pairs of each group."""
        return tuple(sum(len(pairs_of(row)) for row in rows) for rows in zip(*observations, strict=True))

    def loss(self, units: PairUnits, scores: Tensor, step: Step) -> UpdateLoss:
        """See `preference_pair_loss` and `robust_pair_loss`."""
        config, pairs = self.objective.pairs, step.counts.own
        better, worse = scores[units.better] - units.reference, scores[units.worse]
        sums = pair_losses_by_group(better, worse, units.groups, len(step.weights), config.beta)
        if self.remembers:
            shares = step.at_hand(group_weights(step.past_losses, config.group_step))
            loss = robust_pair_loss(sums, step.at_hand(sums.new_tensor(pairs)), shares)
        else:
            loss = preference_pair_loss(better, worse, sum(pairs), config.beta)
        if config.likelihood:
            chosen = scores[units.better] / units.tokens
            loss = loss + config.likelihood * chosen_likelihood_loss(chosen, sum(pairs))
        return UpdateLoss(step.scale * loss, group_losses=sums.detach())


def pairs_of(trajectory: Trajectory) -> list[tuple[int, int]]:
    """(better, worse): the best answer beside each one that is worth less; none where the best one is wrong."""
    best, worth = best_answer(trajectory), worths(trajectory)
    if best is None:
        return []
    return [(best, other) for other, value in enumerate(worth) if value < worth[best]]


def preference_pair_loss(chosen: Tensor, rejected: Tensor, pairs: int, beta: float) -> Tensor:
    """Direct preference optimization (Rafailov et al. 2023, arXiv 2305.18290, equation 7).

    loss = - mean log sigmoid(beta [(log pi - log pi_ref)(chosen) - (log pi - log pi_ref)(rejected)])

    Args:
        chosen: [N] log pi - log pi_ref of the better answer of each pair, in nats.
        rejected: [N] the same of the worse one.
        pairs: pairs of the whole optimizer step, over all ranks and micro-batches.
        beta: strength of the pull to the reference.

    Returns:
        Scalar, in nats.
    """
    return -F.logsigmoid(beta * (chosen - rejected)).sum() / max(pairs, 1)


def chosen_likelihood_loss(chosen: Tensor, pairs: int) -> Tensor:
    """The likelihood term beside pairs (Pang et al. 2024, arXiv 2404.19733, equation 1), without its weight.

    Args:
        chosen: [N] log pi of the better answer of each pair, over its tokens, in nats a token.
        pairs: pairs of the whole optimizer step, over all ranks and micro-batches; they count alike for all groups.

    Returns:
        Scalar, in nats a token.
    """
    return -chosen.sum() / max(pairs, 1)


def pair_losses_by_group(chosen: Tensor, rejected: Tensor, groups: Tensor, size: int, beta: float) -> Tensor:
    """The losses of `preference_pair_loss`, summed by group.

    Args:
        chosen: [N] log pi - log pi_ref of the better answer of each pair, in nats.
        rejected: [N] the same of the worse one.
        groups: [N] index of each pair's group.
        size: number of groups G.
        beta: strength of the pull to the reference.

    Returns:
        [G], in nats.
    """
    losses = -F.logsigmoid(beta * (chosen - rejected))
    return losses.new_zeros(size).index_add(0, groups, losses)


def group_weights(past_losses: Tensor, step: float) -> Tensor:
    """Weights that grow with a group's past losses: the mirror ascent of group DRO (Sagawa et al. 2020, algorithm 1).

    q_g is proportional to exp(step * sum of the group's mean losses in all steps before), as in group-robust
    preference optimization (Ramesh et al. 2024, arXiv 2405.20304).

    Args:
        past_losses: [G] summed over the steps.
        step: step size.

    Returns:
        [G], summing to 1.
    """
    return torch.softmax(step * past_losses.detach(), dim=0)


def robust_pair_loss(losses: Tensor, pairs: Tensor, weights: Tensor) -> Tensor:
    """sum_g q_g times the mean loss of the group's pairs.

    Args:
        losses: [G] sums over the pairs at hand, with gradient.
        pairs: [G] pairs of each group in the whole optimizer step.
        weights: [G] q_g.

    Returns:
        Scalar, in nats.
    """
    return (weights * losses / pairs.clamp(min=1)).sum()
