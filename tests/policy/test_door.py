"""Every family is served exactly, by the tree or by plain rows, whatever its configuration says of itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM

from trialign.errors import UserError
from trialign.models import ModelConfig, load_model, locate_base_model
from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeRow
from trialign.policy.door import check_exact
from trialign.policy.scoring import score_rows

from .sizes import SIZES

pytestmark = pytest.mark.unit

HEADS = {"num_key_value_heads": 2}
EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 24}
# Configuration, what is set in it beside the sizes, whether the prefix tree serves it.
FAMILIES: list[tuple[str, dict[str, Any], bool]] = [
    ("LlamaConfig", HEADS, True),
    ("Qwen2Config", HEADS, True),
    ("Qwen3Config", {**HEADS, "head_dim": 8}, True),
    ("GemmaConfig", {**HEADS, "head_dim": 8}, True),
    ("Phi3Config", {**HEADS, "sliding_window": None}, True),
    ("PhiConfig", {"num_key_value_heads": 4}, True),
    ("Olmo2Config", HEADS, True),
    ("SmolLM3Config", HEADS, True),
    ("StableLmConfig", HEADS, True),
    ("Starcoder2Config", {**HEADS, "sliding_window": None}, True),
    ("GPTNeoXConfig", {}, True),
    ("GlmConfig", {**HEADS, "head_dim": 8}, True),
    ("MistralConfig", {**HEADS, "sliding_window": None}, True),
    ("MixtralConfig", {**HEADS, "num_local_experts": 4, "num_experts_per_tok": 2}, True),
    ("Qwen3MoeConfig", {**HEADS, **EXPERTS, "num_experts": 4, "head_dim": 8}, True),
    ("Qwen2MoeConfig", {**HEADS, **EXPERTS, "num_experts": 4, "shared_expert_intermediate_size": 24}, True),
    ("OlmoeConfig", {**HEADS, "num_experts": 4, "num_experts_per_tok": 2}, True),
    ("Gemma2Config", {**HEADS, "head_dim": 8}, True),
    ("Gemma3TextConfig", {**HEADS, "head_dim": 8}, True),
    ("GptOssConfig", {**HEADS, "head_dim": 8, "num_local_experts": 4, "num_experts_per_tok": 2}, True),
    ("FalconConfig", {"alibi": True}, False),
    ("BloomConfig", {"n_layer": 2, "n_head": 4}, False),
    ("MambaConfig", {"state_size": 8}, False),
    ("GPT2Config", {"n_embd": 32, "n_layer": 2, "n_head": 4}, False),
    ("OPTConfig", {"ffn_dim": 48, "word_embed_proj_dim": 32}, False),
    ("CohereConfig", HEADS, True),
    ("GraniteConfig", {**HEADS, "logits_scaling": 4.0}, True),
]
PROMPTS = (tuple(range(5, 17)), tuple(range(20, 27)))
ANSWERS = ((30, 31, 32), (40,), (41, 42))


@pytest.mark.parametrize(("kind", "values", "tree"), FAMILIES, ids=[kind for kind, *_ in FAMILIES])
def test_batched_scores_are_those_of_the_models_own_forward_pass(
    kind: str, values: dict[str, Any], tree: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    made = AutoModelForCausalLM.from_config(getattr(transformers, kind)(**{**SIZES, **values}))
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() > 1:
                parameter.mul_(5)
    made.save_pretrained(tmp_path)
    config = ModelConfig("folder", "house/odd", path=str(tmp_path))
    policy = GroupPolicy(
        load_model(locate_base_model(config), config), ("a", "b"), AdapterConfig(rank=2, alpha=4)
    ).eval()
    for name, parameter in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    check_exact(policy)
    assert bool(policy.plain) is not tree
    rows = [
        TreeRow(group, (Segment(prompt, ROOT), *(Segment(answer, 0, action=True) for answer in ANSWERS)))
        for group, prompt in enumerate(PROMPTS)
    ]
    with torch.inference_mode():
        scored = score_rows(policy, rows)
        wanted = [[plainly(policy, row.adapter, row.segments[0].tokens, answer) for answer in ANSWERS] for row in rows]
    torch.testing.assert_close(torch.tensor(scored), torch.tensor(wanted), rtol=1e-5, atol=1e-5)


def plainly(policy: GroupPolicy, adapter: int, prompt: tuple[int, ...], answer: tuple[int, ...]) -> float:
    """The sum of an answer's log-probabilities by the model's own forward pass on one row."""
    ids = torch.tensor([[*prompt, *answer]])
    policy.routing.rows = torch.tensor([adapter])
    likely = policy.base(input_ids=ids).logits[0].log_softmax(dim=-1)
    return sum(float(likely[len(prompt) + place - 1, token]) for place, token in enumerate(answer))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_model_whose_tree_is_not_exact_is_served_in_plain_rows(
    dtype: torch.dtype, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES, **HEADS, initializer_range=0.4))
    policy = GroupPolicy(model.to(dtype).eval(), ("a", "b"), AdapterConfig(rank=2, alpha=4)).eval()
    check_exact(policy)
    decoder = policy.base.get_decoder()
    plain = decoder.forward
    decoder.forward = lambda *inputs, **values: plain(*inputs, **{**values, "position_ids": None})  # type: ignore[method-assign]
    with caplog.at_level("INFO", logger="trialign"):
        check_exact(policy)
    assert re.search(
        r"Branches go by plain rows, .* the model has a prefix tree that differs by [\d.]+ nats", caplog.text
    )
    assert policy.plain


def test_a_model_that_heeds_the_other_rows_of_its_batch_is_refused() -> None:
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES, **HEADS, initializer_range=0.4))
    policy = GroupPolicy(model.eval(), ("a", "b"), AdapterConfig(rank=2, alpha=4)).eval()
    decoder = policy.base.get_decoder()
    plain = decoder.forward

    def heeding(*inputs: Any, **values: Any) -> Any:
        found = plain(*inputs, **values)
        found.last_hidden_state = found.last_hidden_state * len(found.last_hidden_state)
        return found

    decoder.forward = heeding  # type: ignore[method-assign]
    with pytest.raises(UserError, match=r"cannot be asked in batches .* differs by [\d.]+ nats from rows of their own"):
        check_exact(policy)


def test_a_model_that_fails_in_batches_is_refused_in_a_sentence() -> None:
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES, **HEADS))
    policy = GroupPolicy(model.eval(), ("a", "b"), AdapterConfig(rank=2, alpha=4)).eval()

    def fails(*inputs: Any, **values: Any) -> Any:
        raise RuntimeError("batch1 must be\na 3D tensor")

    policy.base.get_decoder().forward = fails  # type: ignore[method-assign]
    with pytest.raises(
        UserError, match=r"cannot be asked in batches of groups: .* fails \(batch1 must be a 3D tensor\)"
    ):
        check_exact(policy)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), torch.OutOfMemoryError),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."), RuntimeError),
        (RuntimeError("unsupported memory format option"), UserError),
        (AssertionError("one row only"), UserError),
        (ZeroDivisionError("division by zero"), UserError),
    ],
)
def test_a_lack_of_memory_is_not_the_models_fault(error: Exception, raised: type[Exception]) -> None:
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES, **HEADS))
    policy = GroupPolicy(model.eval(), ("a", "b"), AdapterConfig(rank=2, alpha=4)).eval()

    def fails(*inputs: Any, **values: Any) -> Any:
        raise error

    policy.base.get_decoder().forward = fails  # type: ignore[method-assign]
    with pytest.raises((RuntimeError, UserError)) as found:
        check_exact(policy)
    assert type(found.value) is raised


def test_what_scoring_refuses_by_name_keeps_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES, **HEADS))
    policy = GroupPolicy(model.eval(), ("a", "b"), AdapterConfig(rank=2, alpha=4)).eval()

    def fails(*inputs: Any, **values: Any) -> Any:
        raise UserError("A score is not a number", "Check the weights")

    monkeypatch.setattr("trialign.policy.door.score_rows", fails)
    with pytest.raises(UserError, match=r"^A score is not a number"):
        check_exact(policy)
