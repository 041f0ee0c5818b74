"""How a decoder computes while it is trained, and that it is as before afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trialign.policy import GroupPolicy
from trialign.policy.compiling import in_training

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("compiled", "shared", "continues"), [(False, False, True), (True, False, False), (False, True, False)]
)
def test_copies_of_a_prompt_are_left_to_whoever_computes_alone_and_by_the_models_own_code(
    make_policy: Callable[..., GroupPolicy], compiled: bool, shared: bool, continues: bool
) -> None:
    policy = make_policy()
    decoder = policy.base.get_decoder()
    policy.continues = True
    with in_training(policy, compiled=compiled, shared=shared):
        assert policy.continues == continues
        assert (decoder._compiled_call_impl is not None) == compiled
    assert policy.continues
    assert decoder._compiled_call_impl is None
