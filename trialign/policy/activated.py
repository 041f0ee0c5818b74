"""Activated adapters (Greenewald et al. 2025, arXiv 2504.12397): they act from the profile on, which stands last.

What stands before it, the instruction and the question, goes through the base weights. All groups share it, so it is
computed once, and no gradient leads into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Prefixes:
    """The different beginnings of the rows of one batch.

    Attributes:
        input_ids: [prefixes, length] token ids, right-padded.
        of_row: [rows] index of each row's prefix.
        lengths: [rows] tokens of each row's prefix; 0 where the row has none.
    """

    input_ids: Tensor
    of_row: Tensor
    lengths: Tensor

    def to(self, device: torch.device | str) -> Prefixes:
        """The same on another device."""
        return Prefixes(*(part.to(device) for part in (self.input_ids, self.of_row, self.lengths)))

    def mask(self, length: int) -> Tensor:
        """[rows, 1, length, prefix length] bool: every token of a row sees all of the row's prefix."""
        columns = torch.arange(self.input_ids.shape[1], device=self.input_ids.device)
        seen = columns < self.lengths.unsqueeze(1)
        return seen[:, None, None, :].expand(-1, -1, length, -1)


def activation_start(prompt: Sequence[int], invocation: Sequence[int]) -> int | None:
    """Where the last occurrence of the invocation tokens begins, as PEFT finds it; None where there is none."""
    size = len(invocation)
    ends = range(len(prompt) - size, -1, -1)
    return next((begin for begin in ends if tuple(prompt[begin : begin + size]) == tuple(invocation)), None)


def active_positions(ids: Tensor, invocation: Sequence[int]) -> Tensor:
    """[rows, length] token ids -> [rows, length] bool, true from each row's last invocation on."""
    active = torch.zeros_like(ids, dtype=torch.bool)
    for row, tokens in enumerate(ids.tolist()):
        start = activation_start(tokens, invocation)
        if start is not None:
            active[row, start:] = True
    return active


def prefixes_of(beginnings: Sequence[tuple[int, ...]]) -> Prefixes | None:
    """Joins equal beginnings.

    Args:
        beginnings: of every row; may be empty.

    Returns:
        None where all are empty.
    """
    places = {tokens: place for place, tokens in enumerate(dict.fromkeys(t for t in beginnings if t))}
    if not places:
        return None
    ids = torch.zeros(len(places), max(map(len, places)), dtype=torch.long)
    for tokens, place in places.items():
        ids[place, : len(tokens)] = torch.tensor(tokens)
    return Prefixes(
        ids,
        torch.tensor([places.get(tokens, 0) for tokens in beginnings]),
        torch.tensor([len(tokens) for tokens in beginnings]),
    )
