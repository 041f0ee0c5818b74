"""``trialign export --scale``: what an adapter adds to every layer, times a number, in what is exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from trialign.checkpoints import read_agents
from trialign.storage import sha256_of_file

pytestmark = pytest.mark.integration

WEIGHTS = "adapter_model.safetensors"


def exported(project: Any, parent: Path, *words: str) -> Path:
    folder = parent / f"out{'-'.join(words)}"
    outcome = project.call("export", "--run", project.runs / "mine", "--output", folder, *words)
    assert outcome.code == 0, outcome.err
    return folder


def logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        values: torch.Tensor = model.eval()(input_ids=ids).logits
    return values


def test_the_effect_of_every_layer_is_scaled_and_the_manifest_says_so(trained_project: Any, tmp_path: Path) -> None:
    whole, part = exported(trained_project, tmp_path), exported(trained_project, tmp_path, "--scale", "0.25")
    manifest = read_agents(part).manifest  # every hash holds
    assert manifest["scale"] == 0.25
    assert "scale" not in read_agents(whole).manifest
    for group in manifest["groups"]:
        if group["role"] == "control":
            continue
        before, after = (load_file(folder / group["name"] / WEIGHTS) for folder in (whole, part))
        assert before.keys() == after.keys()
        trained = 0
        for name, values in before.items():
            factor = 0.25 if ".lora_B." in name else 1.0
            torch.testing.assert_close(after[name], factor * values, rtol=0, atol=0)
            trained += factor != 1 and bool(values.abs().max() > 0)
        assert trained
    card = (part / "README.md").read_text(encoding="utf-8")
    assert "multiplied by 0.25" in card
    assert "multiplied" not in (whole / "README.md").read_text(encoding="utf-8")


def test_scale_0_is_the_base_model_and_1_what_was_trained_in_plain_peft(
    trained_project: Any, tiny_config: Any, tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    ids = torch.tensor([[3, 5, 8, 13]])

    def answers(folder: Path) -> torch.Tensor:
        base = AutoModelForCausalLM.from_pretrained(tiny_config.path)
        return logits(PeftModel.from_pretrained(base, str(folder / "north")), ids)

    base = logits(AutoModelForCausalLM.from_pretrained(tiny_config.path), ids)
    trained = answers(trained_project.runs / "mine" / "agents" / "step=000004")
    nothing, whole = (
        exported(trained_project, tmp_path, "--scale", "0"),
        exported(trained_project, tmp_path, "--scale", "1"),
    )
    torch.testing.assert_close(answers(nothing), base, rtol=0, atol=0)
    torch.testing.assert_close(answers(whole), trained, rtol=0, atol=0)
    assert float((trained - base).abs().max()) > 1e-3
    run = trained_project.runs / "mine" / "agents" / "step=000004"
    assert sha256_of_file(whole / "manifest.json") == sha256_of_file(run / "manifest.json")


def test_a_merged_model_is_that_of_the_scaled_adapter(trained_project: Any, tiny_config: Any, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    ids = torch.tensor([[3, 5, 8, 13]])
    part = exported(trained_project, tmp_path, "--scale", "0.5")
    merged = exported(trained_project, tmp_path, "--scale", "0.5", "--merged")
    base = AutoModelForCausalLM.from_pretrained(tiny_config.path)
    of_adapter = logits(PeftModel.from_pretrained(base, str(part / "north")), ids)
    of_model = logits(AutoModelForCausalLM.from_pretrained(merged / "north"), ids)
    torch.testing.assert_close(of_model, of_adapter, rtol=1e-4, atol=1e-4)
    assert not (merged / "north" / WEIGHTS).exists()
    assert json.loads((merged / "manifest.json").read_text(encoding="utf-8"))["scale"] == 0.5


@pytest.mark.parametrize("scale", ["-0.1", "1.01", "nan", "inf", "-inf", "1e400", "half", "", "50%"])
def test_a_scale_that_is_none_is_refused_and_nothing_is_written(trained: Any, scale: str, tmp_path: Path) -> None:
    folder = tmp_path / "refused"
    outcome = trained.call("export", "--run", trained.runs / "mine", "--output", folder, f"--scale={scale}")
    assert outcome.code == 2
    assert "--scale" in outcome.err
    assert "Traceback" not in outcome.err
    assert not folder.exists()
