"""Asking as somebody whom no group stands for: names, ticks, profiles and the page's slider."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from streamlit.testing.v1 import AppTest

from trialign.attributes import Attribute
from trialign.checkpoints import read_agents
from trialign.dashboard.live.engine import Engine, read_setting
from trialign.dashboard.live.replies import Question, Source
from trialign.dashboard.live.values import name_at, numbers_of, ticks, told_at
from trialign.group_config import build_groups
from trialign.queries import Query

from ..samples import AGES
from .test_compare import ask, html_of, text_of

pytestmark = pytest.mark.integration
Open = Callable[..., AppTest]


@pytest.fixture
def aged(live_run: list[Source]) -> list[Source]:
    """The run with agents of people of 20, 45 and 75 years."""
    config = live_run[0].config_file
    stored = yaml.safe_load(config.read_text(encoding="utf-8"))
    config.write_text(yaml.safe_dump({**stored, "groups": AGES}), encoding="utf-8")
    return live_run


def test_ticks_are_round_and_few() -> None:
    assert ticks(Attribute("age", "age", between=(18, 90))) == (20, 30, 40, 50, 60, 70, 80, 90)
    assert ticks(Attribute("x", "x", between=(0, 1))) == (0, 0.2, 0.4, 0.6, 0.8, 1)
    assert ticks(Attribute("x", "x", between=(-40, 120))) == (-40, -20, 0, 20, 40, 60, 80, 100, 120)


def test_somebody_of_another_age_is_told_so_and_has_the_nearest_adapter() -> None:
    groups = build_groups(AGES)
    assert [one.name for one in numbers_of(groups)] == ["age"]
    told = told_at(groups, name_at("north", "age", 59))
    assert told is not None
    assert (told.name, told.label, told.explicit) == ("south", "59 years", ("The user is 59 years old.",))
    assert (told_at(groups, "north@age=61") or told).name == "island"  # 60 is in the middle
    for wrong in ("north", "nobody@age=30", "north@height=30", "north@age=old", "north@age", "north@age=nan="):
        assert told_at(groups, wrong) is None, wrong


def test_wordings_of_their_own_tell_no_other_number() -> None:
    own = {**AGES, "members": {"a": {"attributes": {"age": 20}, "explicit": ["Twenty."]}}}
    assert numbers_of(build_groups({key: one for key, one in own.items() if key not in ("label", "explicit")})) == ()


def test_the_nearest_agent_answers_with_the_number_told(aged: list[Source], queries: tuple[Query, ...]) -> None:
    source = aged[1]
    assert source.checkpoint
    names = ("north", "north@age=30", "north@age=70", "control")
    answers = Engine().answer(source, Question(queries[0], "explicit", names), lambda _: False)
    assert [reply.group for reply in answers.replies] == list(names)
    assert [reply.label for reply in answers.replies] == ["20 years", "30 years", "70 years", "No profile"]
    checkpoint = read_agents(source.checkpoint)
    hashes = [checkpoint.adapter_sha256(name) for name in ("north", "north", "island", "control")]
    assert [reply.adapter_sha256 for reply in answers.replies] == hashes
    told = read_setting(source.config_file).profiles(names)
    assert told["north@age=30"].explicit == ("The user is 30 years old.",)
    # Nothing but the profile differs between the first two, and it is heard.
    assert answers.replies[0].probabilities != answers.replies[1].probabilities


def test_the_slider_asks_the_same_question_at_every_tick(runs: Path, aged: list[Source], open_page: Open) -> None:
    app = open_page("compare")
    assert not app.exception
    app.text_area(key="typed").set_value("Which metal is liquid?")
    app.text_area(key="typed_options").set_value("Iron\nMercury\nGold")
    app.toggle(key="at").set_value(True).run()
    assert "has that of the nearest group" in text_of(app)
    [warned] = [warning.value for warning in app.warning if "outside" in warning.value]
    assert "80, 90: outside the age in years of the groups that were trained, 20 to 75" in warned
    app.select_slider(key="at_range").set_value((30.0, 50.0)).run()
    assert not [warning for warning in app.warning if "outside" in warning.value]
    app.button_group(key="groups").set_value(["south"]).run()
    ask(app, runs)
    asked = app.session_state["live_ticket"].question.groups
    assert asked == ("south@age=30", "south@age=40", "south", "south@age=50")
    html = html_of(app)
    assert all(f"{age} years" in html for age in (45, 30, 40, 50))
    assert "The user is 40 years old." in html
    assert (app.query_params["from"], app.query_params["to"], app.query_params["groups"]) == ("30", "50", "south")


def test_the_page_says_who_answers_where_z_is_made_of_attributes(aged: list[Source], open_page: Open) -> None:
    config = aged[0].config_file
    stored = yaml.safe_load(config.read_text(encoding="utf-8"))
    policy = {**stored["policy"], "adapters": "basis", "basis": {"z": "attributes"}}
    config.write_text(yaml.safe_dump({**stored, "policy": policy}), encoding="utf-8")
    app = open_page("compare")
    app.toggle(key="at").set_value(True).run()
    assert "Each has an agent of its own number" in text_of(app)
    assert "has that of the nearest group" not in text_of(app)


def test_a_set_without_numbers_has_no_slider(live_run: list[Source], open_page: Open) -> None:
    app = open_page("compare")
    assert not [toggle for toggle in app.toggle if toggle.key == "at"]
