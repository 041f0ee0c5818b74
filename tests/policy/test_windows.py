"""Windows over the positions along a tree's branches, by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from trialign.models.families import Windows
from trialign.policy import ROOT, Segment, TreeRow, build_tree_batch
from trialign.policy.tree import TreeBatch
from trialign.policy.windows import added_as, layer_masks

pytestmark = pytest.mark.unit

# 5 6 7, then 8 9 or 10 11: columns 0 to 6, and one of padding beside a longer row.
FORKED = (Segment((5, 6, 7), ROOT), Segment((8, 9), 0, action=True), Segment((10, 11), 0, action=True))


def batch() -> TreeBatch:
    return build_tree_batch([TreeRow(0, FORKED), TreeRow(0, (Segment((1,) * 7, ROOT), Segment((2,), 0, action=True)))])


def seen(mask: Any, column: int) -> list[int]:
    return list(mask[0, 0, column].nonzero().flatten().tolist())


def test_a_token_sees_the_last_of_its_own_branch() -> None:
    made = batch()
    near = layer_masks(made.attention_mask, made.position_ids, Windows(3, by_layer=False))
    assert isinstance(near, torch.Tensor)
    assert [seen(near, column) for column in range(8)] == [
        [0],
        [0, 1],
        [0, 1, 2],
        [1, 2, 3],
        [2, 3, 4],
        [1, 2, 5],  # not its neighbours in the row, which are of the other branch
        [2, 5, 6],
        [7],  # padding
    ]


def test_layers_that_see_all_keep_the_whole_mask_and_short_rows_have_one_for_both() -> None:
    made = batch()
    masks = layer_masks(made.attention_mask, made.position_ids, Windows(3, by_layer=True))
    assert isinstance(masks, dict)
    assert sorted(masks) == ["full_attention", "sliding_attention"]
    assert masks["full_attention"] is made.attention_mask
    assert seen(masks["sliding_attention"], 6) == [2, 5, 6]
    wide = layer_masks(made.attention_mask, made.position_ids, Windows(8, by_layer=True))
    assert isinstance(wide, dict)
    assert wide["sliding_attention"] is wide["full_attention"]
    assert layer_masks(made.attention_mask, made.position_ids, None) is made.attention_mask


def test_attention_by_single_steps_has_its_masks_added() -> None:
    made = batch()
    masks = layer_masks(made.attention_mask, made.position_ids, Windows(3, by_layer=True), torch.float32)
    assert isinstance(masks, dict)
    for name, kept in (("full_attention", [0, 1, 2, 5, 6]), ("sliding_attention", [2, 5, 6])):
        row = masks[name][0, 0, 6]
        assert row[kept].abs().max() == 0
        row[kept] = float("-inf")
        assert row.max() == torch.finfo(torch.float32).min
    model: Any = nn.Module()
    model.dtype = torch.bfloat16
    for kind, dtype in (("eager", torch.bfloat16), ("sdpa", None)):
        model.config = type("Config", (), {"_attn_implementation": kind})()
        assert added_as(model) == dtype
