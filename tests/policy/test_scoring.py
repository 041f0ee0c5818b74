"""Scores that are no numbers are refused where they arise."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from trialign.errors import UserError
from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow
from trialign.policy.scoring import score_rows

pytestmark = pytest.mark.unit


def rows(policy: GroupPolicy) -> list[TreeRow]:
    return [
        TreeRow(policy.adapter_index(group), (Segment((5, 6, 7), ROOT), Segment((8, 2), 0, action=True)))
        for group in ("north", "south", "control")
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_spoiled_adapter_is_named(make_policy: Callable[..., GroupPolicy], value: float) -> None:
    policy = make_policy()
    assert all(all(value < 0 for value in scores) for scores in score_rows(policy, rows(policy)))
    with torch.no_grad():
        next(p for name, p in policy.named_parameters() if "lora_B.south" in name)[0, 0] = value
    with pytest.raises(UserError, match="score for adapter 'south' is not a number"):
        score_rows(policy, rows(policy))
    assert len(score_rows(policy, [rows(policy)[0], rows(policy)[2]])) == 2


def test_a_spoiled_base_is_named(make_policy: Callable[..., GroupPolicy]) -> None:
    policy = make_policy()
    with torch.no_grad():
        policy.base.get_decoder().norm.weight[0] = float("nan")
    with pytest.raises(UserError, match="score for the base model is not a number"):
        score_rows(policy, rows(policy)[2:])
