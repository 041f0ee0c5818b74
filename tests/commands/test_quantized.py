"""A base in few bits through the command line: trained, audited, exported, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from safetensors.torch import load_file

pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed (extra 'quantized')")
pytestmark = pytest.mark.integration


def test_a_run_over_four_bits_is_whole_and_knows_its_bits(project: Any) -> None:
    scores = ("audit.answers=[scored]", "model.quantization=nf4")
    outcome = project.fit(*scores)
    assert outcome.code == 0, outcome.err
    [agents] = (project.runs / "mine" / "agents").glob("step=*")
    assert json.loads((agents / "manifest.json").read_text())["base_model"]["quantization"] == "nf4"
    # The same run over whole weights answers otherwise, and its adapters are refused here.
    assert project.fit("audit.answers=[scored]", "name=whole").code == 0
    rates = [
        json.loads((project.runs / name / "audits" / "step=000000.house.test" / "summary.json").read_text())
        for name in ("mine", "whole")
    ]
    assert rates[0]["truth"]["jsd"] != pytest.approx(rates[1]["truth"]["jsd"], abs=1e-6)
    config = project.runs / "mine" / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("quantization: nf4", "quantization: int8"))
    asked = project.call("ask", "Which metal?", "--run", "runs/mine")
    assert asked.code == 2
    assert "were trained over weights with model.quantization=nf4, and it is int8" in asked.err


def test_an_audit_of_other_bits_does_not_take_the_place_of_one(project: Any) -> None:
    command = ("test", "--config", "mine.yaml", "audit.answers=[scored]")
    assert project.call(*command).code == 0
    file = project.runs / "mine" / "audits" / "step=000000.house.test" / "summary.json"
    assert "quantization" not in json.loads(file.read_text())["model"]
    other = project.call(*command, "model.quantization=nf4")
    assert other.code == 2
    assert "is of another model" in other.err
    assert project.call(*command, "model.quantization=nf4", "name=few").code == 0
    few = json.loads((project.runs / "few" / "audits" / file.parent.name / file.name).read_text())
    assert few["model"]["quantization"] == "nf4"


def test_merged_agents_are_whole_weights(project: Any) -> None:
    assert project.fit("audit.answers=[scored]", "model.quantization=int8").code == 0
    outcome = project.call("export", "--run", "runs/mine", "--output", "merged", "--merged")
    assert outcome.code == 0, outcome.err
    assert "merged into whole weights, and they were trained over int8 ones" in outcome.out
    state = load_file(project.folder / "merged" / "north" / "model.safetensors")
    assert {str(tensor.dtype) for tensor in state.values()} == {"torch.float32"}


def test_what_cannot_be_is_refused_at_the_door(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = project.fit("model.quantization=nf4", "trainer=deepspeed_zero3_cpu")
    assert outcome.code == 2
    assert "model.quantization is nf4, which DeepSpeed (zero3) has not been shown to train" in outcome.err
    outcome = project.fit("model.quantization=nf4", "model.dtype=float64")
    assert outcome.code == 2
    assert "model.quantization is nf4, and model.dtype=float64 has not been shown to compute with them" in outcome.err
    words = ("model=endpoint", "model.base_url=http://127.0.0.1:9/v1", "model.name=x", "model.quantization=nf4")
    outcome = project.call("test", "--config", "mine.yaml", *words)
    assert outcome.code == 2
    assert "model.quantization is nf4, and model.source=endpoint has no weights here" in outcome.err
    monkeypatch.setattr("trialign.models.quantized.is_bitsandbytes_available", lambda: False)
    outcome = project.fit("model.quantization=nf4")
    assert outcome.code == 2
    assert "is asked for in nf4, and the package bitsandbytes is not installed" in outcome.err
    assert "pip install 'trialign[quantized]'" in outcome.err
    assert not project.runs.exists()
