"""How a decoder computes while it is trained, and that it is as before afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trialign.policy import GroupPolicy
from trialign.policy.compiling import compiled

pytestmark = pytest.mark.unit


def test_the_decoder_is_compiled_within_and_called_once_a_batch(make_policy: Callable[..., GroupPolicy]) -> None:
    policy = make_policy()
    decoder = policy.base.get_decoder()
    for continues in (True, False):
        policy.continues = continues
        with compiled(policy):
            assert not policy.continues
            assert decoder._compiled_call_impl is not None
        assert policy.continues == continues
        assert decoder._compiled_call_impl is None
