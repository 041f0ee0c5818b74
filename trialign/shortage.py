"""A lack of memory, told from what is wrong with a model."""

from __future__ import annotations

import torch


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that the machine has too little memory; on a CPU that is a RuntimeError like any other."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(error)
