"""Audits of a model behind an address: the embedded model under ``transformers serve``, on loopback."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from trialign.audit.figures.analysis import read_analysis
from trialign.audit.figures.summary import read_summary
from trialign.audit.files.items import read_items
from trialign.endpoint.answers import AnswerFile

pytestmark = pytest.mark.integration

AUDIT = "audits/step=000000.house.test"
# Two facts' wordings, to three groups and the control, twice; one taste as well.
REQUESTS = (2 + 1) * 4 * 2


@dataclass(frozen=True)
class Audits:
    """A project whose model is behind an address."""

    project: Any
    server: Any
    words: tuple[str, ...] = field(default=())

    def test(self, *words: str, name: str = "served") -> Any:
        stated = [f"model.base_url={self.server.url}", f"model.name={self.server.model}", f"name={name}"]
        return self.project.call("test", "--config", "served.yaml", *stated, *words)

    def folder(self, name: str = "served") -> Path:
        return Path(self.project.runs / name / AUDIT)

    def kept(self) -> list[dict[str, Any]]:
        (file,) = (self.project.runs / ".answers").iterdir()
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def audits(project: Any, server: Any) -> Audits:
    """A project that asks that server, one request at a time, so that sampling repeats itself."""
    stated = {
        "defaults": [
            "base",
            {"override groups": "regions"},
            {"override data": "files"},
            {"override model": "endpoint"},
            "_self_",
        ],
        "runs": str(project.runs),
        "data": {"name": "house", "files": ["questions.jsonl"], "limit": 1},
        "prompt": {"options": "lettered"},
        "audit": {"max_new_tokens": 12, "clarify": False},  # the requests are counted
        "model": {
            "endpoint": {
                "repeats": 2,
                "temperature": 1.0,
                "concurrent_requests": 1,
                "attempts": 2,
                # This server samples only where the generation config says so.
                "extra": {"generation_config": json.dumps({"do_sample": True, "eos_token_id": 2, "pad_token_id": 2})},
            }
        },
    }
    (project.folder / "served.yaml").write_text(yaml.safe_dump(stated, sort_keys=False), encoding="utf-8")
    return Audits(project, server)


def after(count: int, act: Callable[[], None]) -> Callable[..., Any]:
    """`AnswerFile.keep`, which acts when so many answers are kept."""
    original, kept = AnswerFile.keep, []

    def keep(self: AnswerFile, *values: Any) -> Any:
        result = original(self, *values)
        kept.append(result)
        if len(kept) == count:
            act()
        return result

    return keep


def test_an_audit_in_words_has_rows_summary_and_verdict(audits: Audits) -> None:
    outcome = audits.test()
    assert outcome.code == 0, outcome.err
    assert "Verdict:" in outcome.out
    items = read_items(audits.folder() / "items.parquet")
    # A taste of a member is scored for all three groups.
    assert len(items) == 2 * 4 * 2 + (3 * 3 + 1) * 2
    assert items["option_probabilities"].isna().all()
    assert set(items["repeat"]) == {0, 1}
    own = items[items["group"] == items["profile_group"]]
    texts = own.pivot(index=["query_id", "group"], columns="repeat", values="answer")
    assert (texts[0] != texts[1]).any()  # else nothing was sampled
    summary = read_summary(audits.folder() / "summary.json")
    assert summary["scoring"] == "sampled"
    assert summary["model"] == {
        "source": "endpoint",
        "name": audits.server.model,
        "base_url": audits.server.url,
        "temperature": 1.0,
        "repeats": 2,
        # This server refuses the keys that the protocol does not know.
        "sampling": {"top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0},
    }
    assert summary["truth"]["no_answer"] is not None
    analysis = read_analysis(audits.folder() / "analysis.json")
    facts = analysis.facts
    assert facts is not None
    assert analysis.verdict is not None
    assert analysis.verdict.sentence == summary["verdict"]["sentence"]
    assert facts.chance == summary["truth"]["chance"] is not None  # also where replies are read
    assert facts.excess_flips is not None
    assert facts.excess_flips.n_repeats == 2
    kept = audits.kept()
    assert len(kept) == len({line["key"] for line in kept}) == REQUESTS
    assert {line["request"]["max_tokens"] for line in kept} == {12}
    assert len({line["request"]["seed"] for line in kept}) == REQUESTS


def test_a_server_that_cannot_score_options_answers_in_words(audits: Audits) -> None:
    outcome = audits.test(f"model.endpoint.tokenizer={audits.server.model}", "model.endpoint.repeats=1")
    assert outcome.code == 0, outcome.err
    summary = read_summary(audits.folder() / "summary.json")
    assert summary["scoring"] == "sampled"
    assert "tokenizer_sha256" not in summary["model"]


def test_a_server_killed_half_way_costs_nothing(audits: Audits, monkeypatch: pytest.MonkeyPatch) -> None:
    assert audits.test(name="whole").code == 0
    whole = audits.project.runs / ".answers"
    whole.rename(audits.project.folder / "answers-of-the-whole")
    try:
        with monkeypatch.context() as patch:
            patch.setattr(AnswerFile, "keep", after(7, audits.server.kill))
            outcome = audits.test(name="cut")
        assert outcome.code == 1
        assert "gives no answer after 2 attempts" in outcome.err.splitlines()[-1]
        assert "the 7 answers in" in outcome.err.splitlines()[-1]
        assert "run the same command" in outcome.err.splitlines()[-1]
        assert not audits.folder("cut").exists()
        assert len(audits.kept()) == 7
        refused = audits.test(name="cut")  # still down
        assert refused.code == 2
        assert "No answer comes from" in refused.err
    finally:
        audits.server.kill()
        audits.server.start()
    assert audits.test(name="cut").code == 0
    assert len(audits.kept()) == REQUESTS
    pd.testing.assert_frame_equal(
        read_items(audits.folder("cut") / "items.parquet"), read_items(audits.folder("whole") / "items.parquet")
    )


def test_a_key_reaches_no_file_and_no_line(audits: Audits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOUSE_KEY", "sesame-open")
    outcome = audits.test("model.endpoint.api_key_variable=HOUSE_KEY", "model.endpoint.repeats=1", "--debug")
    assert outcome.code == 0
    assert "sesame" not in outcome.out + outcome.err
    for path in audits.project.folder.rglob("*"):
        assert not path.is_file() or b"sesame" not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["model.name=someone/else"], ("'someone/else'", "pinned")),
        (["model.base_url=http://127.0.0.1:1/v1"], ("No answer comes from http://127.0.0.1:1/v1", "Start the server")),
        (["model.base_url=127.0.0.1:8000/v1"], ("no http or https address", "http://127.0.0.1:8000/v1")),
        (["model.endpoint.api_key_variable=NO_KEY"], ("environment variable NO_KEY", "is not set", "export NO_KEY")),
        (["prompt.options=hidden"], ("prompt.options=hidden", "Set prompt.options to lettered or listed")),
        # This server sends no prompt back with its log-probabilities.
        (["model.endpoint.choices=logprobs"], ("names no tokenizer", "model.endpoint.choices=sampled")),
        (
            ["model.endpoint.choices=logprobs", "model.endpoint.tokenizer={model}"],
            ("gives no log-probabilities", "prompt must be a string", "model.endpoint.choices=sampled"),
        ),
        (["+model.adapters=x"], ("model.adapters", "model.source is endpoint")),
    ],
)
def test_a_fault_at_the_door(audits: Audits, words: list[str], names: tuple[str, ...]) -> None:
    before = audits.project.files()
    outcome = audits.test(*(word.format(model=audits.server.model) for word in words))
    assert outcome.code == 2, outcome.err
    assert outcome.err.count("\n") == 1, outcome.err
    for name in names:
        assert name in outcome.err
    assert audits.project.files() == before


def test_an_address_without_its_end(audits: Audits) -> None:
    outcome = audits.test(f"model.base_url=http://127.0.0.1:{audits.server.port}")
    assert outcome.code == 2
    assert "There is no chat endpoint" in outcome.err
    assert "/v1" in outcome.err


def test_weights_behind_an_address_cannot_be_trained(audits: Audits) -> None:
    words = [f"model.base_url={audits.server.url}", "model.name=x"]
    outcome = audits.project.call("fit", "--config", "served.yaml", *words)
    assert outcome.code == 2
    assert "needs its weights" in outcome.err
    assert not os.path.exists(audits.project.runs)
