"""Hidden states of frozen lower layers, kept: with adapters in the upper layers only, no step changes them."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from trialign.policy.tree import TreeBatch

MEGABYTE = 2**20


class LowerStates:
    """The states of the rows seen last, up to so much memory; the least recently used ones go first.

    Args:
        megabytes: of memory for the states, beside those of the batch at hand.
    """

    def __init__(self, megabytes: int) -> None:
        self.room = megabytes * MEGABYTE
        self.used = 0
        self._kept: OrderedDict[bytes, Tensor] = OrderedDict()

    def __len__(self) -> int:
        """Rows that are kept."""
        return len(self._kept)

    def states(self, batch: TreeBatch, compute: Callable[[Tensor], Tensor]) -> Tensor:
        """What enters the upper layers.

        Args:
            batch: without prefix.
            compute: [missing] indices of rows -> [missing, length, hidden] their states.

        Returns:
            [rows, length, hidden], without gradient; zeros where there is padding.
        """
        sizes = (batch.position_ids >= 0).sum(dim=1).tolist()
        keys = [_key(batch, row, size) for row, size in enumerate(sizes)]
        found = {key: self._kept[key] for key in keys if key in self._kept}
        missing = [row for row, key in enumerate(keys) if key not in found]
        if missing:
            fresh = compute(torch.tensor(missing, device=batch.input_ids.device))
            for place, row in enumerate(missing):
                found[keys[row]] = fresh[place, : sizes[row]].cpu().clone()
        for key in keys:
            self._keep(key, found[key])
        width = batch.input_ids.shape[1]
        return torch.stack(
            [nn.functional.pad(found[key], (0, 0, 0, width - size)) for key, size in zip(keys, sizes, strict=True)]
        ).to(batch.input_ids.device)

    def _keep(self, key: bytes, states: Tensor) -> None:
        if key not in self._kept:
            self._kept[key] = states
            self.used += states.nbytes
        self._kept.move_to_end(key)
        while self.used > self.room:
            _, oldest = self._kept.popitem(last=False)
            self.used -= oldest.nbytes


def _key(batch: TreeBatch, row: int, size: int) -> bytes:
    """Everything that a row's states depend on beside the frozen weights: tokens, positions, and who sees whom."""
    device = batch.input_ids.device.type
    low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    digest = hashlib.blake2b(str(low).encode(), digest_size=16)
    for part in (
        batch.input_ids[row, :size],
        batch.position_ids[row, :size],
        batch.attention_mask[row, 0, :size, :size],
    ):
        digest.update(part.cpu().contiguous().numpy().tobytes())
    return digest.digest()


@contextmanager
def only(decoder: Any, layers: slice, *, norm: bool) -> Iterator[None]:
    """Within, the decoder runs these of its layers, and its last norm only if asked to."""
    all_layers, last = decoder.layers, decoder.norm
    decoder.layers = all_layers[layers]
    if not norm:
        decoder.norm = nn.Identity()
    try:
        yield
    finally:
        decoder.layers, decoder.norm = all_layers, last
