"""The four pages over stored audits: what they say, and what they do where something is amiss."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

import pytest
from markupsafe import escape
from streamlit.testing.v1 import AppTest

from trialign.api.results import Audit
from trialign.audit.figures.analysis import read_analysis
from trialign.audit.figures.summary import read_summary, write_summary
from trialign.audit.figures.ways import way_of_answering
from trialign.audit.figures.words import verdict_parts
from trialign.audit.report import build_report
from trialign.dashboard.components.markup import unbroken

from .conftest import SyntheticRun
from .test_shell import text_of

pytestmark = pytest.mark.integration

Open = Callable[..., AppTest]
HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script> ![x](http://example.org/x.png) [y](javascript:z)'
PAGES = ("verdict", "items", "groups", "training")


def test_the_verdict_is_that_of_the_analysis(one_run: SyntheticRun, open_page: Open) -> None:
    analysis = read_analysis(one_run.folder / "audits/step=000004.house.test/analysis.json")
    facts, verdict = analysis.facts, analysis.verdict
    assert facts is not None
    assert verdict is not None
    shown = text_of(open_page("verdict"))
    title, _, said = verdict.sentence.partition(": ")
    assert title in shown
    assert unbroken(said) in shown
    for name, _, outcome, sentence in verdict_parts(verdict, facts, analysis.bounds, one_run.groups):
        assert f"<strong>{name}, {outcome}:</strong> {escape(unbroken(sentence))}" in shown
    for group, estimate in facts.accuracy.items():
        assert estimate.value is not None
        assert f"{100 * estimate.value:.1f} %" in shown, group
    assert "Northerners" in shown


def test_the_verdict_says_how_answers_were_got_and_what_that_took(one_run: SyntheticRun, open_page: Open) -> None:
    file = one_run.folder / "audits" / "step=000004.house.test" / "summary.json"
    used = {"requests": 1200, "prompt_tokens": 4300, "reply_tokens": 510, "untold": 0, "kept": 7}
    stated = {**read_summary(file), "usage": {**used, "cost": 1.25, "currency": "EUR"}}
    write_summary(file, stated)
    said = "\n".join(caption.value for caption in open_page("verdict").caption).replace("\\", "")
    assert f"Answer to a choice: {way_of_answering(stated)}." in said
    assert "1,200 requests took 4,300 prompt and 510 reply tokens, 1.2500 EUR; 7 answers were kept" in said


def test_a_cell_of_the_matrix_leads_to_the_questions_on_which_the_two_differ(
    one_run: SyntheticRun, open_page: Open
) -> None:
    audit = "test, before training (house)"
    shown = text_of(open_page("groups", run="house", audit=audit))
    assert "first=Northerners&amp;second=Southerners" in shown
    items = open_page("items", run="house", audit=audit, first="Northerners", second="Southerners")
    assert items.selectbox(key="first").value == "Northerners"
    shown = text_of(items)
    assert "2 of 26 questions" in shown
    assert "What is true of fact 0, in wording 1?" in shown
    assert "fact 3" not in shown


def test_a_question_in_the_url_is_opened(one_run: SyntheticRun, open_page: Open) -> None:
    app = open_page("items", question="test-fact-05-1")
    assert "What is true of fact 5, in wording 1?</h2>" in text_of(app)
    app.button(key="Next question").click().run()
    assert app.query_params["question"] == "test-fact-06-0"
    assert "What is true of fact 6, in wording 0?</h2>" in text_of(app)


def test_a_filter_that_nothing_passes_says_so(one_run: SyntheticRun, open_page: Open) -> None:
    app = open_page("items", words="no such words")
    assert "No question passes these filters" in app.info[0].value


def test_training_shows_what_the_command_line_compares(one_run: SyntheticRun, open_page: Open) -> None:
    audits = one_run.folder / "audits"
    before, after = (Audit(audits / f"step={step:06d}.house.test") for step in (0, 4))
    shown = text_of(open_page("training"))
    assert "with 95 % intervals" in shown
    for change, low, high in after.changes_from(before).values():
        assert f"{100 * change:+.1f}" in shown
        assert f"{100 * low:+.1f} to {100 * high:+.1f}" in shown


def test_intervals_have_the_confidence_that_the_audit_was_given(one_run: SyntheticRun, open_page: Open) -> None:
    audits = one_run.folder / "audits"
    before, strict = (Audit(audits / f"step={step:06d}.house.test") for step in (0, 4))
    wide = strict.changes_from(before)
    rmtree(strict.folder)
    loose = Audit(one_run.audit(4, wrong={1: ("north", "south", "island")}, alpha=0.4))
    narrow = loose.changes_from(before)
    assert loose.confidence == pytest.approx(0.6)
    assert wide["mean"][1] <= narrow["mean"][1] <= narrow["mean"][2] < wide["mean"][2]
    shown = text_of(open_page("training"))
    assert "with 60 % intervals" in shown
    for _, low, high in narrow.values():
        assert f"{100 * low:+.1f} to {100 * high:+.1f}" in shown


def test_different_question_sets_are_not_compared(one_run: SyntheticRun, open_page: Open) -> None:
    one_run.audit(0, split="validation")
    app = open_page("training", before="validation, before training (house)")
    assert "asked different questions" in app.error[0].value


def test_a_single_audit_names_the_command_for_a_second(runs: Path, open_page: Open) -> None:
    SyntheticRun(runs / "house").write().audit(0)
    assert "trialign test" in open_page("training").info[0].value


@pytest.mark.parametrize("section", ["How training went", "What the agents said to each other"])
def test_what_is_not_stored_is_said_to_be_absent(one_run: SyntheticRun, open_page: Open, section: str) -> None:
    app = open_page("training", section=section)
    assert len(app.info) == 1
    assert not app.error


def test_the_paths_of_training_are_drawn_and_tabled(one_run: SyntheticRun, open_page: Open) -> None:
    logs = one_run.folder / "logs"
    logs.mkdir()
    text = "step,epoch,train/loss,utility/truth/north,utility/truth/south\n0,0,2.5,0.25,\n1,0,1.5,0.75,0.5\n"
    (logs / "metrics.csv").write_text(text, encoding="utf-8")
    expected = "Right answers expected, group by group (moving average)"
    app = open_page("training", section="How training went", measure=expected)
    assert app.selectbox(key="measure").options == [expected, "Loss, step by step"]
    shown = text_of(app)
    assert "Northerners" in shown
    assert '<td class="ta-number" dir="auto">0.25</td>' in shown
    (logs / "metrics.csv").write_bytes(b"\xff\xfe,\x00")
    assert "cannot be read" in open_page("training", section="How training went").error[0].value


@pytest.mark.parametrize("name", PAGES)
def test_an_audit_of_tastes_alone_opens_everywhere(runs: Path, open_page: Open, name: str) -> None:
    SyntheticRun(runs / "house", facts=0, tastes=4).write().audit(0)
    app = open_page(name)
    assert not app.error


@pytest.mark.parametrize("name", ["items", "training"])
def test_damaged_items_are_named_and_the_page_stays(one_run: SyntheticRun, open_page: Open, name: str) -> None:
    for file in one_run.folder.glob("audits/*/items.parquet"):
        file.write_bytes(file.read_bytes()[:-400])
    app = open_page(name)
    assert "items.parquet" in app.error[0].value.replace("\\", "")
    assert str(one_run.folder) not in app.error[0].value


def test_an_older_audit_without_its_questions_shows_their_ids(one_run: SyntheticRun, open_page: Open) -> None:
    for summary in one_run.folder.glob("audits/*/summary.json"):
        content = json.loads(summary.read_text(encoding="utf-8"))
        del content["files"]
        summary.write_text(json.dumps(content), encoding="utf-8")
        summary.with_name("questions.jsonl").unlink()
    shown = text_of(open_page("items"))
    assert "test-fact-01-0</h2>" in shown  # the first that some group got wrong


def test_the_worst_of_the_verdict_are_those_of_the_report_and_come_first_in_items(
    one_run: SyntheticRun, open_page: Open
) -> None:
    folder = one_run.audit(6, wrong={3: ("north", "south", "island"), 5: ("south",), 7: ("north",)})
    worst = [item.question for item in build_report(folder).worst]
    assert worst == [f"What is true of fact {fact}, in wording 0?" for fact in (5, 7, 3)]
    app = open_page("verdict", run="house", audit="test, step 6 (house)")
    cards = [part.proto.body for part in app.get("html") if "ta-told" in part.proto.body]
    assert [question for question in worst for card in cards if question in card] == worst
    assert "✗ <bdi>Southerners</bdi>: <bdi>wrong</bdi>" in cards[0]
    shown = text_of(open_page("items", run="house", audit="test, step 6 (house)"))
    places = [shown.index(question) for question in worst]
    assert places == sorted(places)


@pytest.mark.parametrize("name", PAGES)
def test_hostile_text_is_shown_and_not_interpreted(runs: Path, open_page: Open, name: str) -> None:
    groups = {"north": HOSTILE, "south": "Southerners", "island": "Islanders"}
    run = HostileRun(runs / "house", groups=groups).write()
    run.audit(0)
    run.audit(4)
    app = open_page(name, words="", question="test-fact-00-0")
    drawn = "\n".join(part.proto.body for part in app.get("html"))
    assert "<img" not in drawn
    assert "<script" not in drawn
    marked = [part.value for part in (*app.markdown, *app.caption, *app.info, *app.error)]
    assert not any("![x](" in value or "[y](javascript" in value for value in marked)
    assert "&lt;script&gt;" in drawn


class HostileRun(SyntheticRun):
    """A run whose questions hold markup of every kind."""

    def queries(self, split: str = "test") -> list[object]:  # type: ignore[override]
        from dataclasses import replace

        return [replace(query, question=f"{HOSTILE} {query.question}") for query in super().queries(split)]
