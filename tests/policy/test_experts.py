"""Mixtures of experts: every group through its own adapters, the experts and the router as the base has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    DeepseekV3Config,
    MixtralConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2MoeConfig,
    Qwen3MoeConfig,
)

from trialign.checkpoints import write_agents
from trialign.errors import UserError
from trialign.models import BaseModelFiles, ModelConfig, load_model
from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.adapters import refuse_unrouted
from trialign.policy.group_policy import Sampling
from trialign.policy.peft_folders import read_peft_folder

pytestmark = pytest.mark.unit

NAMES = ("men", "women")
SIZES: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "num_experts_per_tok": 2,
    "initializer_range": 0.3,
}
CONFIGS: dict[str, Callable[[], PreTrainedConfig]] = {
    "mixtral": lambda: MixtralConfig(num_local_experts=4, **SIZES),
    "qwen3_moe": lambda: Qwen3MoeConfig(num_experts=4, moe_intermediate_size=24, **SIZES),
    "qwen2_moe": lambda: Qwen2MoeConfig(
        num_experts=4, moe_intermediate_size=24, shared_expert_intermediate_size=40, **SIZES
    ),
    # A first layer without experts, shared experts, and keys and values that are kept as latents.
    "deepseek_v3": lambda: DeepseekV3Config(
        n_routed_experts=4,
        moe_intermediate_size=24,
        n_group=1,
        topk_group=1,
        first_k_dense_replace=1,
        q_lora_rank=16,
        kv_lora_rank=16,
        qk_rope_head_dim=8,
        qk_nope_head_dim=8,
        v_head_dim=8,
        **{**SIZES, "num_key_value_heads": 4},
    ),
}
ORDER = ("women", "control", "men")
PROMPTS = ((5, 9, 41, 7), (30, 12, 12, 50, 33, 6), (44, 45))
ANSWERS = ((17, 20, 2), (3, 2), (51, 52, 53, 2))


def base_of(family: str) -> PreTrainedModel:
    torch.manual_seed(3)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(CONFIGS[family]())
    return model.eval().requires_grad_(False)


def policy_of(family: str, **config: Any) -> GroupPolicy:
    policy = GroupPolicy(base_of(family), NAMES, AdapterConfig(rank=3, alpha=6, **config))
    torch.manual_seed(4)
    for name, parameter in policy.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.3)
    return policy


def plain_score(model: nn.Module, prompt: tuple[int, ...], answer: tuple[int, ...]) -> Tensor:
    logits = model(torch.tensor([prompt + answer])).logits[0]
    tokens = logits.log_softmax(dim=1)[len(prompt) - 1 : -1]
    return tokens.gather(1, torch.tensor(answer).unsqueeze(1)).sum()


def exported(policy: GroupPolicy, family: str, folder: Path) -> None:
    write_agents(folder, policy, 1, BaseModelFiles(folder, "0" * 64, f"house/{family}", None), {})


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("mode", ["per_group", "shared"])
@pytest.mark.parametrize("family", CONFIGS)
def test_what_is_exported_answers_under_peft_as_here(family: str, mode: str, tmp_path: Path) -> None:
    policy = policy_of(family, adapters=mode)
    rows = [
        TreeRow(policy.adapter_index(name), (Segment(prompt, ROOT), Segment(answer, 0, action=True)))
        for name, prompt, answer in zip(ORDER, PROMPTS, ANSWERS, strict=True)
    ]
    scores = policy.score(build_tree_batch(rows))
    weights = torch.tensor([1.0, 5.0, -2.0])
    (scores * weights).sum().backward()
    replies = policy.generate(PROMPTS, ORDER, 2, Sampling(max_new_tokens=5))
    exported(policy, family, tmp_path / "agents")
    gradients = {name: p.grad for name, p in policy.named_parameters() if p.requires_grad}
    for place, (name, prompt, answer) in enumerate(zip(ORDER, PROMPTS, ANSWERS, strict=True)):
        model: Any = base_of(family)
        if name != "control":
            # Adapters are kept in float32; here they are those of the policy to the last bit.
            model = PeftModel.from_pretrained(model, str(tmp_path / "agents" / name), is_trainable=True)
        value = plain_score(model, prompt, answer)
        assert scores[place].item() == pytest.approx(value.item(), abs=1e-5), name
        output = model.generate(
            input_ids=torch.tensor([prompt]), max_new_tokens=5, do_sample=False, eos_token_id=2, pad_token_id=2
        )
        assert list(replies[place]) == output[0, len(prompt) :].tolist(), name
        if name == "control" or mode == "shared":
            continue
        (value * weights[place]).backward()
        compared = 0
        for key, parameter in model.named_parameters():
            if parameter.requires_grad:
                found = gradients["model." + key.replace(".default.", f".{name}.")]
                torch.testing.assert_close(found, parameter.grad, atol=1e-4, rtol=1e-4)
                compared += bool(parameter.grad.abs().max() > 1e-4)
        assert compared >= 8


@pytest.mark.parametrize("family", CONFIGS)
def test_experts_and_router_stay_as_the_base_has_them(family: str) -> None:
    policy = policy_of(family)
    trained = [name for name, p in policy.named_parameters() if p.requires_grad]
    assert trained
    assert not [name for name in trained if {"experts", "gate", "router"} & set(name.split("."))]
    # Two layers of four maps in the attention, or of five with latents.
    maps = 2 * (5 if family == "deepseek_v3" else 4)
    assert len(trained) == maps * 2 * len(NAMES)


def test_the_upper_layers_alone_can_learn() -> None:
    policy = policy_of("mixtral", train_layers="upper")
    trained = [name for name, p in policy.named_parameters() if p.requires_grad]
    assert len(trained) == 4 * 2 * len(NAMES)
    assert all(".layers.1.self_attn." in name for name in trained)


def test_latents_in_the_cache_would_be_read_through_adapters_that_were_off() -> None:
    invocation = (9, 4)
    with pytest.raises(UserError, match=r"latent attention.*policy\.activation=profile") as refusal:
        GroupPolicy(base_of("deepseek_v3"), NAMES, AdapterConfig(activation="profile"), invocation)
    assert "policy.activation=always" in refusal.value.remedy
    GroupPolicy(base_of("mixtral"), NAMES, AdapterConfig(activation="profile"), invocation)


def test_a_mixture_of_experts_computes_in_float64(tmp_path: Path) -> None:
    base_of("mixtral").save_pretrained(tmp_path)
    config = ModelConfig("folder", "house/mixtral", path=str(tmp_path), dtype="float64")
    model = load_model(BaseModelFiles(tmp_path, "0" * 64, "house/mixtral", None), config)
    policy = GroupPolicy(model, NAMES, AdapterConfig(rank=3))
    row = TreeRow(0, (Segment(PROMPTS[0], ROOT), Segment(ANSWERS[0], 0, action=True)))
    with torch.no_grad():
        score = policy.score(build_tree_batch([row]))
        expected = plain_score(base_of("mixtral"), PROMPTS[0], ANSWERS[0])
    assert score.dtype == torch.float64
    assert score.item() == pytest.approx(expected.item(), abs=1e-4)


@pytest.mark.parametrize(
    ("family", "targets"),
    [
        ("mixtral", ("q_proj", "w1", "w2", "w3")),
        ("mixtral", ("q_proj", "gate")),
        ("qwen3_moe", ("q_proj", "gate_proj", "up_proj", "down_proj")),
        ("deepseek_v3", ("q_a_proj", "gate_proj", "up_proj", "down_proj")),
    ],
)
def test_adapters_in_experts_or_router_are_refused_by_name(family: str, targets: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=r"The trained parameter .*mlp\.(experts|gate)\..* belongs to no layer"):
        policy_of(family, target_modules=targets)


def test_a_layer_inside_an_expert_sees_no_rows() -> None:
    policy = policy_of("mixtral")
    attention = policy.base.model.layers[0].self_attn
    policy.base.model.layers[0].mlp.experts.add_module("w1", attention.q_proj)
    attention.q_proj = nn.Identity()
    with pytest.raises(UserError, match=r"The trained parameter .*mlp\.experts\.w1\.lora_A.* belongs to no layer"):
        refuse_unrouted(policy.model)


def test_a_trained_parameter_that_no_group_chooses_is_refused_by_name() -> None:
    policy = policy_of("mixtral")
    refuse_unrouted(policy.model)
    policy.base.get_input_embeddings().weight.requires_grad_(True)
    with pytest.raises(UserError, match=r"The trained parameter .*embed_tokens\.weight belongs to no layer"):
        refuse_unrouted(policy.model)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_folder_with_adapters_in_experts_is_refused_by_name(tmp_path: Path) -> None:
    model = get_peft_model(base_of("mixtral"), LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.save_pretrained(str(tmp_path / "experts"))
    with pytest.raises(UserError, match="sets target_parameters"):
        read_peft_folder(tmp_path / "experts")
