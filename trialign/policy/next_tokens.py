"""The base model's distributions along replies: what each of their tokens was drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from trialign.policy.cpu import attention_kernel
from trialign.policy.group_policy import GroupPolicy
from trialign.policy.output import ACTIONS_PER_CHUNK, ChunkedOutput
from trialign.policy.scoring import length_batches
from trialign.policy.tree import ROOT, Segment, TreeRow, build_tree_batch


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
    head = cast(ChunkedOutput, policy.base.get_output_embeddings())
    logits = head.shaped(head(hidden[0, len(prompt) - 1 : -1]))
    return logits.to(policy.score_dtype)


@dataclass(frozen=True)
class Likeliest:
    """The likeliest next tokens before each of a reply's T tokens.

    Attributes:
        tokens: [T][k] token ids, from likely to unlikely.
        log_probabilities: [T][k] theirs, in nats.
        rest: [T] probability of all other tokens together; 0 where there are none.
    """

    tokens: tuple[tuple[int, ...], ...]
    log_probabilities: tuple[tuple[float, ...], ...]
    rest: tuple[float, ...]


@torch.no_grad()
def likeliest_tokens(
    policy: GroupPolicy, pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], top_k: int, batch_tokens: int
) -> list[Likeliest]:
    """What the base weights find likeliest along replies.

    Args:
        policy: the agents.
        pairs: (prompt, reply), token ids.
        top_k: tokens that are kept; at most the vocabulary.
        batch_tokens: most positions in one forward pass.

    Returns:
        One a pair, in the order given.
    """
    found: dict[int, Likeliest] = {}
    head = cast(ChunkedOutput, policy.base.get_output_embeddings())
    for places in length_batches([len(prompt) + len(reply) for prompt, reply in pairs], batch_tokens):
        rows = [TreeRow(0, (Segment(pairs[i][0], ROOT), Segment(pairs[i][1], 0, action=True))) for i in places]
        states = policy.predicting(build_tree_batch(rows, policy.invocation).to(policy.device), reference=True)
        kept = [
            _kept(head.shaped(head(part)).to(policy.score_dtype), top_k) for part in states.split(ACTIONS_PER_CHUNK)
        ]
        tokens, values, rest = (torch.cat([one[part] for one in kept]) for part in range(3))
        begin = 0
        for place in places:
            here = slice(begin, begin := begin + len(pairs[place][1]))
            found[place] = Likeliest(
                tuple(map(tuple, tokens[here].tolist())),
                tuple(map(tuple, values[here].tolist())),
                tuple(rest[here].tolist()),
            )
    return [found[place] for place in range(len(pairs))]


@torch.no_grad()
def text_log_probabilities(policy: GroupPolicy, texts: Sequence[Sequence[int]], group: str | None) -> Tensor:
    """How likely an agent finds every token of some texts, given those before it.

    Args:
        policy: the agents.
        texts: token ids, at least two each.
        group: whose agent; None: the base model.

    Returns:
        [tokens of all texts but the first of each] in nats, in float64 on the CPU.
    """
    adapter = len(policy.adapters) if group is None else policy.adapter_index(group)
    found = []
    for text in texts:
        row = TreeRow(adapter, (Segment(tuple(text[:1]), ROOT), Segment(tuple(text[1:]), 0, action=True)))
        batch = build_tree_batch([row], policy.invocation).to(policy.device)
        found.append(policy.base.get_output_embeddings()(policy.predicting(batch), batch.target, 1.0, None))
    return torch.cat(found).double().cpu()


def _kept(logits: Tensor, top_k: int) -> tuple[Tensor, Tensor, Tensor]:
    """[N, vocabulary] -> token ids and log-probabilities [N, k], and the probability of all others [N]."""
    logs = logits.log_softmax(dim=1)
    values, tokens = logs.topk(min(top_k, logs.shape[1]), dim=1)
    # Summed over the others themselves: 1 minus the kept would be rounding where little is left.
    rest = logs.exp().scatter(1, tokens, 0.0).sum(dim=1)
    return tokens, values, rest
