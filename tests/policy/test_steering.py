"""Agents whose states are moved: against a hook on the layer of a model that holds one row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from trialign.errors import UserError
from trialign.models.families import decoder_layers
from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.group_policy import Sampling
from trialign.policy.steering import Steering, steer, steered

pytestmark = pytest.mark.unit

GROUPS = ("north", "south", "coast")
PROMPT, OPTIONS = (5, 17, 40, 9), ((23, 8), (31,), (12, 6, 44))
HIDDEN, LAYER = 32, 0
MOVES = {
    name: 3 * torch.randn(HIDDEN, generator=torch.Generator().manual_seed(place)) for place, name in enumerate(GROUPS)
}


@pytest.fixture
def policy(make_policy: Callable[..., GroupPolicy]) -> GroupPolicy:
    return make_policy(GROUPS).eval()


@contextmanager
def moved(policy: GroupPolicy, move: Tensor) -> Iterator[None]:
    """Everybody's states, by a hook that knows nothing of rows."""

    def add(_layer: Any, _inputs: Any, output: Any) -> Any:
        return (output[0] + move, *output[1:]) if isinstance(output, tuple) else output + move

    handle = decoder_layers(policy.base)[LAYER].register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()


def scores(policy: GroupPolicy, names: Sequence[str], **how: Any) -> Tensor:
    """[names, options]."""
    rows = [
        TreeRow(policy.adapter_index(name), (Segment(PROMPT, ROOT), *(Segment(one, 0, action=True) for one in OPTIONS)))
        for name in names
    ]
    with torch.no_grad():
        return policy.score(build_tree_batch(rows), **how).view(len(names), -1)


def test_each_row_is_moved_by_its_own_group_and_goes_through_its_own_adapter(policy: GroupPolicy) -> None:
    expected = []
    for name in GROUPS:
        with moved(policy, MOVES[name]):
            expected.append(scores(policy, [name])[0])
    as_ever = scores(policy, [*GROUPS, "control"])
    steer(policy, Steering(LAYER, MOVES))
    order = ["coast", steered("south"), "control", steered("north"), "south", steered("coast")]
    found = scores(policy, order)
    north, south, coast = expected
    torch.testing.assert_close(
        found, torch.stack([as_ever[2], south, as_ever[3], north, as_ever[1], coast]), atol=1e-4, rtol=1e-4
    )
    assert (north - as_ever[0]).abs().max() > 0.1
    # The base weights alone are never moved, whatever the rows say.
    torch.testing.assert_close(scores(policy, [steered("north")], reference=True), as_ever[3:])


def test_replies_are_moved_too(policy: GroupPolicy) -> None:
    def replies(names: Sequence[str]) -> list[tuple[int, ...]]:
        return policy.generate([PROMPT] * len(names), names, 2, Sampling(max_new_tokens=6))

    alone = []
    for name in GROUPS:
        with moved(policy, MOVES[name]):
            alone += replies([name])
    as_ever = replies(GROUPS)
    steer(policy, Steering(LAYER, MOVES))
    assert replies([*map(steered, GROUPS), *GROUPS]) == [*alone, *as_ever]
    assert alone != as_ever


def test_nobody_is_steered_any_more(policy: GroupPolicy) -> None:
    before = scores(policy, GROUPS)
    steer(policy, Steering(LAYER, MOVES))
    steer(policy, Steering(LAYER, {name: 2 * move for name, move in MOVES.items()}))
    with moved(policy, 2 * MOVES["south"]):  # beside no move of the first steering
        expected = scores(policy, ["south"])
    torch.testing.assert_close(scores(policy, [steered("south")]), expected, atol=1e-4, rtol=1e-4)
    steer(policy, None)
    assert policy.guests == ()
    torch.testing.assert_close(scores(policy, GROUPS), before)
    assert policy.adapter_index(steered("south")) == policy.adapter_index("control")


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ({"adapters": "basis"}, r"policy\.adapters=basis"),
        ({"activation": "profile", "invocation": (5, 9)}, r"policy\.activation=profile"),
    ],
)
def test_agents_that_cannot_be_steered_are_refused(
    make_policy: Callable[..., GroupPolicy], how: dict[str, Any], what: str
) -> None:
    with pytest.raises(UserError, match=what):
        steer(make_policy(GROUPS, **how), Steering(LAYER, MOVES))


def test_a_base_model_that_has_no_tree_is_refused(policy: GroupPolicy) -> None:
    policy.plain = "recurrent layers"
    with pytest.raises(UserError, match="a base model with recurrent layers"):
        steer(policy, Steering(LAYER, MOVES))
