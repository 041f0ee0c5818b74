"""``expected``: every option is scored, and the exact expectation is optimised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from trialign.objectives.config import ObjectiveConfig
from trialign.objectives.distributions import log_distributions
from trialign.objectives.inconsistency import inconsistency
from trialign.rewards import preference_reward_of_distribution
from trialign.trajectories.choices import Choices, ChoiceUnits
from trialign.trajectories.records import Trajectory
from trialign.updates.update import Step, StepCounts, Update, UpdateLoss


@dataclass(frozen=True)
class Expected(Choices, Update[ChoiceUnits]):
    """Learns from observations whose answers can be enumerated; all options are branches."""

    part: ClassVar[str] = "choices"

    def count(self, observations: Sequence[Sequence[Trajectory]]) -> tuple[int, ...]:
        """The observations."""
        return (len(observations),)

    def loss(self, units: ChoiceUnits, scores: Tensor, step: Step) -> UpdateLoss:
        """See `expected_loss`."""
        places, present = units.branches.clamp(min=0), units.branches >= 0
        of_policy, of_reference = (
            log_distributions(values, present, self.scoring) for values in (step.values[places], units.reference)
        )
        return expected_loss(
            of_policy,
            of_reference,
            units.gold,
            units.targets,
            units.has_target,
            step.weights,
            step.counts,
            self.objective,
            step.scale,
            step.penalty,
        )

    def rewards(self, trajectory: Trajectory) -> tuple[float | None, float | None]:
        """In expectation over the options."""
        shares = self.scoring.distribution(trajectory.option_values)
        truth = None if trajectory.gold is None else shares[trajectory.gold]
        target = trajectory.target
        return truth, None if target is None else preference_reward_of_distribution(target, shares)


def expected_loss(
    log_probabilities: Tensor,
    reference: Tensor,
    gold: Tensor,
    targets: Tensor,
    has_target: Tensor,
    weights: Tensor,
    counts: StepCounts,
    config: ObjectiveConfig,
    scale: float = 1.0,
    penalty: float | None = None,
) -> UpdateLoss:
    """The exact expectation over enumerated answers.

    loss = - sum_g w_gT mean_truth u(S_g(gold)) - sum_g w_gP mean_preference [1 - TV(S_g, target_g)]
           + lambda mean_truth D + kl_weight mean sum_g KL(S_g || S_ref,g)

    u is the share itself, or with ``objective.truth=likelihood`` its logarithm, whose gradient does not vanish where
    the gold option has no share. The sums over groups are multiplied by ``scale``; D, which is no sum over them, is
    that of the groups at hand.

    Args:
        log_probabilities: [U, G, K] log S_g, -inf at absent options.
        reference: [U, G, K] the same under the reference.
        gold: [U] gold option, -1 without one.
        targets: [U, G, K] preferred distributions, 0 without one.
        has_target: [U] bool.
        weights: [G, 2] welfare weights.
        counts: of the whole optimizer step; its own is the number of observations U.
        config: lambda, gate, rho, kl_weight, and what of a fact's right option is raised.
        scale: all groups / groups at hand.
        penalty: lambda; None: that of ``config``.
    """
    shares = log_probabilities.exp()
    present = torch.isfinite(log_probabilities)
    has_gold = gold >= 0
    index = gold.clamp(min=0).view(-1, 1, 1).expand(-1, shares.shape[1], 1)
    truth, likelihood = (
        torch.where(has_gold.unsqueeze(1), values.gather(2, index).squeeze(2), 0.0)
        for values in (shares, log_probabilities)
    )
    variation = 0.5 * (shares - targets).abs().sum(dim=2)
    preference = torch.where(has_target.unsqueeze(1), 1 - variation, 0.0)
    divergence = inconsistency(
        log_probabilities[has_gold], gold[has_gold], present[has_gold, 0].sum(dim=1), config.inconsistency
    ).sum()
    ratio = torch.where(present, log_probabilities, 0.0) - torch.where(present, reference, 0.0)
    kl = scale * (shares * ratio).sum()
    choices = max(counts.own[0], 1)
    rewards = torch.stack([truth.sum(dim=0), preference.sum(dim=0)], dim=1)
    raised = rewards[:, 0] if config.truth == "reward" else likelihood.sum(dim=0)
    loss = (
        -scale * (weights[:, 0] * raised).sum() / max(counts.truth, 1)
        - scale * (weights[:, 1] * rewards[:, 1]).sum() / max(counts.preference, 1)
        + (config.inconsistency.weight if penalty is None else penalty) * divergence / max(counts.truth, 1)
        + config.kl_weight * kl / choices
    )
    observed = torch.stack([has_gold.sum(), has_target.sum()])
    flips = _flips(log_probabilities[has_gold].argmax(dim=2))
    return UpdateLoss(loss, rewards.detach(), observed, divergence.detach(), kl.detach() / choices, flips=flips)


def _flips(answers: Tensor) -> Tensor:
    """[2] of pairs of groups in [U, G] answers, those that differ, and all."""
    differ = answers.unsqueeze(1) != answers.unsqueeze(2)
    questions, groups = answers.shape
    # Each pair stands there twice.
    return torch.stack([differ.sum(), torch.full_like(differ.sum(), questions * groups * (groups - 1))]) / 2
