"""A lack of memory or of room on a disk, told from what else is wrong."""

from __future__ import annotations

import errno


def lacks_room(error: BaseException) -> bool:
    """Whether an error says that a disk is full."""
    # safetensors tells the system's error in its message only.
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or f"(os error {errno.ENOSPC})" in str(error)


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that the machine has too little memory; on a CPU that is a RuntimeError like any other."""
    import torch  # the command line asks for room on a disk without it

    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(error)
