"""Kernels that torch.compile makes of a decoder, for this machine and batches of all sizes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from trialign.policy.group_policy import GroupPolicy


@contextmanager
def compiled(policy: GroupPolicy) -> Iterator[None]:
    """Within, the decoder goes by compiled kernels, made when it is first called; after it, by its own code again.

    Every batch is one call of it then: replies, and answers that go on from copies of a prompt's state, grow token by
    token, and each length would be compiled.
    """
    decoder: Any = policy.base.get_decoder()
    continues, policy.continues = policy.continues, False
    decoder.compile(dynamic=True)
    try:
        yield
    finally:
        policy.continues = continues
        decoder._compiled_call_impl = None
