"""Models beside Llama, in plain rows or in trees with windows, through the real command: trained, audited, asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, MistralConfig, PreTrainedConfig, set_seed

from trialign.models import ModelConfig

pytestmark = pytest.mark.integration


GPT2 = GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=1024, initializer_range=0.2)
MISTRAL = MistralConfig(
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=1024,
    initializer_range=0.2,
    sliding_window=4,
)
PLAIN = "plain rows, each with its whole prompt, for the model has absolute position embeddings"


@pytest.mark.parametrize(("config", "path"), [(GPT2, PLAIN), (MISTRAL, "the prefix tree")], ids=["plain", "windows"])
def test_a_run_goes_its_whole_way(
    config: PreTrainedConfig,
    path: str,
    project: Any,
    tiny_config: ModelConfig,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = tmp_path / "base"
    tokenizer = AutoTokenizer.from_pretrained(tiny_config.path)
    set_seed(0)
    config.vocab_size, config.eos_token_id = len(tokenizer), tokenizer.eos_token_id
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    project.set(model__path=str(folder), model__name="house/odd")
    text = ("objective.text.weight=1", "objective.text.share=1", "objective.text.tokens=3", "objective.text.top_k=4")
    with caplog.at_level("DEBUG", logger="trialign"):
        assert project.fit(*text, "audit.answers=[scored,replies]").code == 0
    assert f"Branches go by {path}" in caplog.text
    asked = project.call("ask", "Which river?", "--run", project.runs / "mine")
    assert asked.code == 0, asked.err
    planned = project.call("plan", "--config", project.folder / "mine.yaml")
    assert f"Branches go by {path}." in planned.out
    step = project.runs / "mine" / "agents" / "step=000004"
    ids = torch.tensor([list(range(5, 30))])
    base = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        plain = base(ids).logits
        north = PeftModel.from_pretrained(base, step / "north")(ids).logits
    assert (north - plain).abs().max() > 1e-4
