"""Plain rows: every branch with its whole prompt in a row of its own, for models on which a tree is not the same."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

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


def unrolled(batch: TreeBatch) -> PlainBatch:
    """The paths through a batch's trees, each as a row.

    A branch needs no row of its own where another one runs through the last state that predicts it: all answers of
    one token share one, and so do the earlier turns of a dialogue and its last. An answer's last token is left out,
    as nothing is predicted from it.

    Args:
        batch: without prefix.
    """
    device = batch.input_ids.device
    width = batch.input_ids.shape[1]
    visible = batch.attention_mask[:, 0].cpu()
    ends = (batch.branch_lengths.cumsum(dim=0) - 1).cpu()
    last = [divmod(place, width) for place in batch.source.cpu()[ends].tolist()]
    leaves = _leaves(last, visible)
    paths = [visible[row, column].nonzero().squeeze(1) for row, column in leaves]
    length = max(len(path) for path in paths)
    columns = torch.zeros(len(leaves), length, dtype=torch.long)
    mask = torch.zeros_like(columns)
    for place, path in enumerate(paths):
        columns[place, : len(path)] = path
        mask[place, : len(path)] = 1
    rows = torch.tensor([row for row, _ in leaves])
    # A position stands in its row behind all those that it sees; where a tree forks, in the row of its own branch.
    depth = (visible.sum(dim=2) - 1).flatten()
    row_of = torch.tensor([_row_of(end, leaves, visible) for end in last])
    source = batch.source.cpu()
    places = row_of[batch.branch.cpu()] * length + depth[source]
    ids = batch.input_ids[rows.to(device).unsqueeze(1), columns.to(device)]
    return PlainBatch(
        input_ids=ids * mask.to(device),
        attention_mask=mask.to(device),
        adapters=batch.adapters[rows.to(device)],
        source=places.to(device),
    )


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


def _row_of(end: tuple[int, int], leaves: list[tuple[int, int]], visible: Tensor) -> int:
    """The first of the leaves whose path holds a position."""
    row, column = end
    return next(i for i, (other, leaf) in enumerate(leaves) if other == row and visible[row, leaf, column])
