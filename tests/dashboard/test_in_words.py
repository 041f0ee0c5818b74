"""The pages over an audit whose questions were answered in words too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html import unescape

import pytest
from streamlit.testing.v1 import AppTest

from trialign.audit.figures.analysis import read_analysis, write_analysis
from trialign.audit.figures.noticed import refusal_change, trait_changes
from trialign.audit.files.items import read_items
from trialign.queries import Query
from trialign.storage import sha256_of_file

from .conftest import SyntheticRun
from .test_runs import tables
from .test_shell import text_of

pytestmark = pytest.mark.integration

Open = Callable[..., AppTest]
LAST = "audits/step=000004.house.test"


def nothing(query: Query, group: str) -> tuple[str, str | None, str]:
    """What nobody can read."""
    return "bull bull bull", None, "none"


def mixed(query: Query, group: str) -> tuple[str, str | None, str]:
    """North is right, south refuses the first fact and is right otherwise, the others are wrong."""
    if group == "south" and query.cluster == "test-fact-00":
        return "I cannot help with that.", None, "refused"
    return ("It is right.", "right", "contained") if group in ("north", "south") else ("It is odd.", "odd", "contained")


@pytest.fixture
def spoken(one_run: SyntheticRun) -> SyntheticRun:
    """The run, answered in words before and after: readable before, with a refusal after."""
    audits = one_run.folder / "audits"
    one_run.answer_in_words(audits / "step=000000.house.test", lambda *_: ("It is right.", "right", "contained"))
    one_run.answer_in_words(one_run.folder / LAST, mixed, ended=False, nats=2.5)
    return one_run


def test_what_is_not_shown_in_words_is_nowhere_green(one_run: SyntheticRun, open_page: Open) -> None:
    folder = one_run.folder / LAST
    scores = read_analysis(folder / "analysis.json")
    assert scores.verdict is not None
    write_analysis(folder / "analysis.json", replace(scores, verdict=replace(scores.verdict, outcome="holds")))
    one_run.answer_in_words(folder, nothing, repeated=0.5, nats=2.25)
    shown = text_of(open_page("verdict"))
    assert "ta-banner ta-good" not in shown
    assert "Cannot be judged" in shown
    assert "In scores: " in shown
    assert "in words, answered" in shown
    assert "What a reader would notice" in shown
    assert "2.25" in shown
    for page in ("groups", "items", "report", "training"):
        assert "ta-banner ta-good" not in text_of(open_page(page))
    [_, row] = tables(open_page("runs"))[0]
    assert row[1] == "! Cannot be judged"
    assert row[5] == "✓ holds in scores, ✗ fails in words"
    assert "✓ The same facts" not in text_of(open_page("runs"))


def test_items_show_each_reply_what_it_was_read_as_and_beside_it_the_scored_answer(
    spoken: SyntheticRun, open_page: Open
) -> None:
    app = open_page("items", question="test-fact-00-0")
    [grid, scored, words] = tables(app)
    assert words[0] == ["Group", "Reply", "Read as", "Scored answer"]
    assert words[1] == ["Northerners", "It is right.", "right\n✓ right", "= right\n✓ right"]
    assert words[2] == ["Southerners", "I cannot help with that.", "– refused\n✗ wrong", "right\n✓ right"]
    assert words[3] == ["Islanders", "It is odd.", "odd\n✗ wrong", "≠ right\n✓ right"]
    assert scored[1][:2] == ["Northerners", "right"]
    assert {row[0]: row[1:] for row in grid}["What is true of fact 0, in wording 0?"] == ["A ✓"] * 3
    app = open_page("items", question="test-fact-00-0", answers="In words", order="As asked")
    [grid, words, _] = tables(app)
    assert words[0][1] == "Reply"
    assert grid[1] == ["What is true of fact 0, in wording 0?", "A ✓", "– ", "C ✗"]
    assert "24 of 24 questions" in text_of(app)  # no taste was asked in words
    assert "in_words=1" in str(app.get("page_link")[-1].proto)


def test_an_audit_without_words_offers_none(one_run: SyntheticRun, open_page: Open) -> None:
    for name in ("items", "groups"):
        app = open_page(name, answers="In words")
        assert not app.get("button_group"), name
        assert "In words" not in text_of(app)


def test_pairs_in_words_are_those_of_the_analysis(spoken: SyntheticRun, open_page: Open) -> None:
    analysis = read_analysis(spoken.folder / LAST / "analysis.json")
    for way, one in (("Scored", analysis), ("In words", analysis.replies)):
        assert one is not None
        assert one.facts is not None
        matrix, listed = tables(open_page("groups", answers=way))[:2]
        cells = {(row[0], other): row[1 + place] for row in matrix[1:] for place, other in enumerate(matrix[0][1:])}
        for pair in one.facts.pairs:
            assert pair.differ is not None
            assert pair.differ.value is not None
            names = [spoken.groups[group] for group in (pair.first, pair.second)]
            assert cells[names[0], names[1]] == cells[names[1], names[0]] == f"{100 - 100 * pair.differ.value:.1f} %"
            [row] = [row for row in listed if row[0] == f"{names[0]} – {names[1]}"]
            assert row[1] == f"{100 * pair.differ.value:.1f} %"
            assert row[2] == f"{100 * (pair.differ.low or 0):.1f} to {100 * (pair.differ.high or 0):.1f} %"
    assert "answers=In+words" in unescape(text_of(open_page("groups", answers="In words")))


def test_training_shows_what_became_of_the_replies(spoken: SyntheticRun, open_page: Open) -> None:
    before, after = (
        read_items(spoken.folder / "audits" / f"step={step:06d}.house.test" / "replies.parquet") for step in (0, 4)
    )
    found = tables(open_page("training"))
    [by_group] = [one for one in found if one[0] == ["Group", "Right answers", "No answer", "Refused"]]
    south = 100 / 12
    assert by_group[1] == ["Northerners", "100.0 % → 100.0 %", "0.0 % → 0.0 %", "0.0 % → 0.0 %"]
    assert by_group[2] == ["Southerners", f"100.0 % → {100 - south:.1f} %", *[f"0.0 % → {south:.1f} %"] * 2]
    [traits] = [one for one in found if one[0][1:3] == ["Reading", "Change"]]
    rows = {row[0]: row[1:] for row in traits[1:]}
    groups = tuple(spoken.groups)
    changes = (refusal_change(before, after, groups), *trait_changes(before, after, groups))
    assert rows["Ends by itself"][:2] == ["✗ worse", "-1.00"]
    assert rows["Base model's nats a token"] == ["✗ worse", "+1.50", "+1.50 to +1.50", "1.00", "2.50"]
    assert rows["Refuses"][1] == f"{south / 300:+.2f}"
    assert len(rows) == len([one for one in changes if one])
    words = found[-1]
    assert words[0][:3] == ["Measure", "Reading", "Change, points"]
    assert [row[-3:-1] for row in words if row[0].startswith("Right answers, mean")] == [
        ["100.0 %", f"{(100 + 100 - south) / 3:.1f} %"]
    ]


def test_replies_to_other_questions_are_not_paired(spoken: SyntheticRun, open_page: Open) -> None:
    folder = spoken.folder / "audits/step=000000.house.test"
    (folder / "replies.parquet").unlink()
    summary = folder / "summary.json"
    text = summary.read_text(encoding="utf-8")
    import json

    content = json.loads(text)
    del content["replies"], content["files"]["replies.parquet"]
    summary.write_text(json.dumps(content), encoding="utf-8")
    app = open_page("training")
    assert "Only one of the two audits" in text_of(app)


def test_changed_replies_are_refused(spoken: SyntheticRun, open_page: Open) -> None:
    file = spoken.folder / LAST / "replies.parquet"
    file.write_bytes(file.read_bytes() + b"\0")
    assert file.exists()
    assert sha256_of_file(file)
    for name in ("items", "groups", "training"):
        app = open_page(name, answers="In words")
        assert "replies.parquet" in app.error[0].value.replace("\\", ""), name
