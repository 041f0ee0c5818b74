"""Weights in few bits: all groups at once as transformers and PEFT compute them alone, in training and in audits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers
from peft import PeftModel
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from tests.policy import by_peft
from tests.policy.by_peft import alone, gradients, greedy
from tests.policy.sizes import SIZES
from trialign.errors import UserError
from trialign.models import BaseModelFiles, ModelConfig, load_model
from trialign.models.families import attention_of, read_config
from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.door import check_exact
from trialign.policy.group_policy import Sampling

pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed (extra 'quantized')")
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
    torch.manual_seed(0)
    config = getattr(transformers, request.param)(**{**SIZES, **FAMILIES[request.param]})
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
