"""Training that begins with adapters from elsewhere: the agents are those of the folders, and all of them can learn."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from peft import LoraConfig

from trialign.errors import UserError
from trialign.models import BaseModelFiles, ChatRenderer, ModelConfig, load_model
from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.peft_folders import policy_of_folders, read_peft_folders, start_from
from trialign.policy.scoring import score_rows

pytestmark = pytest.mark.integration

GROUPS = ("north", "south")
CONFIGS: dict[str, dict[str, Any]] = {
    "north": {"r": 2, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"]},
    "south": {"r": 5, "lora_alpha": 3, "target_modules": ["down_proj", "q_proj"], "use_rslora": True},
}


def lora(group: str) -> LoraConfig:
    return LoraConfig(task_type="CAUSAL_LM", **CONFIGS[group])


def rows(policy: GroupPolicy, renderer: ChatRenderer) -> list[TreeRow]:
    prompt = renderer.render([("user", "Which planet is largest?")])
    options = [Segment(renderer.reply(text), 0, action=True) for text in ("Jupiter", "Mars")]
    return [TreeRow(policy.adapter_index(group), (Segment(prompt, ROOT), *options)) for group in (*GROUPS, "control")]


@pytest.mark.parametrize("alpha", [6, 24])
def test_the_agents_are_those_of_their_folders_and_every_factor_learns(
    save: Callable[..., Path], base_files: BaseModelFiles, tiny_config: ModelConfig, renderer: ChatRenderer, alpha: int
) -> None:
    stated = {group: str(save(group, lora(group))) for group in GROUPS}
    read = read_peft_folders(stated, GROUPS, "house/tiny-llama")
    as_they_are = policy_of_folders(load_model(base_files, tiny_config), GROUPS, read).eval()
    policy = GroupPolicy(load_model(base_files, tiny_config), GROUPS, AdapterConfig(rank=6, alpha=alpha)).eval()
    untrained = score_rows(policy, rows(policy, renderer))
    start_from(policy, read)
    begun = {group: policy.adapter_state(group) for group in GROUPS}
    start_from(policy, read)
    assert all(bool((begun[g][key] == policy.adapter_state(g)[key]).all()) for g in GROUPS for key in begun[g])
    wanted = score_rows(as_they_are, rows(as_they_are, renderer))
    for group, found, own, before in zip(
        (*GROUPS, "control"), score_rows(policy, rows(policy, renderer)), wanted, untrained, strict=True
    ):
        assert found == pytest.approx(own, abs=1e-4), group
        assert (found == pytest.approx(before, abs=1e-4)) == (group == "control")

    policy.score(build_tree_batch(rows(policy, renderer))).sum().backward()
    ups = {name: p for name, p in policy.named_parameters() if "lora_B" in name and p.grad is not None}
    assert len(ups) == 2 * 2 * 7
    for name, parameter in ups.items():
        assert parameter.grad is not None
        assert (parameter.grad.abs().sum(dim=0) > 0).all(), f"{name}: a column of B can never learn"


def test_one_folder_begins_the_one_adapter_of_all(
    save: Callable[..., Path], base_files: BaseModelFiles, tiny_config: ModelConfig, renderer: ChatRenderer
) -> None:
    read = read_peft_folders(str(save("north", lora("north"))), GROUPS, "house/tiny-llama", "policy.start")
    policy = GroupPolicy(load_model(base_files, tiny_config), GROUPS, AdapterConfig("shared", rank=4)).eval()
    start_from(policy, read)
    north, south, control = score_rows(policy, rows(policy, renderer))
    assert north == pytest.approx(south, abs=1e-4)  # rows of a batch round differently
    assert north != pytest.approx(control, abs=1e-3)


@pytest.mark.parametrize(
    ("config", "fault", "remedy"),
    [
        (AdapterConfig(rank=4), r"south has rank 5, and policy\.rank is 4", r"policy\.rank=5"),
        (
            AdapterConfig(rank=8, target_modules=("q_proj", "v_proj")),
            r"south changes model\.layers\.0\.mlp\.down_proj, which the agents' adapters do not",
            r"policy\.target_modules",
        ),
        (AdapterConfig(rank=8, train_layers="upper"), r"changes model\.layers\.0\.", r"policy\.train_layers=all"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_value_that_does(
    save: Callable[..., Path],
    base_files: BaseModelFiles,
    tiny_config: ModelConfig,
    config: AdapterConfig,
    fault: str,
    remedy: str,
) -> None:
    read = read_peft_folders(str(save("south", lora("south"))), GROUPS, "house/tiny-llama", "policy.start")
    policy = GroupPolicy(load_model(base_files, tiny_config), GROUPS, config)
    with pytest.raises(UserError, match=fault) as refusal:
        start_from(policy, read)
    assert re.search(remedy, refusal.value.remedy)
