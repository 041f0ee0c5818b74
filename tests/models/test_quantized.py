"""Weights in few bits: all groups at once as transformers and PEFT compute them alone, in training and in audits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from peft import PeftModel
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from tests.policy import by_peft
from tests.policy.by_peft import alone, gradients, greedy
from tests.policy.sizes import SIZES
from trialign.errors import UserError
from trialign.models import BaseModelFiles, ModelConfig, check_kind, load_model, weight_bytes
from trialign.models.families import attention_of, read_config
from trialign.models.quantized import distance, made_whole, quantized_layers
from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.door import check_exact
from trialign.policy.group_policy import Sampling

pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed (extra 'quantized')")
from bitsandbytes.nn import Linear4bit, Linear8bitLt

pytestmark = pytest.mark.unit

NAMES, ORDER = ("men", "women"), ("women", "control", "men")
PROMPTS = (tuple(range(5, 17)), tuple(range(20, 27)), (9, 8, 7))
ANSWERS = ((30, 31, 32), (40,), (41, 42), (43,))
# Whose rows are a tree, and whose are not.
FAMILIES = {"LlamaConfig": {"num_key_value_heads": 2}, "Phi3Config": {"num_key_value_heads": 2, "sliding_window": 4}}
# As a user of transformers would ask for each: 8 bits in training mode, where activations keep their format on a CPU.
ASKED = {
    "nf4": BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True),
    "int8": BitsAndBytesConfig(load_in_8bit=True),
}


@pytest.fixture(params=[*FAMILIES])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> BaseModelFiles:
    """A model whose weights are so large that every mask and position shows in its scores."""
    return stored(tmp_path, request.param, FAMILIES[request.param])


def stored(tmp_path: Path, family: str, sizes: Mapping[str, int]) -> BaseModelFiles:
    torch.manual_seed(0)
    config = getattr(transformers, family)(**{**SIZES, **sizes})
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    model.save_pretrained(tmp_path / "model")
    return BaseModelFiles(tmp_path / "model", "0" * 64, "house/tiny", None)


def config_of(quantization: str) -> ModelConfig:
    return replace(ModelConfig("folder", "house/tiny"), quantization=quantization)


def policy_of(files: BaseModelFiles, quantization: str, **config: object) -> GroupPolicy:
    model = load_model(files, config_of(quantization))
    policy = GroupPolicy(model, NAMES, AdapterConfig(rank=2, alpha=4, **config)).eval()
    torch.manual_seed(4)
    for name, parameter in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    return policy


def under_peft(policy: GroupPolicy, files: BaseModelFiles, quantization: str) -> PeftModel:
    """The same agents in transformers and PEFT as they are, over a base that they quantise themselves."""
    stated = read_config(files.folder, files.name)
    base = AutoModelForCausalLM.from_pretrained(
        files.folder,
        quantization_config=ASKED[quantization],
        device_map={"": "cpu"},
        dtype=torch.float32,
        attn_implementation=attention_of(stated),
    )
    return by_peft.under_peft(policy, base).train()


def rows_of(policy: GroupPolicy) -> list[TreeRow]:
    return [
        TreeRow(
            policy.adapter_index(name),
            (Segment(prompt, ROOT), *(Segment(answer, 0, action=True) for answer in ANSWERS)),
        )
        for name, prompt in zip(ORDER, PROMPTS, strict=True)
    ]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("quantization", [*ASKED])
def test_all_groups_at_once_are_as_transformers_and_peft_row_by_row(files: BaseModelFiles, quantization: str) -> None:
    policy = policy_of(files, quantization)
    check_exact(policy)
    with torch.no_grad():
        audited = policy.score(build_tree_batch(rows_of(policy)))
    policy.train()
    scores = policy.score(build_tree_batch(rows_of(policy)))
    weights = torch.linspace(-1, 2, len(scores))
    (scores * weights).sum().backward()
    # An audit without gradients computes what training does.
    torch.testing.assert_close(audited, scores.detach(), atol=1e-6, rtol=1e-6)

    plain = under_peft(policy, files, quantization)
    values, replies = [], []
    for name, prompt in zip(ORDER, PROMPTS, strict=True):
        if name in NAMES:
            plain.base_model.enable_adapter_layers()
            plain.set_adapter(name)
        else:
            plain.base_model.disable_adapter_layers()
        for answer in ANSWERS:
            value = alone(plain, prompt, answer)
            if name in NAMES:
                (value * weights[len(values)]).backward()
            values.append(value.detach())
        with torch.no_grad():
            replies.append(greedy(plain, prompt))
    torch.testing.assert_close(scores.detach(), torch.stack(values), atol=1e-5, rtol=1e-5)
    batched, sequential = gradients(policy), gradients(plain)
    assert batched.keys() == sequential.keys()
    for name, gradient in batched.items():
        torch.testing.assert_close(gradient, sequential[name], atol=1e-5, rtol=1e-5, msg=name)
    assert max(gradient.abs().max() for gradient in batched.values()) > 1e-2
    policy.eval()
    assert policy.generate(PROMPTS, ORDER, 2, Sampling(max_new_tokens=6)) == replies


@pytest.mark.parametrize("quantization", [*ASKED])
def test_the_weights_are_rounded_and_kept_small(files: BaseModelFiles, quantization: str) -> None:
    whole, rounded = policy_of(files, "none"), policy_of(files, quantization)
    with torch.no_grad():
        scores = [one.score(build_tree_batch(rows_of(one))) for one in (whole, rounded)]
    assert (scores[0] - scores[1]).abs().max() > 1e-3
    layer = rounded.base.get_submodule("model.layers.0.mlp.down_proj").get_base_layer()
    size = layer.in_features * layer.out_features
    assert layer.weight.nbytes == (size // 2 if quantization == "nf4" else size)


def test_a_checkpoint_in_the_format_of_bitsandbytes_is_read_as_it_is(files: BaseModelFiles, tmp_path: Path) -> None:
    rounded = load_model(files, config_of("nf4"))
    ids = torch.tensor([PROMPTS[0]])
    with torch.no_grad():
        expected = rounded(input_ids=ids, use_cache=False).logits
    rounded.save_pretrained(tmp_path / "few")
    again = load_model(replace(files, folder=tmp_path / "few"), config_of("none"))
    with torch.no_grad():
        torch.testing.assert_close(again(input_ids=ids, use_cache=False).logits, expected, atol=1e-5, rtol=1e-5)
    with pytest.raises(UserError, match=r"are quantised already \(bitsandbytes\), and model.quantization is nf4"):
        load_model(replace(files, folder=tmp_path / "few"), config_of("nf4"))


def bytes_there(model: PreTrainedModel) -> int:
    """Of all weights of a loaded model with their factors, as the tensors themselves say."""
    found = sum(parameter.nbytes for parameter in model.parameters())
    for layer in model.modules():
        if isinstance(layer, Linear4bit):
            state = layer.weight.quant_state
            found += state.absmax.nbytes + (state.state2.absmax.nbytes if state.nested else 0)
        elif isinstance(layer, Linear8bitLt):
            found += layer.state.SCB.nbytes
    return found


# GPT-2 holds its layers the other way round, and some are not square.
@pytest.mark.parametrize("family", [*FAMILIES, "GPT2Config"])
@pytest.mark.parametrize("quantization", ["none", *ASKED])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_bytes_are_counted_as_they_are(tmp_path: Path, family: str, quantization: str, dtype: Any) -> None:
    files = stored(tmp_path, family, FAMILIES.get(family, {}))
    config = replace(config_of(quantization), dtype=dtype)
    model = load_model(files, config)
    assert weight_bytes(check_kind(files, config), config) == bytes_there(model)
    if family == "GPT2Config" and quantization != "none":
        with pytest.raises(UserError, match=r"\(gpt2\) cannot be made whole"):
            made_whole(model, torch.float32)


@pytest.mark.parametrize("factors_too", [True, False])
def test_bytes_of_a_checkpoint_in_few_bits_are_counted_by_what_it_states(
    files: BaseModelFiles, tmp_path: Path, factors_too: bool
) -> None:
    asked = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=factors_too)
    model = AutoModelForCausalLM.from_pretrained(files.folder, quantization_config=asked, dtype=torch.float32)
    model.save_pretrained(tmp_path / "few")
    few, config = replace(files, folder=tmp_path / "few"), config_of("none")
    loaded = load_model(few, config)
    assert any(isinstance(layer, Linear4bit) for layer in loaded.modules())
    assert weight_bytes(check_kind(few, config), config) == bytes_there(loaded)


@pytest.mark.parametrize("quantization", [*ASKED])
def test_made_whole_a_model_computes_the_same_and_merges(files: BaseModelFiles, quantization: str) -> None:
    rounded, ids = load_model(files, config_of(quantization)), torch.tensor([PROMPTS[0]])
    with torch.no_grad():
        expected = rounded(input_ids=ids, use_cache=False).logits
        whole = made_whole(rounded, torch.float32)
        torch.testing.assert_close(whole(input_ids=ids, use_cache=False).logits, expected, atol=1e-4, rtol=1e-4)
    assert not any(isinstance(layer, Linear4bit | Linear8bitLt) for layer in whole.modules())
    assert {parameter.dtype for parameter in whole.parameters()} == {torch.float32}
    assert "quantization_config" not in whole.config.to_dict()
    assert made_whole(whole, torch.float32) is whole


def test_how_far_the_weights_are_from_those_in_few_bits(files: BaseModelFiles) -> None:
    whole = load_model(files, config_of("none"))
    found = {}
    for quantization in ASKED:
        rounded = load_model(files, config_of(quantization))
        pairs = []
        for name, layer in quantized_layers(whole):
            product: Any = rounded.get_submodule(name)
            pairs.append((product(torch.eye(layer.weight.shape[1])).T.flatten(), layer.weight.flatten()))
        made, exact = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        found[quantization] = distance(rounded, whole)
        assert found[quantization] == pytest.approx(float((made - exact).norm() / exact.norm()), rel=1e-4)
    assert 0 < found["int8"] < found["nf4"] / 4
