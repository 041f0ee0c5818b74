"""Scoring many rows: batches of similar length within a token budget, results in the order given."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from trialign.errors import UserError
from trialign.policy.cpu import SHORT_ROW
from trialign.policy.group_policy import GroupPolicy
from trialign.policy.plain import unrolled_tokens
from trialign.policy.replying import NOT_NUMBERS
from trialign.policy.tree import TreeRow, build_tree_batch, rows_alone, share_prefixes


def length_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices grouped so that size times longest length stays within the budget (or is one row)."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        # Sorted from long to short, the first row of a batch sets its width.
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


@torch.no_grad()
def score_rows(
    policy: GroupPolicy,
    rows: Sequence[TreeRow],
    *,
    reference: bool = False,
    batch_tokens: int = 4096,
    called: Sequence[str] = (),
    temperature: float = 1.0,
) -> list[tuple[float, ...]]:
    """Log-probabilities of every row's actions.

    Args:
        policy: the agents.
        rows: prefix trees with at least one action each.
        reference: use the base weights for all rows.
        batch_tokens: most positions (padding included) in one forward pass.
        called: what an error calls each row: its question and group; empty: its adapter.
        temperature: divides the logits of every token.

    Returns:
        One tuple a row, in the order given: nats per action, in the order of the row's segments.

    Raises:
        UserError: a score is not a number.
    """
    scores: list[tuple[float, ...]] = [()] * len(rows)
    alone = policy.invocation or policy.plain
    shared = rows_alone(rows) if alone else share_prefixes(rows, min(SHORT_ROW, batch_tokens))
    lengths = [unrolled_tokens(one.row) if policy.plain else one.row.tokens for one in shared]
    for indices in length_batches(lengths, batch_tokens):
        batch = build_tree_batch([shared[i].row for i in indices], policy.invocation).to(policy.device)
        values = policy.score(batch, reference=reference, temperature=temperature).tolist()
        members = [member for i in indices for member in shared[i].members]
        for index in members:
            count = sum(segment.action for segment in rows[index].segments)
            scores[index], values = tuple(values[:count]), values[count:]
            if not all(map(math.isfinite, scores[index])):
                name = called[index] if called else _answers(policy, rows[index])
                raise UserError(f"The model's score for {name} is not a number", NOT_NUMBERS)
    return scores


def _answers(policy: GroupPolicy, row: TreeRow) -> str:
    return f"adapter '{policy.adapters[row.adapter]}'" if row.adapter < len(policy.adapters) else "the base model"
