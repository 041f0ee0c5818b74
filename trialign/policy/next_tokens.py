"""The base model's distributions along a reply: what each of its tokens was drawn from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trialign.policy.cpu import attention_kernel
from trialign.policy.group_policy import GroupPolicy


@torch.no_grad()
def reply_logits(policy: GroupPolicy, prompt: Sequence[int], reply: Sequence[int]) -> Tensor:
    """The base weights' logits before every token of a reply.

    Args:
        policy: the agents.
        prompt: token ids, at least one.
        reply: token ids, at least one.

    Returns:
        [reply, vocabulary], of the policy's ``score_dtype``.
    """
    ids = torch.tensor([[*prompt, *reply]], device=policy.device)
    policy.routing.rows = None
    with attention_kernel(ids.device, ids.shape[1]):
        hidden = policy.base.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
    head = policy.base.get_output_embeddings()
    logits: Tensor = head(hidden[0, len(prompt) - 1 : -1])
    return logits.to(policy.score_dtype)
