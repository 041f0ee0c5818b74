"""Speed on CPUs without a change of results: which library multiplies, and how short rows attend."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

# Beyond this length torch's fused kernel is the faster one (benchmarks/cpu.py).
SHORT_ROW = 192


def use_fast_exact_products() -> None:
    """Lets oneDNN multiply float32 matrices where it is at least as exact as MKL; on AMD's CPUs it is faster.

    torch hands float32 products to oneDNN only where reduced precision is allowed. Without AMX, oneDNN has no
    reduced-precision kernel for float32 and computes in full: there, and only there, it is allowed. With a GPU
    nothing is changed, for the same switch would lower the precision of its products.
    """
    if torch.cpu._is_avx512_supported() and not torch.cpu._is_amx_tile_supported() and not torch.cuda.is_available():
        torch.set_float32_matmul_precision("medium")


def attention_kernel(device: torch.device, length: int) -> AbstractContextManager[None]:
    """The faster attention for rows of ``length`` positions: plain products for short ones on a CPU."""
    if device.type == "cpu" and length <= SHORT_ROW:
        return sdpa_kernel(SDPBackend.MATH)
    return nullcontext()


def same_kernel_again() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """For a layer that the backward pass computes again: with the kernel that it attends with now.

    Returns:
        The contexts of the first pass and of the second, as ``torch.utils.checkpoint`` takes them.
    """
    plain = not torch.backends.cuda.flash_sdp_enabled()
    return nullcontext(), sdpa_kernel(SDPBackend.MATH) if plain else nullcontext()
