"""What the updates from sampled answers share: the advantage of a sample, and how probable it has become."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from trialign.trajectories.batches import Observed, Units
from trialign.trajectories.records import Trajectory
from trialign.updates.update import Step, Update, UpdateLoss


@dataclass(frozen=True)
class SampleUnits(Units):
    """Observations with sampled answers; U turns of queries, G groups, K samples.

    Attributes:
        branches: [U, G, K] branch of each sample.
        behaviour: [U, G, K] log-probability sums under the behaviour policy.
        truth: [U, G, K] rewards; NaN without a gold answer.
        preference: [U, G, K] rewards; NaN without a target.
        disagreement: [U, G, K]; NaN without a gold answer.
    """

    branches: Tensor
    behaviour: Tensor
    truth: Tensor
    preference: Tensor
    disagreement: Tensor


@dataclass(frozen=True)
class Sampled(Update[SampleUnits]):
    """Learns from samples by their advantage, with the welfare weights inside it.

    A = w_gT a_T + w_gP a_P - lambda a_d, each part centred on the K samples of one observation.

    Sets in which all K samples earn the same are dropped: exp(0) = 1 would clone whatever was sampled.
    """

    part: ClassVar[str] = "samples"

    @abstractmethod
    def strength(self, advantage: Tensor, ratio: Tensor) -> Tensor:
        """What a sample's log pi is multiplied with: [U, G, K] advantages and log (pi / mu) -> [U, G, K]."""

    def answers(self, trajectory: Trajectory) -> tuple[tuple[int, ...], ...]:
        """The samples."""
        return tuple(sample.token_ids for sample in trajectory.samples)

    def units(self, observed: Sequence[Observed]) -> SampleUnits:
        """The samples, how probable they were, and what they earned."""

        def of(name: str) -> Tensor:
            values = [[[getattr(sample, name) for sample in row.samples] for row in one.rows] for one in observed]
            return torch.tensor([[[float("nan") if v is None else v for v in g] for g in u] for u in values])

        return SampleUnits(
            branches=torch.tensor([one.branches for one in observed], dtype=torch.long),
            behaviour=of("log_probability"),
            truth=of("reward_truth"),
            preference=of("reward_preference"),
            disagreement=of("disagreement"),
        )

    def count(self, observations: Sequence[Sequence[Trajectory]]) -> tuple[int, ...]:
        """The tokens of the samples in sets that are kept."""
        names = ["reward_truth", "reward_preference"]
        if self.objective.inconsistency.weight > 0:
            names.append("disagreement")
        sets = [row.samples for rows in observations for row in rows]
        kept = [
            samples for samples in sets if any(len({getattr(sample, name) for sample in samples}) > 1 for name in names)
        ]
        return (sum(len(sample.token_ids) for samples in kept for sample in samples),)

    def loss(self, units: SampleUnits, scores: Tensor, step: Step) -> UpdateLoss:
        """- sum of strength times log pi(sample) / action tokens of the step."""
        log_probabilities, penalty = scores[units.branches], self.objective.inconsistency.weight
        truth, preference, disagreement = units.truth, units.preference, units.disagreement
        kept = earns_differently(truth, preference, disagreement, penalty)
        advantage = (
            step.weights[:, 0].view(1, -1, 1) * _centred(truth)
            + step.weights[:, 1].view(1, -1, 1) * _centred(preference)
            - penalty * _centred(disagreement)
        )
        ratio = (log_probabilities - units.behaviour).detach()
        strength = torch.where(kept.unsqueeze(2), self.strength(advantage, ratio), 0.0).detach()
        loss = -(strength * log_probabilities).sum() / max(step.counts.own[0], 1)
        # The softmax normalises ratios of any size; long replies would underflow as plain exponentials.
        importance = ratio.clamp(max=math.log(self.objective.awr.importance)).softmax(dim=2)
        estimates = [(importance * part.nan_to_num(0.0)).sum(dim=2) for part in (truth, preference, disagreement)]
        rewards = torch.stack([estimates[0].sum(dim=0), estimates[1].sum(dim=0)], dim=1)
        # A query is of one kind for all groups, so the first group tells whether it has a gold answer or targets.
        observed = torch.stack([(~part[:, 0, 0].isnan()).sum() for part in (truth, preference)])
        return UpdateLoss(loss, rewards, observed, estimates[2].mean(dim=1).sum())


def earns_differently(truth: Tensor, preference: Tensor, disagreement: Tensor, penalty: float) -> Tensor:
    """Whether the K samples of an observation earn different rewards: [U, G, K] each -> [U, G] bool."""
    parts = [truth, preference, *([disagreement] if penalty > 0 else [])]
    spreads = [part.nan_to_num(0.0).amax(dim=2) > part.nan_to_num(0.0).amin(dim=2) for part in parts]
    return torch.stack(spreads).any(dim=0)


def _centred(rewards: Tensor) -> Tensor:
    rewards = rewards.nan_to_num(0.0)
    return rewards - rewards.mean(dim=2, keepdim=True)
