"""How the decoder computes while it is trained: by kernels that torch.compile makes, and alike on all ranks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from trialign.policy.group_policy import GroupPolicy


@contextmanager
def in_training(policy: GroupPolicy, *, compiled: bool, shared: bool) -> Iterator[None]:
    """Within, every batch is one call of the decoder where that matters.

    Copies of a prompt's state go on token by token: so many calls as a batch happens to need, which ranks that share
    weights would make unequally often, and each of whose lengths would be compiled.

    Args:
        policy: the agents.
        compiled: by kernels that are made when the decoder is first called, for batches of all sizes; after it, by its
            own code again.
        shared: whether ranks share the decoder's weights.
    """
    decoder: Any = policy.base.get_decoder()
    continues = policy.continues
    policy.continues = continues and not compiled and not shared
    if compiled:
        decoder.compile(dynamic=True)
    try:
        yield
    finally:
        policy.continues = continues
        if compiled:
            decoder._compiled_call_impl = None  # replies grow token by token, too
