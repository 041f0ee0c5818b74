"""Kernels that torch.compile makes of a decoder, for this machine and batches of all sizes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from trialign.policy.group_policy import GroupPolicy


@contextmanager
def compiled(policy: GroupPolicy) -> Iterator[None]:
    """Within, the decoder goes by compiled kernels, made when it is first called; after it, by its own code again."""
    decoder: Any = policy.base.get_decoder()
    decoder.compile(dynamic=True)
    try:
        yield
    finally:
        decoder._compiled_call_impl = None  # replies grow token by token: each length would be compiled
