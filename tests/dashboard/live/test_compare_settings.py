"""The page Compare when controls change: no answer stands under another setting than its own."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.util import calc_hash

from trialign.dashboard.components.markup import Markup
from trialign.dashboard.live.engine import Engine, read_setting
from trialign.dashboard.live.replies import Question, Source
from trialign.dashboard.live.shared import live_queue

from .test_compare import LONG, Open, ask, html_of, press, text_of

pytestmark = pytest.mark.integration


def test_what_was_asked_stands_above_the_answers_and_changed_controls_grey_them_out(
    runs: Path, live_run: list[Source], open_page: Open
) -> None:
    app = open_page("compare")
    app.text_area(key="typed").set_value("Which metal?")
    app.text_area(key="typed_options").set_value("Iron\nMercury")
    ask(app, runs)
    told = next(part.proto.body for part in app.get("html") if "What was asked" in part.proto.body)
    everyone = read_setting(runs / "house" / "config.yaml").everyone
    for words in (
        "Which metal?",
        "Iron · Mercury",
        ", ".join(everyone[name].label for name in everyone if name != "control"),
        "Stated: the agent is told who asks",
        "step 2",
        "asked live, answered ",
        *(everyone[name].explicit[0] for name in ("north", "south", "island")),
    ):
        assert str(Markup.escape(words)) in told
    assert html_of(app).index("What was asked") < html_of(app).index('class="ta-answer"')
    assert "Not the answers" not in text_of(app)

    for change, words in (
        (lambda: app.text_area(key="typed").set_value("Which other metal?"), "the question changed"),
        (lambda: app.text_area(key="typed_options").set_value("Iron\nGold"), "the answers to choose from changed"),
        (lambda: app.toggle(key="base").set_value(True), "the groups changed"),
        (lambda: app.radio(key="profile").set_value("implicit"), "the kind of profile changed"),
        (lambda: app.selectbox(key="step").set_value("1"), "the agents changed"),
    ):
        stood = {key: app.session_state[key] for key in ("typed", "typed_options", "base", "profile", "step")}
        change().run()
        assert f"Not the answers to what the controls say now**: {words}" in text_of(app)
        assert told in html_of(app)  # as it was asked
        for key, value in stood.items():
            app.session_state[key] = value
        app.run()
        assert "Not the answers" not in text_of(app)

    app.selectbox(key="step").set_value("1").run()
    press(app, "Ask again")
    live_queue(runs).wait(app.session_state["live_ticket"], LONG)
    app.run()
    assert "Not the answers" not in text_of(app)
    assert "step 1" in html_of(app)


def test_a_refused_question_clears_the_answers(runs: Path, live_run: list[Source], open_page: Open) -> None:
    app = open_page("compare")
    app.text_area(key="typed").set_value("Which?")
    ask(app, runs)
    assert 'class="ta-answer"' in html_of(app)
    app.text_area(key="typed").set_value("x" * 4001)
    press(app, "Ask all agents")
    assert "at most 4,000 are taken" in text_of(app)
    assert 'class="ta-answer"' not in html_of(app)
    assert 'class="ta-answer"' not in html_of(app.run())


def test_recorded_answers_follow_the_controls_or_say_that_they_do_not(
    runs: Path, live_run: list[Source], open_page: Open
) -> None:
    app = open_page("compare", question="test-fact-00-0")
    assert html_of(app).count('class="ta-answer"') == 3
    app.selectbox(key="step").set_value("0").run()
    assert "before training" in html_of(app)
    app.selectbox(key="step").set_value("1").run()
    assert "recorded no answers to this question for what the controls say" in text_of(app)
    assert 'class="ta-answer"' not in html_of(app)
    app.selectbox(key="against").set_value("2").run()
    assert "The audit did not record step 1" in text_of(app)
    assert html_of(app).count('class="ta-answer"') == 3
    app.selectbox(key="step").set_value("0").run()
    app.toggle(key="base").set_value(True).run()
    html = html_of(app)
    assert html.count('class="ta-answer"') == 7  # two of each group, and one of the base model
    assert "Northerners · before training" in html
    assert "Northerners · step 2" in html
    app.session_state["groups"] = ["south"]
    app.run()
    assert html_of(app).count('class="ta-answer"') == 3


def test_coming_back_restores_all_controls(runs: Path, live_run: list[Source], open_page: Open) -> None:
    app = open_page("compare")
    app.text_area(key="typed").set_value("a private matter")
    app.text_area(key="typed_options").set_value("Yes\nNo")
    app.session_state["groups"] = ["south"]
    app.toggle(key="base").set_value(True)
    app.radio(key="profile").set_value("implicit")
    app.selectbox(key="step").set_value("1")
    app.selectbox(key="against").set_value("0")
    app.run()
    keys = ("way", "typed", "typed_options", "groups", "base", "profile", "step", "against")
    before = {key: app.session_state[key] for key in keys}
    app._page_hash = calc_hash("items")
    app.run()
    assert "typed" not in app.session_state
    for key in [*app.query_params]:  # as a link of the menu does
        del app.query_params[key]
    app._page_hash = calc_hash("compare")
    app.run()
    assert {key: app.session_state[key] for key in keys} == before


def test_the_base_model_stands_once_beside_two_checkpoints(runs: Path, live_run: list[Source], open_page: Open) -> None:
    app = open_page("compare", step="1", against="0", base="1")
    app.text_area(key="typed").set_value("Which?")
    app.text_area(key="typed_options").set_value("Tea\nIron")
    ask(app, runs)
    html = html_of(app)
    assert html.count("<h3") == 7
    assert len(re.findall(r"<h3[^>]*>No profile</h3>", html)) == 1
    assert "Step 1: Of 3 agents," in text_of(app)
    assert "Before training: Of 3 agents," in text_of(app)


def test_a_question_asked_both_ways_is_said_to_be_given_other_facts(
    runs: Path, live_run: list[Source], open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Engine.answer

    def says(self: Engine, source: Source, question: Question, watch: Any) -> Any:
        answers = answer(self, source, question, watch)
        said = "Iron, of course." if not question.query.options else "Mercury"
        replies = (replace(reply, text=said, canonical=said, finished=True) for reply in answers.replies)
        return replace(answers, replies=tuple(replies))

    monkeypatch.setattr(Engine, "answer", says)
    app = open_page("compare")
    app.text_area(key="typed").set_value("Which metal is liquid?")
    ask(app, runs)
    assert not app.warning
    app.text_area(key="typed_options").set_value("Iron\nMercury")
    ask(app, runs)
    (warned,) = (one.value.replace("\\", "") for one in app.warning)
    assert "also asked freely" in warned
    assert "Northerners said “Iron, of course.” and chose “Mercury”" in warned


def test_a_link_to_a_question_goes_before_what_was_typed_last(
    runs: Path, live_run: list[Source], open_page: Open
) -> None:
    app = open_page("compare")
    app.text_area(key="typed").set_value("Which?").run()
    app._page_hash = calc_hash("items")
    app.run()
    app._page_hash = calc_hash("compare")
    app.query_params["question"] = "test-fact-01-0"
    app.run()
    assert app.selectbox(key="item").value == "test-fact-01-0"
    assert "recorded by the audit" in text_of(app)
