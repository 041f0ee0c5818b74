from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from torch import Tensor
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
)

from trialign.errors import UserError
from trialign.models import BaseModelFiles, ModelConfig, load_model
from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.adapters import refuse_unfit_base

pytestmark = pytest.mark.unit

MakePolicy = Callable[..., GroupPolicy]
Tokens = tuple[int, ...]
# "men" is part of "women": a name that is compared as a substring would mix the two up.
NAMES = ("men", "women", "others")
PROMPTS = ((5, 90, 41, 7), (301, 12, 12, 80, 33, 6), (44, 45), (9, 8, 7, 6, 5))
ANSWERS = ((17, 200, 2), (3, 2), (70, 71, 72, 2), (150, 2))
SIZES = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8}


def rows_of(policy: GroupPolicy, order: Sequence[str]) -> list[TreeRow]:
    """One prompt and one answer for each name in the order."""
    return [
        TreeRow(policy.adapter_index(name), (Segment(prompt, ROOT), Segment(answer, 0, action=True)))
        for name, prompt, answer in zip(order, PROMPTS, ANSWERS, strict=True)
    ]


def plain_model(policy: GroupPolicy, files: BaseModelFiles, config: ModelConfig) -> PeftModel:
    """The same agents in PEFT as it is: a fresh base and PEFT's own forward pass."""
    names = policy.adapters
    lora = LoraConfig(
        r=policy.config.rank,
        lora_alpha=policy.config.alpha,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(load_model(files, config).double(), lora, adapter_name=names[0])
    for name in names[1:]:
        model.add_adapter(name, lora)
    for name in names:
        set_peft_model_state_dict(model, policy.adapter_state(name), adapter_name=name)
    assert isinstance(model, PeftModel)
    return model


def plain_score(model: PeftModel, name: str | None, prompt: tuple[int, ...], answer: tuple[int, ...]) -> Tensor:
    """Log-probability of an answer by one forward pass of one row through one adapter."""
    if name is not None:
        model.set_adapter(name)
    with model.disable_adapter() if name is None else nullcontext():
        logits = model(torch.tensor([prompt + answer])).logits[0]
    tokens = logits.log_softmax(dim=1)[len(prompt) - 1 : -1]
    return tokens.gather(1, torch.tensor(answer).unsqueeze(1)).sum()


def lora_gradients(module: torch.nn.Module) -> dict[str, Tensor]:
    """Gradients of all lora weights by their name from the base model on; zeros where there is none."""
    return {
        name.split("base_model.", 1)[1]: torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in module.named_parameters()
        if "lora_" in name
    }


@pytest.mark.parametrize("mode", ["per_group", "shared"])
def test_all_groups_in_one_forward_equal_peft_one_by_one(
    make_policy: MakePolicy, base_files: BaseModelFiles, tiny_config: ModelConfig, mode: str
) -> None:
    policy = make_policy(NAMES, double=True, adapters=mode)
    order = ("women", "control", "men", "others")
    scores = policy.score(build_tree_batch(rows_of(policy, order)))
    # Different weights for the answers: a gradient that went to another group's adapter would show.
    weights = torch.tensor([1.0, 5.0, -2.0, 0.5])
    (scores * weights).sum().backward()

    plain = plain_model(policy, base_files, tiny_config)
    values = []
    for name, prompt, answer, weight in zip(order, PROMPTS, ANSWERS, weights, strict=True):
        value = plain_score(plain, policy.adapter_of(name), prompt, answer)
        if policy.adapter_of(name):
            (value * weight).backward()
        values.append(value.detach())
    torch.testing.assert_close(scores.detach().double(), torch.stack(values), atol=1e-5, rtol=1e-5)

    batched, sequential = lora_gradients(policy), lora_gradients(plain)
    # 2 layers x 7 linear maps x (A, B) for each adapter.
    assert len(batched) == 28 * len(policy.adapters)
    assert batched.keys() == sequential.keys()
    for name, gradient in batched.items():
        torch.testing.assert_close(gradient, sequential[name], atol=1e-5, rtol=1e-5, msg=name)
        assert gradient.abs().max() > 1e-3, f"{name} gets no gradient: nothing was compared"


def test_the_groups_agents_differ_from_each_other_and_from_the_base(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    rows = [
        TreeRow(policy.adapter_index(name), (Segment(PROMPTS[0], ROOT), Segment(ANSWERS[0], 0, action=True)))
        for name in (*NAMES, "control")
    ]
    scores = policy.score(build_tree_batch(rows)).tolist()
    distances = [abs(a - b) for i, a in enumerate(scores) for b in scores[:i]]
    assert min(distances) > 0.01


def test_reference_rows_go_through_the_base_weights(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    batch = build_tree_batch(rows_of(policy, ("women", "control", "men", "others")))
    base = build_tree_batch(rows_of(policy, ("control", "control", "control", "control")))
    torch.testing.assert_close(policy.score(batch, reference=True), policy.score(base))
    assert not torch.allclose(policy.score(batch), policy.score(base), atol=0.01)


def test_all_adapters_begin_equal_and_change_nothing(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES, untrained=True)
    first = policy.adapter_state(NAMES[0])
    for name in NAMES[1:]:
        state = policy.adapter_state(name)
        assert state.keys() == first.keys()
        assert all(torch.equal(state[key], first[key]) for key in first)
    assert all((value == 0).all() for key, value in first.items() if "lora_B" in key)
    assert all((value != 0).any() for key, value in first.items() if "lora_A" in key)
    batch = build_tree_batch(rows_of(policy, ("women", "control", "men", "others")))
    torch.testing.assert_close(policy.score(batch), policy.score(batch, reference=True))


@pytest.mark.parametrize("mode", ["per_group", "shared"])
def test_only_the_adapters_are_trained_all_of_them(make_policy: MakePolicy, mode: str) -> None:
    policy = make_policy(NAMES, adapters=mode)
    for name, parameter in policy.named_parameters():
        assert parameter.requires_grad == ("lora_A" in name or "lora_B" in name), name


def test_groups_without_an_adapter_have_the_index_of_the_base_weights(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES)
    assert [policy.adapter_index(name) for name in (*NAMES, "control")] == [0, 1, 2, 3]
    assert policy.adapter_of("control") is None
    shared = make_policy(NAMES, adapters="shared")
    assert [shared.adapter_index(name) for name in (*NAMES, "control")] == [0, 0, 0, 1]


def test_unfit_bases_are_refused_before_they_are_changed() -> None:
    model = LlamaForCausalLM(LlamaConfig(**SIZES, **HEADS))
    refuse_unfit_base(model)
    model.config.is_encoder_decoder = True
    with pytest.raises(UserError, match="an encoder beside its decoder") as refusal:
        GroupPolicy(model, NAMES, AdapterConfig(rank=2))
    assert "Llama" in refusal.value.remedy
    assert not any("lora" in name for name, _ in model.named_modules())


# "0" and "model" stand in the names of layers, and PEFT tells adapters apart by such parts.
@pytest.mark.parametrize("name", ["keys", "type", "0", "model", "mlp", "weight"])
def test_reserved_group_names_are_refused(make_policy: MakePolicy, name: str) -> None:
    with pytest.raises(UserError, match=f"'{name}' cannot name a group"):
        make_policy(("men", name))


def test_target_modules_that_do_not_exist_are_refused(make_policy: MakePolicy) -> None:
    with pytest.raises(UserError, match="do not fit the base model"):
        make_policy(NAMES, target_modules=("no_such_layer",))


def test_adapters_of_the_upper_layers_learn_as_if_those_below_were_zero(make_policy: MakePolicy) -> None:
    whole, upper = make_policy(NAMES, double=True), make_policy(NAMES, double=True, train_layers="upper")
    for name in NAMES:
        state = whole.adapter_state(name)
        upper.load_adapter_state(name, {key: value for key, value in state.items() if ".layers.1." in key})
    with torch.no_grad():
        for key, parameter in whole.named_parameters():
            if ".layers.0." in key and "lora_B" in key:
                parameter.zero_()
    gradients = []
    for policy in (whole, upper):
        scores = policy.score(build_tree_batch(rows_of(policy, (*NAMES, "control"))))
        (scores * torch.linspace(-1, 2, len(scores))).sum().backward()
        trained = {key: p.grad for key, p in policy.named_parameters() if p.requires_grad}
        gradients.append((scores.detach(), trained))
    torch.testing.assert_close(gradients[0][0], gradients[1][0])
    # 2 layers of 7 linear layers, A and B, 3 groups: half of them.
    assert len(gradients[0][1]) == 2 * len(gradients[1][1]) == 2 * 7 * 2 * 3
    for key, gradient in gradients[1][1].items():
        assert ".layers.1." in key
        torch.testing.assert_close(gradient, gradients[0][1][key], msg=key)


def test_a_lower_layer_is_not_adapted_where_only_upper_ones_are(make_policy: MakePolicy) -> None:
    with pytest.raises(UserError, match=r"policy\.target_modules names layers of the lower half"):
        make_policy(NAMES, train_layers="upper", target_modules=("model.layers.0.self_attn.q_proj",))


def test_plain_peft_reads_adapters_of_the_upper_layers(
    make_policy: MakePolicy, base_files: BaseModelFiles, tiny_config: ModelConfig
) -> None:
    policy = make_policy(("men",), train_layers="upper")
    config = policy.model.peft_config["men"]
    model = get_peft_model(load_model(base_files, tiny_config), config)
    result = set_peft_model_state_dict(model, policy.adapter_state("men"))
    assert not result.unexpected_keys
    with torch.no_grad():
        expected = policy.score(build_tree_batch(rows_of(policy, ("men",) * 4))).tolist()
        scores = [plain_score(model, "default", *one).item() for one in zip(PROMPTS, ANSWERS, strict=True)]
        base = plain_score(model, None, PROMPTS[0], ANSWERS[0]).item()
    assert scores == pytest.approx(expected, abs=1e-4)
    assert base != pytest.approx(expected[0], abs=1e-2)


def test_target_modules_choose_the_layers(make_policy: MakePolicy) -> None:
    policy = make_policy(NAMES, target_modules=("q_proj", "v_proj"))
    # 2 layers x 2 maps x (A, B).
    assert len(policy.adapter_state("men")) == 8


def test_lora_scale_is_alpha_over_rank(make_policy: MakePolicy) -> None:
    policy = make_policy(("men",), rank=2, alpha=6, target_modules=("q_proj",))
    layer = policy.base.model.layers[0].self_attn.q_proj
    x = torch.randn(1, 3, 32)
    policy.routing.rows = torch.tensor([0])
    down, up = layer.lora_A["men"].weight, layer.lora_B["men"].weight
    # W x + (6 / 2) B A x
    torch.testing.assert_close(layer(x), layer.base_layer(x) + 3 * x @ down.T @ up.T)
