"""Decoders beside Llama: in trees with windows or in plain rows, and as transformers and PEFT compute them alone."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM, PreTrainedModel

from trialign.errors import UserError
from trialign.models.families import attention_of
from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeRow, build_tree_batch
from trialign.policy.door import check_exact
from trialign.policy.group_policy import Sampling
from trialign.policy.plain import unrolled, unrolled_tokens
from trialign.policy.scoring import score_rows
from trialign.policy.tree import pack_rows

from .by_peft import alone, gradients, greedy, under_peft
from .sizes import SIZES

pytestmark = pytest.mark.unit

HEADS = {"num_key_value_heads": 2, "head_dim": 8}
MIXED = {"num_local_experts": 4, "num_experts_per_tok": 2}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
WINDOW = {**HEADS, "sliding_window": 4}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4}
SOME = {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}
MAMBA = {
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_d_state": 8,
    "mamba_chunk_size": 8,
    "layer_types": ["mamba", "attention"],
}
GATED = {
    "shared_expert_intermediate_size": 24,
    "num_hidden_layers": 4,
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
LATENT = {
    "num_key_value_heads": 4,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "n_routed_experts": 4,
    "moe_intermediate_size": 24,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
}
ABSOLUTE, RECURRENT = "absolute position", "recurrent"
# Configuration, what is set in it beside the sizes, why it needs plain rows (empty: the tree is exact).
FAMILIES: list[tuple[str, dict[str, Any], str]] = [
    ("MistralConfig", WINDOW, ""),
    ("MixtralConfig", {**WINDOW, **MIXED}, ""),
    # Bounds within the logits' own range: without tanh the scores would be others.
    ("Gemma2Config", {**WINDOW, "final_logit_softcapping": 2.0, "attn_logit_softcapping": 2.0}, ""),
    ("Gemma3TextConfig", {**WINDOW, "num_hidden_layers": 6}, ""),
    ("Phi3Config", {"num_key_value_heads": 2, "sliding_window": 4}, ""),
    ("GptOssConfig", {**WINDOW, **MIXED, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}, ""),
    ("Qwen2Config", {**SOME, "num_key_value_heads": 2}, ""),
    ("Qwen3Config", {**SOME, **HEADS}, ""),
    ("Qwen2MoeConfig", {**SOME, **EXPERTS, "num_key_value_heads": 2, "shared_expert_intermediate_size": 24}, ""),
    ("Qwen3MoeConfig", {**WINDOW, **EXPERTS, "use_sliding_window": True}, ""),
    ("Starcoder2Config", {"num_key_value_heads": 2, "sliding_window": 4}, ""),
    ("PhimoeConfig", {**MIXED, "num_key_value_heads": 2, "sliding_window": 4}, ""),
    ("Cohere2Config", {**WINDOW, "num_hidden_layers": 4}, ""),
    ("Exaone4Config", {**WINDOW, "num_hidden_layers": 4, "sliding_window_pattern": 2}, ""),
    ("MinistralConfig", WINDOW, ""),
    ("Olmo3Config", {**WINDOW, "num_hidden_layers": 4}, ""),
    ("Qwen3NextConfig", {**HEADS, **EXPERTS, **GATED}, RECURRENT),
    ("GraniteMoeHybridConfig", {**MAMBA, **MIXED, "num_key_value_heads": 2, "logits_scaling": 2.0}, RECURRENT),
    ("GPT2Config", GPT2, ABSOLUTE),
    ("OPTConfig", {"ffn_dim": 48, "word_embed_proj_dim": 32}, ABSOLUTE),
    ("BloomConfig", {"n_layer": 2, "n_head": 4}, "ALiBi"),
    ("GPTNeoXConfig", {}, ""),
    ("Qwen3MoeConfig", {**HEADS, **EXPERTS}, ""),
    ("DeepseekV3Config", LATENT, ""),
    ("GraniteConfig", {"num_key_value_heads": 2, "logits_scaling": 4.0}, ""),
    ("CohereConfig", {"num_key_value_heads": 2, "logit_scale": 0.25}, ""),
]
# Plain rows whose answers can go on from copies of their prompt's states.
CONTINUED = ("Qwen3NextConfig", "GraniteMoeHybridConfig", "OPTConfig", "BloomConfig")
NAMES, ORDER = ("men", "women"), ("women", "control", "men")
PROMPTS = (tuple(range(5, 17)), tuple(range(20, 27)), (9, 8, 7))
ANSWERS = ((30, 31, 32), (40,), (41, 42), (43,))


def base_of(kind: str, values: dict[str, Any]) -> PreTrainedModel:
    """A model whose weights are so large that every mask and position shows in its scores."""
    torch.manual_seed(0)
    config = getattr(transformers, kind)(**{**SIZES, **values})
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config, attn_implementation=attention_of(config))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    return model.eval().requires_grad_(False)


def policy_of(kind: str, values: dict[str, Any], **config: Any) -> GroupPolicy:
    policy = GroupPolicy(base_of(kind, values), NAMES, AdapterConfig(rank=2, alpha=4, **config)).eval()
    torch.manual_seed(4)
    for name, parameter in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    return policy


def tree(adapter: int, prompt: tuple[int, ...]) -> TreeRow:
    return TreeRow(adapter, (Segment(prompt, ROOT), *(Segment(answer, 0, action=True) for answer in ANSWERS)))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("kind", "values", "reason"), FAMILIES, ids=[kind for kind, *_ in FAMILIES])
def test_every_decoder_is_as_transformers_and_peft_row_by_row(kind: str, values: dict[str, Any], reason: str) -> None:
    policy = policy_of(kind, values)
    check_exact(policy)
    assert reason in policy.plain
    assert bool(reason) == bool(policy.plain)
    rows = [tree(policy.adapter_index(name), prompt) for name, prompt in zip(ORDER, PROMPTS, strict=True)]
    # Rows of one adapter side by side, as batches for training hold them.
    packed = pack_rows([*rows, tree(0, PROMPTS[1][:4])])
    scores = policy.score(build_tree_batch([one.row for one in packed]))
    with torch.no_grad():  # of recurrent layers, from copies of the prompts' states
        torch.testing.assert_close(
            policy.score(build_tree_batch([one.row for one in packed])), scores.detach(), rtol=1e-5, atol=1e-5
        )
    assert policy.continues == (kind in CONTINUED)
    order = [member for one in packed for member in one.members]
    asked = [*zip(ORDER, PROMPTS, strict=True), ("men", PROMPTS[1][:4])]
    weights = torch.linspace(-1, 2, len(scores))
    (scores * weights).sum().backward()

    plain, values_alone = under_peft(policy, base_of(kind, values)).eval(), []
    for place, weight in enumerate(weights):
        name, prompt = asked[order[place // len(ANSWERS)]]
        if name != "control":
            plain.set_adapter(name)
        with plain.disable_adapter() if name == "control" else nullcontext():
            value = alone(plain, prompt, ANSWERS[place % len(ANSWERS)])
        if name != "control":
            (value * weight).backward()
        values_alone.append(value.detach())
    torch.testing.assert_close(scores.detach(), torch.stack(values_alone), rtol=1e-5, atol=1e-5)
    batched, sequential = gradients(policy), gradients(plain)
    assert batched.keys() == sequential.keys()
    largest = max(float(gradient.abs().max()) for gradient in sequential.values())
    for name, gradient in batched.items():
        torch.testing.assert_close(gradient, sequential[name], rtol=1e-5, atol=1e-5 * max(1, largest), msg=name)
        assert gradient.abs().max() > 0, f"{name} gets no gradient: nothing was compared"

    replies = policy.generate(PROMPTS, ORDER, 2, Sampling(max_new_tokens=6), samples=2)
    with torch.no_grad():
        for place, (name, prompt) in enumerate(zip(ORDER, PROMPTS, strict=True)):
            if name != "control":
                plain.set_adapter(name)
            with plain.disable_adapter() if name == "control" else nullcontext():
                assert replies[2 * place : 2 * place + 2] == [greedy(plain, prompt)] * 2, name


def test_paths_become_rows_that_share_what_they_can() -> None:
    dialogue = (
        Segment((5, 6), ROOT),
        Segment((7, 8), 0, action=True),  # a first turn; the second goes on from it
        Segment((9,), 1),
        Segment((10,), 2, action=True),
        Segment((11,), 2, action=True),
        Segment((12, 13), 2, action=True),
    )
    batch = build_tree_batch([TreeRow(1, dialogue), TreeRow(0, (Segment((3,), ROOT), Segment((4,), 0, action=True)))])
    plain = unrolled(batch)
    # 10 and 11 follow the path 5 6 7 8 9, which 12 goes on from; 13 is predicted there.
    assert plain.input_ids.tolist() == [[5, 6, 7, 8, 9, 12], [3, 0, 0, 0, 0, 0]]
    assert plain.attention_mask.tolist() == [[1] * 6, [1, 0, 0, 0, 0, 0]]
    assert plain.adapters.tolist() == [1, 0]
    assert batch.target.tolist() == [7, 8, 10, 11, 12, 13, 4]
    assert plain.source.tolist() == [1, 2, 4, 4, 4, 5, 6]


def test_branches_that_fork_have_rows_of_their_own() -> None:
    row = tree(0, (5, 6))
    plain = unrolled(build_tree_batch([row]))
    assert plain.input_ids.tolist() == [[5, 6, 30, 31], [5, 6, 41, 0]]
    assert plain.source.tolist() == [1, 2, 3, 1, 5, 6, 1]
    # Three ends by the tree alone: 30 31, 41, and the prompt for both answers of one token.
    assert unrolled_tokens(row) == 3 * 4


def test_the_reference_is_the_base_model_alone() -> None:
    policy = policy_of("GPT2Config", GPT2)
    rows = [tree(policy.adapter_index("women"), PROMPTS[0])]
    bare = [tree(policy.adapter_index("control"), PROMPTS[0])]
    (reference,), (own,), (base,) = (
        score_rows(policy, rows, reference=True),
        score_rows(policy, rows),
        score_rows(policy, bare),
    )
    assert reference == pytest.approx(base)
    assert own != pytest.approx(base, abs=0.01)


def test_batches_stay_within_their_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = policy_of("GPT2Config", GPT2)
    decoder, sizes = policy.base.get_decoder(), []
    plain = decoder.forward

    def measured(*inputs: Any, **given: Any) -> Any:
        sizes.append(given["input_ids"].numel())
        return plain(*inputs, **given)

    monkeypatch.setattr(decoder, "forward", measured)
    rows = [tree(0, prompt) for prompt in PROMPTS * 3]
    whole = score_rows(policy, rows)
    few, sizes[:] = len(sizes), []
    for one, other in zip(score_rows(policy, rows, batch_tokens=50), whole, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    assert few == 1
    assert len(sizes) > 1
    assert max(sizes) <= 50


def test_activated_adapters_need_the_tree() -> None:
    for kind, values, why in (("MistralConfig", WINDOW, "sliding-window"), ("GPT2Config", GPT2, "absolute position")):
        with pytest.raises(UserError, match=rf"policy\.activation=profile\) need a prefix tree in which.*{why}"):
            GroupPolicy(base_of(kind, values), NAMES, AdapterConfig(rank=2, activation="profile"), (5, 6))


def test_layers_with_windows_keep_their_place_where_the_upper_ones_alone_learn() -> None:
    values = {**WINDOW, "num_hidden_layers": 6}  # the last one sees all
    policy = policy_of("Gemma3TextConfig", values, train_layers="upper", lower_cache_mb=16)
    batch = build_tree_batch(
        [tree(policy.adapter_index(name), prompt) for name, prompt in zip(ORDER, PROMPTS, strict=True)]
    )
    with torch.no_grad():
        whole = policy.score(batch)
    torch.testing.assert_close(policy.score(batch).detach(), whole)


def test_adapters_of_the_upper_layers_begin_in_the_middle_whatever_the_layers_are_called() -> None:
    policy = policy_of("GPT2Config", GPT2, train_layers="upper")
    adapted = {name for name, _ in policy.named_parameters() if "lora_" in name}
    assert adapted
    assert all(".h.1." in name for name in adapted)
    check_exact(policy)
