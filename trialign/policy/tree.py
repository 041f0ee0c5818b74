"""Prefix trees: a prompt is computed once, its answers and later turns are branches of the same row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor

from trialign.policy.activated import Prefixes, activation_start, prefixes_of

ROOT = -1
LEAST_SAVED = 8  # tokens; joining rows for less costs more attention than it saves


@dataclass(frozen=True)
class Segment:
    """A run of tokens that continues its parent.

    Attributes:
        tokens: token ids, at least one.
        parent: index of the segment that it continues, smaller than its own; ``ROOT`` for a beginning.
        action: whether its tokens are an answer whose log-probability is wanted.
    """

    tokens: tuple[int, ...]
    parent: int
    action: bool = False


@dataclass(frozen=True)
class TreeRow:
    """One row: everything that one agent reads and might say about one query."""

    adapter: int
    segments: tuple[Segment, ...]

    @property
    def tokens(self) -> int:
        """Number of tokens in the row, without padding."""
        return sum(len(segment.tokens) for segment in self.segments)


@dataclass(frozen=True)
class JoinedRow:
    """Rows of one adapter as one row.

    Attributes:
        row: the rows' segments, behind their common beginning or side by side.
        members: indices of the rows inside; their branches follow each other in this order.
    """

    row: TreeRow
    members: tuple[int, ...]


@dataclass(frozen=True)
class TreeBatch:
    """Padded rows of prefix trees, ready for one forward pass.

    Attributes:
        input_ids: [rows, length] token ids, right-padded.
        position_ids: [rows, length]; a branch continues the position of its parent.
        attention_mask: [rows, 1, length, length] bool; a token sees its ancestors and itself.
        adapters: [rows] adapter index (see ``Routing``).
        source: [actions] flat index (row * length + column) of the hidden state that predicts an action
            token.
        target: [actions] the action token's id.
        branch: [actions] the branch it belongs to; branches are numbered through the rows in order.
        branch_lengths: [branches] action tokens a branch.
        prefix: what stands before the rows and goes through the base weights (activated adapters); None: nothing.
    """

    input_ids: Tensor
    position_ids: Tensor
    attention_mask: Tensor
    adapters: Tensor
    source: Tensor
    target: Tensor
    branch: Tensor
    branch_lengths: Tensor
    prefix: Prefixes | None = None

    def to(self, device: torch.device | str) -> TreeBatch:
        """The same batch on another device."""
        parts: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        moved: dict[str, Any] = {name: None if part is None else part.to(device) for name, part in parts.items()}
        return TreeBatch(**moved)

    @property
    def padding_share(self) -> float:
        """Share of the computed positions that hold no token."""
        # A padding position sees itself alone, and only the first token of a beginning does so too.
        return float((self.position_ids < 0).float().mean())


@dataclass
class _Actions:
    """The action tokens of a batch, as `TreeBatch` lists them."""

    source: list[int] = field(default_factory=list)
    target: list[int] = field(default_factory=list)
    branch: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def add(self, tokens: Sequence[int], parent: int, begin: int) -> None:
        """One branch: the flat index of the position that its first token follows, and of that token."""
        self.source.extend([parent, *range(begin, begin + len(tokens) - 1)])
        self.target.extend(tokens)
        self.branch.extend([len(self.lengths)] * len(tokens))
        self.lengths.append(len(tokens))


def build_tree_batch(rows: Sequence[TreeRow], invocation: Sequence[int] = ()) -> TreeBatch:
    """Packs rows into one batch.

    Args:
        rows: at least one.
        invocation: token ids from which on activated adapters act; empty: they always act.

    Raises:
        ValueError: an empty segment, a parent that comes later, an action without a parent, or no action at
            all; a row whose prompts begin differently before the invocation.
    """
    beginnings: list[tuple[int, ...]] = [()] * len(rows)
    if invocation:
        rows, beginnings = _without_beginnings(rows, invocation)
    length = max(row.tokens for row in rows)
    count = len(rows)
    input_ids = torch.zeros(count, length, dtype=torch.long)
    position_ids = torch.full((count, length), -1, dtype=torch.long)
    mask = torch.zeros(count, 1, length, length, dtype=torch.bool)
    actions = _Actions()
    for index, row in enumerate(rows):
        ends: list[int] = []
        column = 0
        for segment in row.segments:
            _check(segment, len(ends))
            size = len(segment.tokens)
            here = slice(column, column + size)
            input_ids[index, here] = torch.tensor(segment.tokens)
            begin = len(beginnings[index])
            if segment.parent != ROOT:
                parent_end = ends[segment.parent]
                begin = int(position_ids[index, parent_end]) + 1
                mask[index, 0, here] = mask[index, 0, parent_end]
            position_ids[index, here] = torch.arange(begin, begin + size)
            mask[index, 0, here, here] = torch.ones(size, size, dtype=torch.bool).tril()
            if segment.action:
                actions.add(segment.tokens, index * length + ends[segment.parent], index * length + column)
            column += size
            ends.append(column - 1)
    if not actions.lengths:
        raise ValueError("no action to score: the action mask of this batch is empty")
    # Attention over nothing is not a number: padding sees itself.
    mask |= torch.eye(length, dtype=torch.bool)
    return TreeBatch(
        input_ids=input_ids,
        position_ids=position_ids,
        attention_mask=mask,
        adapters=torch.tensor([row.adapter for row in rows]),
        source=torch.tensor(actions.source),
        target=torch.tensor(actions.target),
        branch=torch.tensor(actions.branch),
        branch_lengths=torch.tensor(actions.lengths),
        prefix=prefixes_of(beginnings),
    )


def rows_alone(rows: Sequence[TreeRow]) -> list[JoinedRow]:
    """Every row as it is: those of activated adapters share what stands before them instead."""
    return [JoinedRow(row, (index,)) for index, row in enumerate(rows)]


def share_prefixes(rows: Sequence[TreeRow], longest: int) -> list[JoinedRow]:
    """Joins rows of the same adapter whose prompts begin alike, so that the beginning is computed once.

    An instruction and a profile stand before every question: asked many questions, an agent reads them once.

    Args:
        rows: any rows; those that do not begin with one prompt for all their branches stay as they are.
        longest: most tokens in a joined row; a longer row stays alone.

    Returns:
        Every row in exactly one `JoinedRow`.
    """
    joined: list[JoinedRow] = []
    pending: list[int] = []
    shared = size = 0
    # Sorted by their tokens, rows that begin alike stand together, and what they share can only grow shorter.
    for index in sorted(range(len(rows)), key=lambda i: _order(rows[i])):
        common = _common_prefix(rows[pending[0]], rows[index]) if pending else 0
        members = [*pending, index]
        together = sum(rows[i].tokens for i in members) - common * len(pending)
        if together <= min(longest, size + rows[index].tokens - LEAST_SAVED):
            pending, shared, size = members, common, together
            continue
        if pending:
            joined.append(_joined(rows, pending, shared))
        pending, shared, size = [index], 0, rows[index].tokens
    return [*joined, _joined(rows, pending, shared)] if pending else []


def pack_rows(rows: Sequence[TreeRow]) -> list[JoinedRow]:
    """Lays short rows of the same adapter side by side, so that one long row does not stretch all others.

    Packed rows do not see each other, and none is longer than the longest row: first fit, from long to short.

    Returns:
        Every row in exactly one `JoinedRow`.
    """
    longest = max(row.tokens for row in rows)
    packs: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(rows)), key=lambda i: -rows[i].tokens):
        size = rows[index].tokens
        fits = (p for p, pack in enumerate(packs) if room[p] >= size and rows[pack[0]].adapter == rows[index].adapter)
        place = next(fits, None)
        if place is None:
            packs.append([index])
            room.append(longest - size)
        else:
            packs[place].append(index)
            room[place] -= size
    return [_joined(rows, pack, 0) for pack in packs]


def _order(row: TreeRow) -> tuple[int, int, tuple[int, ...]]:
    return row.adapter, _beginnings(row), row.segments[0].tokens


def _beginnings(row: TreeRow) -> int:
    return sum(segment.parent == ROOT for segment in row.segments)


def _common_prefix(first: TreeRow, second: TreeRow) -> int:
    """How many tokens two rows have in common at their beginning; 0 where they cannot be joined."""
    if first.adapter != second.adapter or _beginnings(first) > 1 or _beginnings(second) > 1:
        return 0
    pairs = zip(first.segments[0].tokens, second.segments[0].tokens, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _joined(rows: Sequence[TreeRow], members: Sequence[int], shared: int) -> JoinedRow:
    """The rows' segments one after the other; their first ``shared`` tokens, if any, stand once before them."""
    segments = [Segment(rows[members[0]].segments[0].tokens[:shared], ROOT)] if shared else []
    beginning = 0 if shared else ROOT
    for index in members:
        places: list[int] = []  # of this row's segments in the joined row
        for segment in rows[index].segments:
            begins = segment.parent == ROOT
            tokens = segment.tokens[shared:] if begins else segment.tokens
            if not tokens:
                places.append(beginning)  # the prompt is the common beginning
                continue
            segments.append(Segment(tokens, beginning if begins else places[segment.parent], segment.action))
            places.append(len(segments) - 1)
    return JoinedRow(TreeRow(rows[members[0]].adapter, tuple(segments)), tuple(members))


def _without_beginnings(
    rows: Sequence[TreeRow], invocation: Sequence[int]
) -> tuple[list[TreeRow], list[tuple[int, ...]]]:
    """The rows from their invocation on, and what stood before it; a row without one stays whole."""
    shortened, beginnings = [], []
    for row in rows:
        starts = {
            index: activation_start(segment.tokens, invocation) or 0
            for index, segment in enumerate(row.segments)
            if segment.parent == ROOT
        }
        different = {row.segments[index].tokens[:start] for index, start in starts.items()}
        if len(different) > 1:
            raise ValueError("the prompts of a row begin differently before the invocation")
        segments = (
            replace(segment, tokens=segment.tokens[starts.get(index, 0) :])
            for index, segment in enumerate(row.segments)
        )
        shortened.append(TreeRow(row.adapter, tuple(segments)))
        beginnings.append(different.pop())
    return shortened, beginnings


def _check(segment: Segment, index: int) -> None:
    if not segment.tokens:
        raise ValueError(f"segment {index} has no tokens")
    if not ROOT <= segment.parent < index:
        raise ValueError(f"segment {index} continues segment {segment.parent}, which does not come before it")
    if segment.action and segment.parent == ROOT:
        raise ValueError(f"segment {index} is an action that answers no prompt")
