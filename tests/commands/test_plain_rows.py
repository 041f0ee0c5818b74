"""A model that the prefix tree does not serve, through the real command: collected, trained, audited, asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, MistralConfig, MistralForCausalLM, set_seed

from trialign.models import ModelConfig

pytestmark = pytest.mark.integration


@pytest.fixture
def windowed(project: Any, tiny_config: ModelConfig, tmp_path: Path) -> Any:
    """The project on a model each of whose positions sees the four before it alone."""
    folder = tmp_path / "windowed"
    tokenizer = AutoTokenizer.from_pretrained(tiny_config.path)
    set_seed(0)
    config = MistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        initializer_range=0.2,
        sliding_window=4,
        eos_token_id=tokenizer.eos_token_id,
    )
    MistralForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    project.set(model__path=str(folder), model__name="house/windowed")
    return project


def test_a_run_goes_its_whole_way_in_plain_rows(windowed: Any, caplog: pytest.LogCaptureFixture) -> None:
    text = ("objective.text.weight=1", "objective.text.share=1", "objective.text.tokens=3", "objective.text.top_k=4")
    with caplog.at_level("INFO", logger="trialign"):
        assert windowed.fit(*text, "audit.answers=[scored,replies]").code == 0
    assert "Branches go by plain rows" in caplog.text
    assert "sliding-window" in caplog.text
    asked = windowed.call("ask", "Which river?", "--run", windowed.runs / "mine")
    assert asked.code == 0, asked.err
    planned = windowed.call("plan", "--config", windowed.folder / "mine.yaml")
    assert "Branches go by plain rows, each with its whole prompt, for the model has sliding-window" in planned.out
    step = windowed.runs / "mine" / "agents" / "step=000004"
    ids = torch.tensor([list(range(5, 30))])
    base = AutoModelForCausalLM.from_pretrained(windowed.folder.parent / "windowed")
    with torch.no_grad():
        plain = base(ids).logits
        north = PeftModel.from_pretrained(base, step / "north")(ids).logits
    assert (north - plain).abs().max() > 1e-4
