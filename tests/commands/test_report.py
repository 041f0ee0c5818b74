"""``trialign report`` and ``trialign compare`` on a finished run, through the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from trialign.audit.files.findings import FindingStore
from trialign.audit.files.items import read_items
from trialign.audit.report import build_report
from trialign.audit.report.noted import noted_findings
from trialign.audit.report.signing import binding_of
from trialign.queries.readers import read_queries

pytestmark = pytest.mark.integration


def test_a_report_is_made_twice_alike(trained: Any, tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        outcome = trained.call("report", "runs/mine", "--output", tmp_path / name)
        assert outcome.code == 0, outcome.err
        assert "report.html" in outcome.out
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        made.append({path.relative_to(tmp_path / name).as_posix(): path.read_bytes() for path in files})
    assert made[0] == made[1]
    page = made[0]["report.html"].decode("utf-8")
    audit = trained.runs / "mine" / "audits" / "step=000004.house.test"
    items = read_items(audit / "items.parquet")
    missed = items[(items["kind"] == "truth") & (items["role"] == "member") & items["correct"].eq(False)]
    texts = {query.query_id: escape(query.question) for query in read_queries(audit / "questions.jsonl")}
    for _, asked in missed.groupby("cluster"):
        assert any(texts[query_id] in page for query_id in asked["query_id"])
    assert not missed.empty or "Every fact was answered right" in page
    assert "house/tiny-llama" in page
    assert "The user lives beside a glacier." in page
    assert "Before and now" in page


def test_a_report_lies_in_the_run_unless_told_otherwise(trained_copy: Any) -> None:
    assert trained_copy.call("report", "runs/mine", "--step", "0").code == 0
    page = trained_copy.runs / "mine" / "reports" / "step=000000.house.test" / "report.html"
    assert "Before and now" not in page.read_text(encoding="utf-8")


def test_a_report_holds_what_was_noted_and_signed_in_the_dashboard(trained_copy: Any, tmp_path: Path) -> None:
    store = FindingStore(trained_copy.runs)
    said = {"user": "ana", "query_id": "", "checkpoint_sha256": "ab" * 32, "options": (), "answers": ()}
    for number, (run, step) in enumerate((("mine", 4), ("mine", 4), ("mine", 0), ("other", 4)), start=1):
        words = {"question": f"Typed {number}?", "comment": f"Note {number}", "disposition": "open"}
        assert store.add(run=run, step=step, **said, **words) == number
    store.delete(2, user="ana")
    who = {"user": "ana", "name": "Ana Auditor", "role": "auditor", "decision": "approved", "remark": ""}
    audits = trained_copy.runs / "mine" / "audits"
    bindings = {
        name: binding_of(build_report(audits / name, None, noted_findings(store.findings("mine"), int(name[5:11]))))
        for name in ("step=000000.house.test", "step=000004.house.test")
    }
    signed = {"run": "mine", "audit": "step=000000.house.test", "binding": bindings["step=000000.house.test"]}
    store.sign(**signed, **{**who, "decision": "another audit"})
    signed = {"run": "mine", "audit": "step=000004.house.test", "binding": bindings["step=000004.house.test"]}
    for decision in ("not yet", "approved"):
        store.sign(**signed, **{**who, "decision": decision})
    assert trained_copy.call("report", "runs/mine", "--output", tmp_path).code == 0
    content = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [one["comment"] for one in content["findings"]] == ["Note 1"]
    assert [one["question"] for one in content["findings"]] == ["Typed 1?"]
    assert content["sign_off"]["decision"] == "approved"
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Note 1" in page
    assert "Ana Auditor" in page
    assert not [text for text in ("Note 2", "Note 3", "Note 4", "another audit") if text in page]
    assert content["sign_off"]["standing"] == "holds"
    before = {path: path.stat().st_mtime_ns for path in (trained_copy.runs, *trained_copy.runs.rglob("*"))}
    outcome = trained_copy.call("report", "runs/mine", "--verify")
    assert outcome.code == 0, outcome.err
    assert "approved. signed" in " ".join(outcome.out.split())
    assert re.match(r"\d{1,2} [A-Z][a-z]+ 20\d\d, \d\d:\d\d UTC, ", outcome.out)
    assert {path: path.stat().st_mtime_ns for path in (trained_copy.runs, *trained_copy.runs.rglob("*"))} == before
    (audits / "step=000004.house.test" / "summary.json").open("a", encoding="utf-8").write(" ")
    outcome = trained_copy.call("report", "runs/mine", "--verify")
    assert outcome.code == 1
    assert "summary.json" in outcome.out
    assert "not about this audit as it is now" in outcome.err
    outcome = trained_copy.call("report", "runs/mine", "--output", tmp_path / "stale")
    assert outcome.code == 0
    assert "the signature is stale" in " ".join(outcome.out.split())


def test_what_nobody_has_signed_cannot_be_verified(trained: Any) -> None:
    outcome = trained.call("report", "runs/mine", "--verify")
    assert outcome.code == 2
    assert "Nobody has signed" in outcome.err
    outcome = trained.call("report", "runs/mine", "--verify", "--output", "x")
    assert outcome.code == 2
    assert "writes nothing" in outcome.err


def test_runs_are_compared_in_one_table(trained: Any, tmp_path: Path) -> None:
    base = trained.runs / "mine" / "audits" / "step=000000.house.test"
    outcome = trained.call("compare", base, "runs/mine", "--output", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert "flip rate" in outcome.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "comparison.csv",
        "comparison.json",
        "comparison.md",
        "pareto.svg",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("report", "runs/nothing"), "no finished audit"),
        (("report", "runs/mine", "--step", "3"), "at step 3; there are step=000000"),
        (("report", "runs/mine", "--against", "runs/nothing"), "no finished audit of house, test questions"),
        (("compare", "runs/mine"), "Name two runs or more"),
        (("compare", "runs/mine", "runs/nothing"), "no finished audit"),
    ],
)
def test_what_cannot_be_reported_exits_2_and_says_why(trained: Any, words: tuple[str, ...], said: str) -> None:
    outcome = trained.call(*words)
    assert outcome.code == 2
    assert said in outcome.err
    assert "Traceback" not in outcome.err
