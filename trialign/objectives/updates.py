"""Updates: the loss of one batch from enumerated answers (``expected``) or from sampled ones (``awr``, ``topr``).

Every loss divides by counts of the whole optimizer step, over all ranks and micro-batches, so that it does
not depend on how the step was cut into pieces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from trialign.objectives.config import ObjectiveConfig
from trialign.objectives.inconsistency import inconsistency


@dataclass(frozen=True)
class StepCounts:
    """Observations and tokens of one whole optimizer step.

    Attributes:
        truth: observations (query, exposure, turn) with a gold answer.
        preference: observations with targets.
        choice: observations whose answers are enumerated.
        action_tokens: tokens of the answers that are learned: sampled ones in sets that are kept, or imitated ones.
        pairs: pairs of answers of each group.
    """

    truth: int
    preference: int
    choice: int
    action_tokens: int
    pairs: tuple[int, ...] = ()


@dataclass(frozen=True)
class UpdateLoss:
    """A loss and what it was made of.

    Attributes:
        loss: scalar with gradient.
        rewards: [groups, 2] sums of the truth and preference rewards under the current policy.
        counts: [2] observations behind the sums.
        inconsistency: sum of D, or of the samples' mean d, over truth observations.
        kl: sum over observations and groups of KL(pi_g || pi_ref), in nats.
        pair_losses: [groups] sum of the losses of each group's pairs; None without pairs.
    """

    loss: Tensor
    rewards: Tensor
    counts: Tensor
    inconsistency: Tensor
    kl: Tensor
    pair_losses: Tensor | None = None


def expected_update(
    log_probabilities: Tensor,
    reference: Tensor,
    gold: Tensor,
    targets: Tensor,
    has_target: Tensor,
    weights: Tensor,
    counts: StepCounts,
    config: ObjectiveConfig,
) -> UpdateLoss:
    """The exact expectation over enumerated answers.

    loss = - sum_g w_gT mean_truth S_g(gold) - sum_g w_gP mean_preference [1 - TV(S_g, target_g)]
           + lambda mean_truth D + kl_weight mean sum_g KL(S_g || S_ref,g)

    Args:
        log_probabilities: [U, G, K] log S_g, -inf at absent options.
        reference: [U, G, K] the same under the reference.
        gold: [U] gold option, -1 without one.
        targets: [U, G, K] preferred distributions, 0 without one.
        has_target: [U] bool.
        weights: [G, 2] welfare weights.
        counts: of the whole optimizer step.
        config: lambda, gate, rho, kl_weight.
    """
    shares = log_probabilities.exp()
    present = torch.isfinite(log_probabilities)
    has_gold = gold >= 0
    index = gold.clamp(min=0).view(-1, 1, 1).expand(-1, shares.shape[1], 1)
    truth = torch.where(has_gold.unsqueeze(1), shares.gather(2, index).squeeze(2), 0.0)
    variation = 0.5 * (shares - targets).abs().sum(dim=2)
    preference = torch.where(has_target.unsqueeze(1), 1 - variation, 0.0)
    divergence = inconsistency(
        log_probabilities[has_gold], gold[has_gold], present[has_gold, 0].sum(dim=1), config.inconsistency
    ).sum()
    ratio = torch.where(present, log_probabilities, 0.0) - torch.where(present, reference, 0.0)
    kl = (shares * ratio).sum()
    rewards = torch.stack([truth.sum(dim=0), preference.sum(dim=0)], dim=1)
    loss = (
        -(weights[:, 0] * rewards[:, 0]).sum() / max(counts.truth, 1)
        - (weights[:, 1] * rewards[:, 1]).sum() / max(counts.preference, 1)
        + config.inconsistency.weight * divergence / max(counts.truth, 1)
        + config.kl_weight * kl / max(counts.choice, 1)
    )
    observed = torch.stack([has_gold.sum(), has_target.sum()])
    return UpdateLoss(loss, rewards.detach(), observed, divergence.detach(), kl.detach())


def sampled_update(
    log_probabilities: Tensor,
    behaviour: Tensor,
    truth: Tensor,
    preference: Tensor,
    disagreement: Tensor,
    weights: Tensor,
    counts: StepCounts,
    config: ObjectiveConfig,
) -> UpdateLoss:
    """Sampled answers by their advantage, with the welfare weights inside it.

    A = w_gT a_T + w_gP a_P - lambda a_d, each part centred on the K samples of one observation.

    - ``awr``: loss = - sum min(exp(A / temperature), w_max) log pi(sample) / action tokens of the step,
      advantage-weighted regression (Peng et al. 2019, arXiv 1910.00177).
    - ``topr``: loss = - sum A c log pi(sample) / action tokens of the step, c = 1 where A > 0, and for the others the
      importance weight pi / mu truncated at 1 (tapered off-policy REINFORCE, Le Roux et al. 2025, arXiv 2503.14286).

    Sets in which all K samples earn the same are dropped: exp(0) = 1 would clone whatever was sampled.

    Args:
        log_probabilities: [U, G, K] log pi of each sample under the current policy, summed over its tokens.
        behaviour: [U, G, K] the same under the behaviour policy.
        truth: [U, G, K] truth rewards; NaN where the query has no gold answer.
        preference: [U, G, K] preference rewards; NaN where there is no target.
        disagreement: [U, G, K] d_g; NaN where the query has no gold answer.
        weights: [G, 2] welfare weights.
        counts: of the whole optimizer step.
        config: update, lambda, temperature, clips.
    """
    penalty = config.inconsistency.weight
    kept = earns_differently(truth, preference, disagreement, penalty)
    advantage = (
        weights[:, 0].view(1, -1, 1) * _centred(truth)
        + weights[:, 1].view(1, -1, 1) * _centred(preference)
        - penalty * _centred(disagreement)
    )
    if config.update == "topr":
        tapered = (log_probabilities - behaviour).clamp(max=0.0).exp()
        strength = torch.where(advantage > 0, advantage, advantage * tapered)
    else:
        strength = (advantage / config.awr.temperature).exp().clamp(max=config.awr.largest)
    strength = torch.where(kept.unsqueeze(2), strength, 0.0).detach()
    loss = -(strength * log_probabilities).sum() / max(counts.action_tokens, 1)
    # The softmax normalises ratios of any size; long replies would underflow as plain exponentials.
    ratio = (log_probabilities - behaviour).detach().clamp(max=math.log(config.awr.importance))
    importance = ratio.softmax(dim=2)
    estimates = [(importance * part.nan_to_num(0.0)).sum(dim=2) for part in (truth, preference, disagreement)]
    rewards = torch.stack([estimates[0].sum(dim=0), estimates[1].sum(dim=0)], dim=1)
    # A query is of one kind for all groups, so the first group tells whether it has a gold answer or targets.
    observed = torch.stack([(~part[:, 0, 0].isnan()).sum() for part in (truth, preference)])
    return UpdateLoss(loss, rewards, observed, estimates[2].mean(dim=1).sum(), loss.new_zeros(()))


def earns_differently(truth: Tensor, preference: Tensor, disagreement: Tensor, penalty: float) -> Tensor:
    """Whether the K samples of an observation earn different rewards: [U, G, K] each -> [U, G] bool."""
    parts = [truth, preference, *([disagreement] if penalty > 0 else [])]
    spreads = [part.nan_to_num(0.0).amax(dim=2) > part.nan_to_num(0.0).amin(dim=2) for part in parts]
    return torch.stack(spreads).any(dim=0)


def _centred(rewards: Tensor) -> Tensor:
    rewards = rewards.nan_to_num(0.0)
    return rewards - rewards.mean(dim=2, keepdim=True)
