"""Losses of the baselines that know nothing of groups: likelihood of an answer, and pairs of answers."""

from __future__ import annotations

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
