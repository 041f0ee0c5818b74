"""A base in few bits through the command line: trained, audited, exported, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from trialign.commands.plan import STRATEGIES
from trialign.models import load_model, locate_base_model

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
    assert json.loads((file.parent / "about.json").read_text())["base_model"]["quantization"] is None
    other = project.call(*command, "model.quantization=nf4")
    assert other.code == 2
    assert "is of another model" in other.err
    assert project.call(*command, "model.quantization=nf4", "name=few").code == 0
    audit = project.runs / "few" / "audits" / file.parent.name
    assert json.loads((audit / file.name).read_text())["model"]["quantization"] == "nf4"
    assert json.loads((audit / "about.json").read_text())["base_model"]["quantization"] == "nf4"
    assert project.call("report", "runs/few", "--output", "report").code == 0
    [page] = (project.folder / "report").rglob("report.html")
    told = page.read_text(encoding="utf-8")
    assert "on house/tiny-llama (nf4)" in told
    assert "its linear layers but the output layer were kept in nf4" in told


def test_merged_agents_are_whole_weights(project: Any) -> None:
    assert project.fit("audit.answers=[scored]", "model.quantization=int8").code == 0
    outcome = project.call("export", "--run", "runs/mine", "--output", "merged", "--merged")
    assert outcome.code == 0, outcome.err
    apart = json.loads((project.folder / "merged" / "manifest.json").read_text())["base_distance"]
    assert 1e-3 < apart < 2e-2  # at most half of 1/127 of a row's largest weight
    assert f"merged into whole weights, and they were trained over int8 ones, {apart:.2%} apart" in outcome.out
    assert f"those in int8, Q, are {apart:.2%} apart" in (project.folder / "merged" / "README.md").read_text()
    state = load_file(project.folder / "merged" / "north" / "model.safetensors")
    assert {str(tensor.dtype) for tensor in state.values()} == {"torch.float32"}


def test_agents_of_files_in_few_bits_are_merged_into_these_made_whole(project: Any, tiny_config: Any) -> None:
    few = project.folder / "few"
    shutil.copytree(tiny_config.path, few)
    asked = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    AutoModelForCausalLM.from_pretrained(few, quantization_config=asked, dtype=torch.float32).save_pretrained(few)
    project.set(model__path=str(few))
    assert project.fit("audit.answers=[scored]").code == 0
    outcome = project.call("export", "--run", "runs/mine", "--output", "merged", "--merged")
    assert outcome.code == 0, outcome.err
    said = "merged into these very weights, made whole"
    assert said in outcome.out
    assert said in (project.folder / "merged" / "README.md").read_text()
    assert json.loads((project.folder / "merged" / "manifest.json").read_text())["base_distance"] == 0
    [agents] = (project.runs / "mine" / "agents").glob("step=*")
    base = load_model(locate_base_model(replace(tiny_config, path=str(few))), tiny_config)
    agent = PeftModel.from_pretrained(base, agents / "north")
    merged, ids = AutoModelForCausalLM.from_pretrained(project.folder / "merged" / "north"), torch.arange(3, 20)[None]
    with torch.no_grad():
        torch.testing.assert_close(merged(ids).logits, agent(input_ids=ids).logits, atol=1e-3, rtol=1e-3)
    before = project.files()
    outcome = project.fit("name=sharded", "trainer=deepspeed_zero3_cpu")
    assert outcome.code == 2
    assert "are quantised (bitsandbytes), which trainer.strategy=zero3 has not been shown to train" in outcome.err
    outcome = project.fit("name=compiled", "trainer.compile=true")
    assert outcome.code == 2
    assert "are quantised (bitsandbytes), which trainer.compile=true has not been shown to train" in outcome.err
    assert project.files() == before


def test_a_plan_counts_the_bits(project: Any) -> None:
    words = ("model.dtype=bfloat16", "policy.rank=8", "trainer.activation_checkpointing=true")
    planned = project.call("plan", "--config", "mine.yaml", "--size", "70B", *words, "model.quantization=nf4")
    assert planned.code == 0, planned.err
    # 68.45 billion of 4.127 bits, and the rest of 16.
    assert re.findall(r"parameters, (\S+) billion are kept in nf4: (\S+) GiB", planned.out)[1] == ("68.45", "32.89")
    assert re.findall(r"whole model on every GPU: (\S+) GiB", planned.out)[1] == "33.87"
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in planned.out.splitlines() if "│" in line]
    assert [row[:2] for row in rows if row[0] in STRATEGIES] == [["ddp", "1"]] * 2


def test_what_cannot_be_is_refused_at_the_door(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = project.fit("model.quantization=nf4", "trainer=deepspeed_zero3_cpu")
    assert outcome.code == 2
    assert "model.quantization is nf4, which trainer.strategy=zero3 has not been shown to train" in outcome.err
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
