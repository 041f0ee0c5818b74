"""Losses of the baselines without welfare: likelihood of an answer, pairs of answers, and pairs weighted by group."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def likelihood_loss(log_probabilities: Tensor, action_tokens: int) -> Tensor:
    """Supervised fine-tuning: the mean negative log-likelihood of the answers' tokens.

    Args:
        log_probabilities: [N] log pi of each answer, summed over its tokens, in nats.
        action_tokens: tokens of all answers of the optimizer step, over all ranks and micro-batches.

    Returns:
        Scalar, in nats per token.
    """
    return -log_probabilities.sum() / max(action_tokens, 1)


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
