"""One adapter for all groups: its products over all rows at once are those of each row alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.adapters import GroupLoraLinear, weight_of

pytestmark = pytest.mark.unit

GROUPS = ("north", "south")
ROWS = [((5, 17, 40), ((23, 8), (31,)), "north"), ((9, 4), ((12,),), "control"), ((40, 2, 2, 7), ((6, 6),), "south")]


@pytest.fixture
def policy(make_policy: Callable[..., GroupPolicy]) -> GroupPolicy:
    return make_policy(GROUPS, double=True, adapters="shared")


def loss(policy: GroupPolicy, rows: list[Any], weights: Tensor) -> Tensor:
    batch = build_tree_batch(
        [
            TreeRow(policy.adapter_index(name), (Segment(p, ROOT), *(Segment(a, 0, action=True) for a in answers)))
            for p, answers, name in rows
        ]
    )
    return (policy.score(batch) * weights).sum()


def test_gradients_are_those_of_weights_that_are_added_to_the_layers(policy: GroupPolicy) -> None:
    """W + (alpha / rank) B A in each layer, as torch differentiates it; the control's row through W alone."""
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    loss(policy, ROWS, weights).backward()
    trained = {name: one for name, one in policy.named_parameters() if one.requires_grad}
    found = {name: one.grad.clone() for name, one in trained.items() if one.grad is not None}
    assert found
    assert found.keys() == trained.keys()
    policy.zero_grad()
    # One row after the other, each layer by what is added to its matrix.
    places = {0: weights[:2], 1: weights[2:3], 2: weights[3:]}
    total = torch.zeros((), dtype=torch.float64)
    for place, row in enumerate(ROWS):
        with pytest.MonkeyPatch.context() as patch:
            if row[2] == "control":
                patch.setattr(GroupLoraLinear, "forward", lambda layer, x: layer.base_layer(x))
            else:
                patch.setattr(GroupLoraLinear, "forward", added)
            total = total + loss(policy, [row], places[place])
    total.backward()
    for name, one in trained.items():
        assert one.grad is not None
        torch.testing.assert_close(found[name], one.grad, msg=lambda text, name=name: f"{name}: {text}")


def added(layer: GroupLoraLinear, x: Tensor) -> Tensor:
    base: Any = layer.base_layer
    down, up = weight_of(layer.lora_A, "shared"), weight_of(layer.lora_B, "shared")
    return nn.functional.linear(x, base.weight + layer.scaling["shared"] * up @ down)
