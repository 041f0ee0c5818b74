"""Auditing a run's agents on questions that are not the run's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trialign.api.asking import known_harm
from trialign.api.results import Audit
from trialign.api.session import open_run
from trialign.audit.figures.summary import read_summary
from trialign.audit.files.items import read_items

pytestmark = pytest.mark.integration


def write_questions(project: Any, count: int) -> list[str]:
    """Questions that nobody trained on, and the words that audit them."""
    rows = [
        {
            "id": f"river-{number}",
            "cluster": f"river-{number}",
            "split": "test",
            "kind": "truth",
            "topic": "rivers",
            "question": f"Which river is number {number}?",
            "answer_kind": "choice",
            "options": ["Nile", "Volga", f"Thames {number}"],
            "gold": "Nile",
        }
        for number in range(count)
    ]
    (project.folder / "rivers.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return ["data=files", "data.name=rivers", f"data.files=[{project.folder / 'rivers.jsonl'}]"]


def test_agents_are_audited_on_other_questions_beside_the_base_model(trained_copy: Any) -> None:
    words = write_questions(trained_copy, 3)
    run = trained_copy.runs / "mine"
    before, kept = trained_copy.files(), trained_copy.runs / ".answers" / "base-scores.jsonl"
    del before[kept.relative_to(trained_copy.folder).as_posix()]
    written = kept.read_bytes()
    outcome = trained_copy.call("test", "--run", run, *words)
    assert outcome.code == 0, outcome.err
    assert kept.read_bytes().startswith(written)  # what the base weights score is added to
    assert before.items() <= trained_copy.files().items()  # what was there is as it was
    folders = [run / "audits" / f"step={step:06d}.rivers.test" for step in (0, 4)]
    base, agents = (read_items(folder / "items.parquet") for folder in folders)
    assert base["adapter_sha256"].isna().all()
    assert set(agents.loc[agents["role"] == "member", "adapter_sha256"].dropna()) != set()
    for folder in folders:
        summary = read_summary(folder / "summary.json")
        assert (summary["data"], summary["n_queries"]) == ("rivers", 3)
    assert "Before" in outcome.out
    assert "After" in outcome.out

    # The base model is asked once for the same questions, and again for others.
    kept = (folders[0] / "items.parquet").stat().st_mtime_ns
    assert trained_copy.call("test", "--run", run, *words).code == 0
    assert (folders[0] / "items.parquet").stat().st_mtime_ns == kept
    assert trained_copy.call("test", "--run", run, *write_questions(trained_copy, 2)).code == 0
    assert read_summary(folders[0] / "summary.json")["n_queries"] == 2


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["scoring.kind=mean"], "The override scoring.kind=mean was given with --run"),
        (["data.limit=1"], "none names other data (data.limit=1)"),
        (["data=files", "data.name=house", "data.files=[x.jsonl]"], "would take the place of its own"),
        (["data=nowhere"], "cannot be composed"),
    ],
)
def test_what_is_not_of_other_data_is_refused(trained: Any, words: list[str], names: str) -> None:
    outcome = trained.call("test", "--run", trained.runs / "mine", *words)
    assert outcome.code == 2
    assert names in outcome.err


def test_a_finished_run_is_asked_more_in_words(trained_copy: Any) -> None:
    run = trained_copy.runs / "mine"
    folders = [run / "audits" / f"step={step:06d}.house.test" for step in (0, 4)]
    config = (run / "config.yaml").read_bytes()
    in_words = ("audit.answers=[scored,replies]",)
    for words, asked in (
        ((*in_words, "audit.replies_limit=1"), {"capital-0", "capital-1", "meal"}),
        (in_words, {"capital-0", "capital-1", "sea-0", "sea-1", "meal"}),
        (("audit.answers=[scored]",), set()),
    ):
        scored = [read_items(folder / "items.parquet") for folder in folders]
        outcome = trained_copy.call("test", "--run", run, *words)
        assert outcome.code == 0, outcome.err
        for folder, before in zip(folders, scored, strict=True):
            assert read_items(folder / "items.parquet").equals(before)
            replies = folder / "replies.parquet"
            assert (set(read_items(replies)["query_id"]) if replies.is_file() else set()) == asked
    assert (run / "config.yaml").read_bytes() == config
    outcome = trained_copy.call("test", "--run", run, "audit.replies_limit=0")
    assert outcome.code == 2
    assert "replies_limit" in outcome.err


def test_questions_of_several_languages_are_slices_of_the_audit(trained_copy: Any) -> None:
    words = write_questions(trained_copy, 6)
    file = trained_copy.folder / "rivers.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rows = [{**row, "language": "fr" if number % 3 else "en"} for number, row in enumerate(rows)]
    trained_copy.write_rows(rows, file.name)
    assert trained_copy.call("test", "--run", trained_copy.runs / "mine", *words).code == 0
    analysis = json.loads(
        (trained_copy.runs / "mine" / "audits" / "step=000004.rivers.test" / "analysis.json").read_text()
    )
    found = {one["name"]: one["facts"]["n_questions"] for one in analysis["slices"] if one["dimension"] == "language"}
    assert found == {"en": 2, "fr": 4}


def test_a_run_is_warned_of_by_the_audit_of_its_own_questions(
    trained_copy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else it was asked, under a name that comes before its own or not."""
    run, looked = trained_copy.runs / "mine", list[str]()
    words = [*write_questions(trained_copy, 2), "data.name=aaa", "audit.answers=[scored,replies]"]
    assert trained_copy.call("test", "--run", run, *words).code == 0
    assert trained_copy.call("test", "--run", run, "audit.answers=[scored,replies]").code == 0

    class Looked(Audit):
        def __init__(self, folder: Path) -> None:
            looked.append(folder.name)
            super().__init__(folder)

    monkeypatch.setattr("trialign.api.asking.Audit", Looked)
    known_harm(open_run(run), None)
    assert looked == ["step=000004.house.test", "step=000000.house.test"]
