"""The text term: how far an agent's next-token distributions are from its teacher's, along a stored reply."""

from __future__ import annotations

import torch
from torch import Tensor


def text_divergence(of_agent: Tensor, of_teacher: Tensor, rest: Tensor) -> Tensor:
    """KL(teacher || agent) at each token of a reply, over k tokens and one bucket for all others.

    KL = sum_i p_i (log p_i - log q_i) + p_rest (log p_rest - log q_rest), in nats. Joining tokens into a bucket loses
    what differs inside it, so that this is at most the KL over the vocabulary (the log sum inequality, Cover and Thomas
    2006, theorem 2.7.1); with all tokens kept it is that KL.

    Args:
        of_agent: [N, k + 1] log q of the k tokens that are kept, then of all others together; minus infinity there
            where no others are left.
        of_teacher: [N, k] log p of the same tokens.
        rest: [N] p of all others together.

    Returns:
        [N], at least 0.
    """
    kept = (of_teacher.exp() * (of_teacher - of_agent[:, :-1])).sum(dim=1)
    # Where nothing is left, p and q are 0 and the logarithms are none: 0 log 0 = 0.
    others = torch.where(rest > 0, rest * (rest.log() - of_agent[:, -1]), 0.0)
    return kept + others
