"""Rotations that depend on how long a batch is: within the context that is stated, none of them does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, Phi3Config, PreTrainedConfig, PreTrainedModel

from trialign.models.loading import stated_context
from trialign.policy import ROOT, AdapterConfig, GroupPolicy, Segment, TreeRow
from trialign.policy.group_policy import Sampling
from trialign.policy.scoring import score_rows

pytestmark = pytest.mark.unit

SIZES: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
    "pad_token_id": 0,
}
LONG = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0, 1.1, 1.2, 1.3],
    "long_factor": [2.0, 4.0, 8.0, 16.0],
}
CONFIGS: dict[str, Callable[[], PreTrainedConfig]] = {
    "longrope": lambda: Phi3Config(
        max_position_embeddings=96, original_max_position_embeddings=24, rope_parameters=dict(LONG), **SIZES
    ),
    "dynamic": lambda: LlamaConfig(
        max_position_embeddings=24, rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0}, **SIZES
    ),
    "yarn": lambda: LlamaConfig(
        max_position_embeddings=24,
        rope_parameters={
            "rope_type": "yarn",
            "rope_theta": 1e4,
            "factor": 4.0,
            "original_max_position_embeddings": 6,
        },
        **SIZES,
    ),
    "llama3": lambda: LlamaConfig(
        max_position_embeddings=24,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 1e4,
            "factor": 4.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 6,
        },
        **SIZES,
    ),
}


def base_of(kind: str) -> PreTrainedModel:
    torch.manual_seed(3)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(CONFIGS[kind](), attn_implementation="sdpa")
    return model.double().eval().requires_grad_(False)


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_context_is_as_long_as_all_rows_turn_alike(kind: str) -> None:
    assert stated_context(CONFIGS[kind]()) == 24


@pytest.mark.parametrize("kind", CONFIGS)
def test_rows_of_any_lengths_up_to_the_context_score_and_answer_as_alone(kind: str) -> None:
    model = base_of(kind)
    policy = GroupPolicy(base_of(kind), ("men",), AdapterConfig(rank=2))
    prompts = [tuple((7 * place + size) % 50 + 3 for place in range(size)) for size in (20, 4, 11)]
    answers = ((8, 9, 10, 2), (5, 2))
    rows = [
        TreeRow(1, (Segment(prompt, ROOT), *(Segment(answer, 0, action=True) for answer in answers)))
        for prompt in prompts
    ]
    replies = policy.generate(prompts, ["control"] * 3, 59, Sampling(4))
    for prompt, reply, scores in zip(prompts, replies, score_rows(policy, rows), strict=True):
        for answer, score in zip(answers, scores, strict=True):
            with torch.no_grad():
                steps = model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
            alone = sum(float(steps[len(prompt) + i - 1, token]) for i, token in enumerate(answer))
            assert score == pytest.approx(alone, abs=1e-5)
        assert reply == policy.generate([prompt], ["control"], 59, Sampling(4))[0]


def test_beyond_it_a_long_row_would_turn_its_neighbour() -> None:
    """Why the context ends there."""
    policy = GroupPolicy(base_of("longrope"), ("men",), AdapterConfig(rank=2))
    short = TreeRow(1, (Segment((3, 4, 5), ROOT), Segment((8, 2), 0, action=True)))
    long = TreeRow(1, (Segment(tuple(range(3, 29)), ROOT), Segment((8, 2), 0, action=True)))
    [alone], [together, _] = score_rows(policy, [short]), score_rows(policy, [short, long])
    assert together != pytest.approx(alone, abs=1e-3)
