"""An adapter that answers beside the groups'."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from trialign.models import BaseModelFiles, ModelConfig, load_model
from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeRow, build_tree_batch

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("adapters", ["shared", "per_group"])
def test_who_stands_apart_has_an_adapter_that_no_group_has(
    base_files: BaseModelFiles, tiny_config: ModelConfig, adapters: Any
) -> None:
    config = AdapterConfig(adapters, rank=2, alpha=4)
    policy = GroupPolicy(load_model(base_files, tiny_config), ("north", "south"), config, apart=("facts",))
    assert policy.groups == ("north", "south", "facts")
    for name, parameter in policy.named_parameters():
        if "lora_B" in name and ".facts." in name:
            torch.nn.init.normal_(parameter, std=0.5)

    def score(name: str) -> float:
        row = TreeRow(policy.adapter_index(name), (Segment((5, 6, 7), ROOT), Segment((8, 9), 0, action=True)))
        return float(policy.score(build_tree_batch([row])))

    assert score("north") == pytest.approx(score("south"), abs=1e-6) == pytest.approx(score("control"), abs=1e-6)
    assert abs(score("facts") - score("control")) > 1e-2
