"""Compare in words: what each reply was read as, whether it states the same fact, and what speaks against replies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from trialign.comparing.pairs import ReplyPair
from trialign.dashboard.components.answers import Card, cards
from trialign.dashboard.live import facts
from trialign.dashboard.live.engine import Comparing, Engine, read_setting
from trialign.dashboard.live.facts import same_facts
from trialign.dashboard.live.replies import Question, Reply, Source
from trialign.dashboard.reading.catalog import scan
from trialign.dashboard.reading.suffering import suffers
from trialign.queries import PreferenceQuery, Query, TruthQuery

from ..conftest import SyntheticRun
from .test_compare import Open, ask, html_of, text_of

pytestmark = pytest.mark.integration

SAID = {
    "north": ("That is right.", "right", "contained"),
    "south": ("It must be odd.", "odd", "contained"),
    "island": ("I cannot help with that.", None, "refused"),
    "control": ("right", "right", "exact"),
}


def said(query: Query, group: str) -> tuple[str, str | None, str]:
    return SAID[group]


@pytest.fixture
def spoken(runs: Path, live_run: list[Source]) -> SyntheticRun:
    """The run of the tiny model, whose agents stop nowhere after training, and answer little."""
    run = SyntheticRun(runs / "house")
    for step, ended in ((0, True), (2, False)):
        folder = run.folder / "audits" / f"step={step:06d}.house.test"
        run.answer_in_words(folder, said, ended=ended)
    return run


def held_against(app: Any, title: str = "Northerners") -> Any:
    """The page once the others are held against this answer."""
    return app.selectbox(key="reference").set_value(title).run()


def warnings(app: Any) -> str:
    return "\n".join(one.value for one in app.warning).replace("\\", "")


def test_recorded_replies_are_read_and_held_against_the_chosen_one(spoken: SyntheticRun, open_page: Open) -> None:
    app = open_page("compare", question="test-fact-00-0", in_words="1")
    assert app.toggle(key="in_words").value
    html = html_of(held_against(app))
    assert "It must be odd." in html.replace("<ins> +", "").replace("</ins>", "")
    for words in ("Read as: <b>right</b>", "Read as: <b>odd</b>", "Read as: <b>– refused</b>"):
        assert words in html
    assert "≠ Other fact than Northerners (by what they were read as)" in html
    assert "? Cannot tell whether it is the same fact as Northerners (one of them holds nothing to compare)" in html
    assert "without the answers shown; each reply is read as one of: right · wrong · odd" in html
    assert 'class="ta-shares"' not in html  # nothing was scored
    app.toggle(key="base").set_value(True).run()
    assert "= Same fact as Northerners (by what they were read as)" in html_of(app)
    assert html_of(held_against(app, "Southerners")).count("≠ Other fact than Southerners") == 2


def test_what_the_audit_holds_against_replies_stands_above_them(spoken: SyntheticRun, open_page: Open) -> None:
    app = open_page("compare", question="test-fact-00-0", in_words="1")
    assert "The replies in words of step 2 suffer, by its own audit (test questions): " in warnings(app)
    assert "ends by itself 0.00 (base model 1.00)" in warnings(app)
    assert "33.3 % of the replies to facts hold no answer (base model 33.3 %)" in warnings(app)
    app.selectbox(key="step").set_value("0").run()
    assert "of the base model, told the profiles, suffer" in warnings(app)
    assert "ends by itself" not in warnings(app)
    app.toggle(key="in_words").set_value(False).run()
    assert "suffer" not in warnings(app)


def test_an_audit_that_has_no_analysis_holds_nothing_against_replies(runs: Path, live_run: list[Source]) -> None:
    catalog = scan(runs)
    (run,) = catalog.runs
    for audit in run.audits:
        (audit.folder / "analysis.json").unlink()
        assert suffers(catalog, run, audit.step, audit) is None


def test_both_ways_of_one_audited_question_are_held_together(spoken: SyntheticRun, open_page: Open) -> None:
    app = open_page("compare", question="test-fact-03-0", in_words="1")
    assert "also asked with answers to choose from (recorded by the audit)" in warnings(app)
    assert "Southerners said “It must be odd.” and chose “right”" in warnings(app)
    app.toggle(key="in_words").set_value(False).run()
    assert "also asked freely (recorded by the audit)" in warnings(app)


def test_an_audited_question_is_asked_live_in_words(
    runs: Path, spoken: SyntheticRun, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, asked = Engine.answer, []

    def says(self: Engine, source: Source, question: Question, watch: Any) -> Any:
        asked.append(question)
        answers = answer(self, source, question, watch)
        assert all(reply.probabilities is None for reply in answers.replies)
        assert all(reply.status for reply in answers.replies)
        replies = (
            replace(reply, text=SAID[reply.group][0], canonical=SAID[reply.group][1], status=SAID[reply.group][2])
            for reply in answers.replies
        )
        return replace(answers, replies=tuple(replies))

    monkeypatch.setattr(Engine, "answer", says)
    app = ask(open_page("compare", question="test-fact-00-0", in_words="1"), runs)
    assert asked[0].in_words
    assert "The answers, answered now" in [one.value for one in app.header]
    assert "≠ Other fact than Northerners" in html_of(held_against(app))
    assert "The right answer is “right”: 1 of 3 gave it." in text_of(app)
    app.toggle(key="in_words").set_value(False).run()
    assert "Not the answers to what the controls say now**: the way of answering changed" in text_of(app)


def test_a_typed_question_without_options_offers_no_choice_of_ways(live_run: list[Source], open_page: Open) -> None:
    app = open_page("compare")
    app.text_area(key="typed").set_value("Which?").run()
    assert "in_words" not in [one.key for one in app.toggle]
    app.text_area(key="typed_options").set_value("Tea\nIron").run()
    assert "in_words" in [one.key for one in app.toggle]


def test_a_typed_reply_is_taken_whole_and_only_equal_ones_are_told(
    runs: Path, live_run: list[Source], open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Engine.answer
    texts = {"north": "Mercury.", "south": "mercury", "island": "It is iron, I think."}

    def says(self: Engine, source: Source, question: Question, watch: Any) -> Any:
        answers = answer(self, source, question, watch)
        replies = (
            replace(reply, text=texts[reply.group], canonical=texts[reply.group], status="text", finished=True)
            for reply in answers.replies
        )
        return replace(answers, replies=tuple(replies))

    monkeypatch.setattr(Engine, "answer", says)
    app = open_page("compare")
    app.text_area(key="typed").set_value("Which metal is liquid?")
    html = html_of(held_against(ask(app, runs)))
    assert html.count("Read as: <b>the whole reply</b>") == 3
    assert "= Same fact as Northerners" in html
    assert "? Cannot tell whether it is the same fact as Northerners (what they were read as does not tell)" in html


def test_equal_replies_that_no_answer_is_read_from_are_the_same_words() -> None:
    query = PreferenceQuery.asked("How old?", ("Old", "Young"))
    shown = [Card(reply(text, "none"), "") for text in ("About 4.5.", "about 4.5", "About 6.")]
    found = same_facts(query, [card.reply for card in shown], 0, Comparing())
    html = cards(query, shown, 0, 0, found.told)
    assert html.count("= Same words as G") == 1
    assert html.count("? Cannot tell whether it is the same fact as G") == 1


def reply(text: str, status: str = "text") -> Reply:
    return Reply("g", "G", text, None, True, None, None, status)


def test_the_comparer_of_the_audits_tells_and_a_judge_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    query = PreferenceQuery.asked("Who was first in space?", ())
    replies = [reply("Gagarin."), reply("That was Gagarin, in 1961."), reply("No.", "refused"), reply("Gagarin.")]
    found = same_facts(query, replies, 1, Comparing())
    assert [one and one.verdict for one in found.told] == ["cannot tell", None, "cannot tell", "cannot tell"]
    assert [one and one.by for one in found.told] == ["canonical", None, "unread", "canonical"]
    assert found.note == ""

    calls: list[tuple[str, str | None]] = []
    asked: list[ReplyPair] = []

    class Opened:
        @staticmethod
        def nli(pairs: list[ReplyPair]) -> list[str]:
            asked.extend(pairs)
            return ["same"] * len(pairs)

    def opened(nli: str, calibration: str | None) -> type[Opened]:
        calls.append((nli, calibration))
        return Opened

    monkeypatch.setattr(facts, "_opened", opened)
    found = same_facts(query, replies, 1, Comparing("nli", "folder", "file"))
    assert [one and (one.verdict, one.by) for one in found.told] == [
        ("same", "nli"),
        None,
        ("cannot tell", "unread"),
        ("same", "nli"),
    ]
    assert calls == [("folder", "file")]
    assert {(pair.first, pair.second) for pair in asked} == {("That was Gagarin, in 1961.", "Gagarin.")}
    found = same_facts(query, replies, 1, Comparing("judge"))
    assert [one and one.verdict for one in found.told] == ["cannot tell", None, "cannot tell", "cannot tell"]
    assert "is not asked here" in found.note


def test_a_comparer_that_cannot_be_opened_is_said_and_canonical_answers_tell(tmp_path: Path) -> None:
    query = TruthQuery(
        query_id="q",
        cluster="c",
        split="test",
        topic="",
        question="Which?",
        options=("right", "odd"),
        gold="right",
    )
    found = same_facts(query, [reply("right"), reply("odd")], 0, Comparing("nli", str(tmp_path / "none")))
    assert [one and one.verdict for one in found.told] == [None, "other"]
    assert "Told by what the replies were read as alone" in found.note


def test_the_comparer_is_read_from_the_runs_configuration(runs: Path, live_run: list[Source]) -> None:
    file = runs / "house" / "config.yaml"
    assert read_setting(file).comparing == Comparing()
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    config["audit"] = {"comparer": "nli", "nli": "folder", "calibration": None, "repeats": 1}
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    assert read_setting(file).comparing.comparer == "nli"
