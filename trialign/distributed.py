"""What one rank needs to know of the others; without a process group there is one rank."""

from __future__ import annotations

from typing import Any

import torch.distributed as dist


def rank() -> int:
    """This process's rank, 0 without a process group."""
    return dist.get_rank() if _active() else 0


def world_size() -> int:
    """Number of ranks, 1 without a process group."""
    return dist.get_world_size() if _active() else 1


def barrier() -> None:
    """Waits for all ranks."""
    if _active():
        dist.barrier()


def gather(value: Any) -> list[Any]:
    """Every rank's value, in rank order, on every rank."""
    if not _active():
        return [value]
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values


def _active() -> bool:
    return dist.is_available() and dist.is_initialized()
