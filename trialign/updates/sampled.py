"""What the updates from sampled answers share: the advantage of a sample, and how probable it has become."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from trialign.errors import UserError
from trialign.objectives.distributions import log_distributions
from trialign.trajectories.answers import answers_of
from trialign.trajectories.batches import Observed, Units
from trialign.trajectories.records import Trajectory
from trialign.updates.update import Step, Update, UpdateLoss


@dataclass(frozen=True)
class SampleUnits(Units):
    """Observations with sampled answers; U turns of queries, G groups, K samples, O scored answers (padded).

    Attributes:
        answers: [U, G, O] branch of each scored answer: of every option, or of every sample; -1 pads.
        chosen: [U, G, K] which of these answers each sample is.
        enumerated: [U] bool, whether the answers are all options.
        behaviour: [U, G, K] log-probability of each sample under the behaviour policy, in nats.
        truth: [U, G, K] rewards; NaN without a gold answer.
        preference: [U, G, K] rewards; NaN without a target.
        disagreement: [U, G, K]; NaN without a gold answer.
    """

    answers: Tensor
    chosen: Tensor
    enumerated: Tensor
    behaviour: Tensor
    truth: Tensor
    preference: Tensor
    disagreement: Tensor

    @property
    def branches(self) -> Tensor:
        """[U, G, K] branch of each sample."""
        return self.answers.gather(2, self.chosen)


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
        """The samples; all options where they are drawn from them, whose distribution is then known."""
        return answers_of(trajectory)

    def units(self, observed: Sequence[Observed]) -> SampleUnits:
        """The samples, how probable they were, and what they earned.

        Raises:
            UserError: it is not known how probable they were.
        """

        def of(name: str) -> Tensor:
            values = [[[getattr(sample, name) for sample in row.samples] for row in one.rows] for one in observed]
            return torch.tensor([[[float("nan") if v is None else v for v in g] for g in u] for u in values])

        width = max(len(places) for one in observed for places in one.branches)
        answers = [[[*places, *[-1] * (width - len(places))] for places in one.branches] for one in observed]
        return SampleUnits(
            answers=torch.tensor(answers, dtype=torch.long),
            chosen=torch.tensor([[_chosen(row) for row in one.rows] for one in observed], dtype=torch.long),
            enumerated=torch.tensor([bool(one.rows[0].options) for one in observed]),
            behaviour=torch.tensor([[_behaviour(row) for row in one.rows] for one in observed]),
            truth=of("reward_truth"),
            preference=of("reward_preference"),
            disagreement=of("disagreement"),
        )

    def count(self, observations: Sequence[Sequence[Trajectory]]) -> tuple[int, ...]:
        """The tokens of the samples in sets that are kept."""
        names = ["reward_truth", "reward_preference"]
        if self.objective.inconsistency.penalises:
            names.append("disagreement")
        sets = [row.samples for rows in observations for row in rows]
        kept = [
            samples for samples in sets if any(len({getattr(sample, name) for sample in samples}) > 1 for name in names)
        ]
        return (sum(len(sample.token_ids) for samples in kept for sample in samples),)

    def loss(self, units: SampleUnits, scores: Tensor, step: Step) -> UpdateLoss:
        """- sum of strength times log pi(sample) / action tokens of the step."""
        log_probabilities, config = scores[units.branches], self.objective.inconsistency
        penalty = config.weight if step.penalty is None else step.penalty
        truth, preference, disagreement = units.truth, units.preference, units.disagreement
        kept = earns_differently(truth, preference, disagreement, penalised=config.penalises)
        advantage = (
            step.weights[:, 0].view(1, -1, 1) * _centred(truth)
            + step.weights[:, 1].view(1, -1, 1) * _centred(preference)
            - penalty * _centred(disagreement)
        )
        ratio = (self._log_policy(units, scores, step.values) - units.behaviour).detach()
        strength = torch.where(kept.unsqueeze(2), self.strength(advantage, ratio), 0.0).detach()
        loss = -step.scale * (strength * log_probabilities).sum() / max(step.counts.own[0], 1)
        importance = self._importance(ratio)
        estimates = [(importance * part.nan_to_num(0.0)).sum(dim=2) for part in (truth, preference, disagreement)]
        rewards = torch.stack([estimates[0].sum(dim=0), estimates[1].sum(dim=0)], dim=1)
        # A query is of one kind for all groups, so the first group tells whether it has a gold answer or targets.
        observed = torch.stack([(~part[:, 0, 0].isnan()).sum() for part in (truth, preference)])
        return UpdateLoss(loss, rewards, observed, estimates[2].mean(dim=1).sum())

    def rewards(self, trajectory: Trajectory) -> tuple[float | None, float | None]:
        """Estimated from the samples as a step estimates them, with the base model for pi."""
        of_base = torch.tensor([sample.log_probability for sample in trajectory.samples], dtype=torch.float64)
        if trajectory.options:
            values = torch.tensor(trajectory.option_values, dtype=torch.float64)
            shares = log_distributions(values, torch.ones_like(values, dtype=torch.bool), self.scoring)
            of_base = shares[_chosen(trajectory)]
        importance = self._importance(of_base - torch.tensor(_behaviour(trajectory), dtype=torch.float64)).tolist()
        truth, preference = (
            [getattr(sample, name) for sample in trajectory.samples] for name in ("reward_truth", "reward_preference")
        )
        return _weighed(importance, truth), _weighed(importance, preference)

    def _log_policy(self, units: SampleUnits, scores: Tensor, values: Tensor) -> Tensor:
        """[U, G, K] log pi of each sample: of an option, among the others, as it is drawn; else of its tokens."""
        present, places = units.answers >= 0, units.answers.clamp(min=0)
        of_options = log_distributions(values[places], present, self.scoring)
        enumerated = units.enumerated.view(-1, 1, 1)
        return torch.where(enumerated, of_options.gather(2, units.chosen), scores[units.branches])

    def _importance(self, ratio: Tensor) -> Tensor:
        """The samples' weights from log (pi / mu): truncated, and summing to 1 over the samples of an observation."""
        # The softmax normalises ratios of any size; long replies would underflow as plain exponentials.
        return ratio.clamp(max=math.log(self.objective.awr.importance)).softmax(dim=-1)


def _chosen(row: Trajectory) -> list[int]:
    """Which of the scored answers each sample is."""
    answers = answers_of(row)
    return [answers.index(sample.token_ids) for sample in row.samples] if row.options else list(range(len(answers)))


def _behaviour(row: Trajectory) -> list[float]:
    known = [sample.behaviour for sample in row.samples if sample.behaviour is not None]
    if len(known) < len(row.samples):
        raise UserError(
            f"The replies to '{row.query_id}' were collected at another temperature than 1 by an earlier version, "
            "which did not keep how probable they were",
            "Delete the folder of this collection and collect again, or choose an objective.update without samples",
        )
    return known


def _weighed(weights: Sequence[float], rewards: Sequence[float | None]) -> float | None:
    """The weighted mean; None where the samples have no such reward."""
    known = [reward for reward in rewards if reward is not None]
    return sum(w * r for w, r in zip(weights, known, strict=True)) if known else None


def earns_differently(truth: Tensor, preference: Tensor, disagreement: Tensor, *, penalised: bool) -> Tensor:
    """Whether the K samples of an observation earn different rewards: [U, G, K] each -> [U, G] bool."""
    parts = [truth, preference, *([disagreement] if penalised else [])]
    spreads = [part.nan_to_num(0.0).amax(dim=2) > part.nan_to_num(0.0).amin(dim=2) for part in parts]
    return torch.stack(spreads).any(dim=0)


def _centred(rewards: Tensor) -> Tensor:
    rewards = rewards.nan_to_num(0.0)
    return rewards - rewards.mean(dim=2, keepdim=True)
