"""Plain rows: every branch with its whole prompt in a row of its own, for models on which a tree is not the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trialign.policy.cpu import attention_kernel
from trialign.policy.tree import ROOT, TreeBatch, TreeRow


@dataclass(frozen=True)
class PlainBatch:
    """Right-padded rows without branches, as a model's own forward pass takes them.

    Attributes:
        input_ids: [rows, length] token ids; 0 where there is padding.
        attention_mask: [rows, length] 1 for a token, 0 for padding.
        adapters: [rows] adapter index (see ``Routing``).
        source: [actions] flat index (row * length + column) of the hidden state that predicts an action token, in the
            order of the `TreeBatch`.
    """

    input_ids: Tensor
    attention_mask: Tensor
    adapters: Tensor
    source: Tensor


@dataclass(frozen=True)
class Paths:
    """The paths through a batch's trees that hold every state from which an action token is predicted.

    Attributes:
        leaves: [paths] (row, column) of each path's last position.
        paths: [paths] the columns of each, in its row, from the beginning to the leaf.
        sources: [actions] which path holds the state that predicts an action token, and how deep, in the batch's order.
    """

    leaves: list[tuple[int, int]]
    paths: list[list[int]]
    sources: list[tuple[int, int]]


def paths_of(batch: TreeBatch) -> Paths:
    """The paths through a batch's trees.

    A branch needs no path of its own where another one runs through the last state that predicts it: all answers of
    one token share one, and so do the earlier turns of a dialogue and its last. An answer's last token is left out,
    as nothing is predicted from it.

    Args:
        batch: without prefix.
    """
    width = batch.input_ids.shape[1]
    visible = batch.attention_mask[:, 0].cpu()
    ends = (batch.branch_lengths.cumsum(dim=0) - 1).cpu()
    source = batch.source.cpu()
    last = [divmod(place, width) for place in source[ends].tolist()]
    leaves = _leaves(last, visible)
    # A position stands on its path behind all those that it sees; where a tree forks, on the path of its own branch.
    depth = (visible.sum(dim=2) - 1).flatten()
    path_of = [_path_of(end, leaves, visible) for end in last]
    return Paths(
        leaves,
        [visible[row, column].nonzero().squeeze(1).tolist() for row, column in leaves],
        [(path_of[branch], int(depth[at])) for branch, at in zip(batch.branch.tolist(), source.tolist(), strict=True)],
    )


def unrolled(batch: TreeBatch) -> PlainBatch:
    """The paths through a batch's trees, each as a row.

    Args:
        batch: without prefix.
    """
    found, device = paths_of(batch), batch.input_ids.device
    length = max(map(len, found.paths))
    columns = torch.zeros(len(found.paths), length, dtype=torch.long)
    mask = torch.zeros_like(columns)
    for place, path in enumerate(found.paths):
        columns[place, : len(path)] = torch.tensor(path)
        mask[place, : len(path)] = 1
    rows = torch.tensor([row for row, _ in found.leaves], device=device)
    ids = batch.input_ids[rows.unsqueeze(1), columns.to(device)]
    return PlainBatch(
        input_ids=ids * mask.to(device),
        attention_mask=mask.to(device),
        adapters=batch.adapters[rows],
        source=torch.tensor([path * length + depth for path, depth in found.sources], device=device),
    )


def plainly(decoder: Any, routing: Any, batch: TreeBatch, *, reference: bool) -> Tensor:
    """[actions, hidden] the hidden states from which the output layer predicts each action token.

    Args:
        decoder: of the base model.
        routing: which adapter answers for each row (see ``Routing``).
        batch: without prefix.
        reference: with the base weights, whatever the rows' adapters.
    """
    rows = unrolled(batch)
    routing.rows = None if reference else rows.adapters
    with attention_kernel(rows.input_ids.device, rows.input_ids.shape[1]):
        hidden: Tensor = decoder(
            input_ids=rows.input_ids, attention_mask=rows.attention_mask, use_cache=False
        ).last_hidden_state
    return hidden.flatten(0, 1).index_select(0, rows.source)


def unrolled_tokens(row: TreeRow) -> int:
    """Most positions that a row's branches take when each stands alone, padding among them included."""
    lengths: list[int] = []
    leaves: dict[int, int] = {}  # segment that holds the last state of a row -> the row's length
    for index, segment in enumerate(row.segments):
        before = 0 if segment.parent == ROOT else lengths[segment.parent]
        lengths.append(before + len(segment.tokens))
        if segment.action:
            leaves[segment.parent if len(segment.tokens) == 1 else index] = lengths[index] - 1
    return len(leaves) * max(leaves.values())


def _leaves(last: list[tuple[int, int]], visible: Tensor) -> list[tuple[int, int]]:
    """The (row, column) among ``last`` that no other of them sees, each once, in order."""
    different = list(dict.fromkeys(last))
    return [
        (row, column)
        for row, column in different
        if not any(other == row and place != column and visible[row, place, column] for other, place in different)
    ]


def _path_of(end: tuple[int, int], leaves: list[tuple[int, int]], visible: Tensor) -> int:
    """The first of the leaves whose path holds a position."""
    row, column = end
    return next(i for i, (other, leaf) in enumerate(leaves) if other == row and visible[row, leaf, column])
