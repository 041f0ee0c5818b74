"""Audits that ask in words too: their files, what is printed, going on where one was cut off, and what `ask` says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from trialign.api.results import Audit
from trialign.audit.figures.analysis import read_analysis
from trialign.audit.figures.summary import read_summary
from trialign.audit.files.items import read_items
from trialign.audit.report.terminal import change_table
from trialign.policy import GroupPolicy

pytestmark = pytest.mark.integration

BOTH = "audit.answers=[scored,replies]"


def folder(project: Any, step: int = 0) -> Path:
    found: Path = project.runs / "mine" / "audits" / f"step={step:06d}.house.test"
    return found


def test_a_fit_audits_in_scores_and_in_words_before_and_after(project: Any) -> None:
    outcome = project.fit(BOTH)
    assert outcome.code == 0
    for step in (0, 4):
        summary, analysis = (
            read_summary(folder(project, step) / "summary.json"),
            read_analysis(folder(project, step) / "analysis.json"),
        )
        replies, section = read_items(folder(project, step) / "replies.parquet"), summary["replies"]
        items = read_items(folder(project, step) / "items.parquet")
        assert set(replies["query_id"]) == set(items["query_id"])
        assert replies["option_probabilities"].isna().all()
        assert items[["ended", "nats", "words"]].isna().all().all()
        assert replies[["ended", "nats", "words", "repeated"]].notna().all().all()
        own = replies[(replies["kind"] == "truth") & (replies["role"] == "member")]
        for key, column in (("ends", "ended"), ("repeats", "repeated"), ("nats", "nats"), ("words", "words")):
            assert section[key] == pytest.approx(own[column].astype(float).mean()), key
        assert section["accuracy"] == own.groupby("group")["correct"].mean().to_dict()
        assert {"refused", "flip_rate", "unanimous", "consistent_wrong"} <= set(section)
        assert section["max_new_tokens"] == 4
        assert set(summary["files"]) == {
            "items.parquet",
            "replies.parquet",
            "questions.jsonl",
            "analysis.json",
            "about.json",
        }
        assert analysis.replies is not None
        assert analysis.replies.facts is not None
        assert analysis.replies.facts.mean.value == section["mean"]
        # A random model's words hold nothing: it is not called consistent for its scores.
        assert summary["verdict"]["words"]["outcome"] == "cannot_be_judged"
        assert summary["verdict"]["outcome"] == "cannot_be_judged"
        assert summary["verdict"]["scores"] == "unknown"
        assert not list(folder(project, step).glob(".*"))
    for said in ("answered in words", "ends by itself", "in words, answered", "Replies in words to facts"):
        assert said in outcome.out
    hashes = {item.name: item.stat().st_mtime_ns for item in folder(project, 4).iterdir()}
    assert project.call("report", "runs/mine").code == 0
    assert project.call("compare", "runs/mine", str(folder(project))).code == 0
    assert hashes == {item.name: item.stat().st_mtime_ns for item in folder(project, 4).iterdir()}
    html = (project.runs / "mine" / "reports" / folder(project, 4).name / "report.html").read_text(encoding="utf-8")
    assert "What a reader would notice of the replies in words" in html
    assert "In words: right answers of each group" in html


def test_another_replies_file_is_refused_and_one_that_is_gone_too(project: Any) -> None:
    assert project.call("test", "--config", "mine.yaml", BOTH).code == 0
    file = folder(project) / "replies.parquet"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"0")
    assert "replies.parquet" in project.call("report", folder(project)).err
    file.unlink()
    outcome = project.call("report", folder(project))
    assert outcome.code == 2
    assert "replies.parquet, which the audit wrote, is missing" in outcome.err


def test_an_audit_in_words_that_was_cut_off_goes_on(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # One prompt and its reply a batch.
    command = ("test", "--config", "mine.yaml", BOTH, "audit.batch_tokens=1")
    assert project.call(*command).code == 0
    whole = read_items(folder(project) / "replies.parquet")
    (folder(project) / "summary.json").unlink()
    kept = project.runs / ".answers" / "base.jsonl"
    kept.unlink()
    decoded, calls = GroupPolicy.generate, []

    def generate(self: GroupPolicy, *arguments: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return decoded(self, *arguments, **more)

    monkeypatch.setattr(GroupPolicy, "generate", generate)
    stopped = project.call(*command)
    assert stopped.code == 1
    assert "Run the same command again to go on." in stopped.err
    assert len(kept.read_text(encoding="utf-8").splitlines()) == 7
    assert not (folder(project) / "summary.json").exists()
    calls.clear()
    calls.extend([1] * 8)
    assert project.call(*command).code == 0
    assert len(calls) - 8 == 5 * 4 - 7  # 5 questions to 3 groups and the control, of which 7 were there
    pd.testing.assert_frame_equal(read_items(folder(project) / "replies.parquet"), whole)
    assert len(kept.read_text(encoding="utf-8").splitlines()) == 5 * 4
    assert not list(folder(project).glob(".replies-*.jsonl"))


def test_scores_alone_leave_no_trace_of_words(project: Any) -> None:
    assert project.call("test", "--config", "mine.yaml", BOTH).code == 0
    assert project.call("test", "--config", "mine.yaml", "audit.answers=[scored]").code == 0
    summary = read_summary(folder(project) / "summary.json")
    assert "replies" not in summary
    assert "replies.parquet" not in summary["files"]
    assert not (folder(project) / "replies.parquet").exists()
    assert set(summary["verdict"]) == {"outcome", "sentence", "parts"}


@pytest.mark.parametrize("answers", ["[replies]", "[]", "[scored,scored]", "[words]"])
def test_what_is_no_way_of_answering_is_refused(project: Any, answers: str) -> None:
    outcome = project.call("test", "--config", "mine.yaml", f"audit.answers={answers}")
    assert outcome.code == 2
    assert "audit.answers" in outcome.err


def test_ask_says_where_a_checkpoints_own_audit_shows_that_its_replies_suffer(project: Any) -> None:
    assert project.fit(BOTH).code == 0
    _spoil(folder(project, 4) / "replies.parquet")
    question, run = "What is the capital of France?", ("--run", "runs/mine")
    outcome = project.call("ask", question, *run)
    assert outcome.code == 0
    [line] = [line for line in outcome.err.splitlines() if "suffer" in line]
    assert line.startswith("The replies in words of step 4 suffer, by its own audit (test questions): ")
    assert "base model's nats a token 9" in line
    assert "suffer" not in project.call("ask", question, "--option", "Lyon", "--option", "Paris", *run).err
    assert "suffer" not in project.call("ask", question, "--step", "0", *run).err


def test_ask_says_nothing_of_replies_that_no_audit_knows(trained: Any) -> None:
    outcome = trained.call("ask", "What is the capital of France?", "--run", "runs/mine")
    assert outcome.code == 0
    assert "suffer" not in outcome.err


def _spoil(file: Path) -> None:
    """Makes the base model find every reply unlikely."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = pq.read_table(file)
    place = content.column_names.index("nats")
    values = pa.array([90.0 + n / 100 for n in range(len(content))], pa.float64())
    pq.write_table(content.set_column(place, content.schema.field("nats"), values), file)


def test_a_run_that_was_audited_before_there_were_words_is_still_the_same_run(trained_copy: Any) -> None:
    stored = trained_copy.runs / "mine" / "config.yaml"
    words = ("answers:", "replies_limit:", "repeats:", "- scored")
    lines = stored.read_text(encoding="utf-8").splitlines(keepends=True)
    stored.write_text("".join(line for line in lines if not line.strip().startswith(words)), encoding="utf-8")
    outcome = trained_copy.fit(BOTH, "audit.replies_limit=3")
    assert outcome.code == 0, outcome.err
    assert "answered in words" not in outcome.out


def test_only_the_first_facts_and_tastes_are_asked_in_words_where_that_is_wanted(project: Any) -> None:
    assert project.call("test", "--config", "mine.yaml", BOTH, "audit.replies_limit=1").code == 0
    replies, items = (read_items(folder(project) / name) for name in ("replies.parquet", "items.parquet"))
    assert set(replies["query_id"]) == {"capital-0", "capital-1", "meal"}
    assert set(items["query_id"]) == {"capital-0", "capital-1", "sea-0", "sea-1", "meal"}
    audit = Audit(folder(project))
    differing = audit.words_differences_from(audit)
    assert differing is not None
    title = change_table("mine", audit.summary, differing[0], 0.95, differing[1]).title
    assert "3 questions of 2 facts and tastes, answered in words" in str(title)
    assert "5 questions of 3 facts and tastes;" in str(change_table("mine", audit.summary, differing[0], 0.95).title)
