"""The page Compare while others ask too: places in the queue, partial answers, and what takes too long."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.util import calc_hash

from trialign.dashboard.live.queue import LiveQueue
from trialign.dashboard.live.replies import Answers, Question, Reply, Source
from trialign.dashboard.session.settings import Settings
from trialign.queries import Query

from ..conftest import APP, SyntheticRun
from .test_compare import LONG, Open, html_of, press, text_of

pytestmark = pytest.mark.integration


class _Held:
    """An engine that answers nothing until it is let."""

    def __init__(self) -> None:
        import threading

        self.let = threading.Event()

    def answer(self, source: Source, question: Question, watch: Callable[[Any], bool]) -> Any:
        watch(["so far"] * len(question.groups))
        while not self.let.wait(0.01):
            if watch(["so far"] * len(question.groups)):
                return Answers(source.run, source.step, None, (), ())
        raise MemoryError


@pytest.fixture
def held(runs: Path, monkeypatch: pytest.MonkeyPatch) -> _Held:
    engine = _Held()
    queue = LiveQueue(engine, runs, capacity=2, seconds=1e6)
    monkeypatch.setattr("trialign.dashboard.pages.compared.live_queue", lambda _: queue)
    engine.queue = queue  # type: ignore[attr-defined]
    return engine


def test_people_see_their_place_their_partial_answers_and_a_full_queue(
    runs: Path, live_run: list[Source], open_page: Open, held: _Held, queries: tuple[Query, ...]
) -> None:
    people = []
    for _ in range(4):
        app = open_page("compare")
        app.text_area(key="typed").set_value("Which?")
        people.append(press(app, "Ask all agents"))
        if len(people) == 1:
            while "so far" not in html_of(people[0].run()):
                pass
    assert "All agents are answering now" in html_of(people[0])
    assert "1 question is before yours. How many seconds" in html_of(people[1])
    assert "2 questions are before yours" in html_of(people[2])
    assert "2 questions are waiting already" in text_of(people[3])
    press(people[1], "Take the question back")
    assert "taken back" in text_of(people[1])
    assert "1 question is before yours" in html_of(people[2].run())
    held.let.set()


def test_words_that_are_there_when_the_time_is_up_are_shown(
    live_run: list[Source], open_page: Open, held: _Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIALIGN_DASHBOARD_SECONDS", "0.05")
    monkeypatch.setattr(held, "answer", _words_without_end)
    app = open_page("compare", step="1", against="0")
    app.text_area(key="typed").set_value("Which?")
    press(app, "Ask all agents")
    held.queue.wait(app.session_state["live_ticket"], LONG)  # type: ignore[attr-defined]
    app.run()
    assert html_of(app).count("words so far") == html_of(app).count("Cut off after 0.05 s") == 3
    assert "The time was up before the second checkpoint" in "".join(one.value for one in app.warning)


def _words_without_end(source: Source, question: Question, watch: Callable[[Any], bool]) -> Answers:
    while not watch(["words so far"] * len(question.groups)):
        pass
    replies = tuple(Reply(name, name, "words so far", None, False, None, None) for name in question.groups)
    return Answers(source.run, source.step, None, replies, ())


def test_a_question_ends_when_its_page_is_left_and_coming_back_says_so(
    live_run: list[Source], open_page: Open, held: _Held
) -> None:
    app = open_page("compare")
    app.text_area(key="typed").set_value("Which?")
    press(app, "Ask all agents")
    ticket = app.session_state["live_ticket"]
    app._page_hash = calc_hash("items")
    app.run()
    assert held.queue.wait(ticket, LONG).state == "cancelled"  # type: ignore[attr-defined]
    app._page_hash = calc_hash("compare")
    app.run()
    assert "You went to another page, so the agents stopped" in text_of(app)
    assert app.text_area(key="typed").value == "Which?"


def test_another_run_is_not_shown_the_question_of_the_last_one(
    runs: Path, live_run: list[Source], write_run: Callable[..., list[Source]], open_page: Open, held: _Held
) -> None:
    write_run(runs, "other")
    SyntheticRun(runs / "other").audit(1)
    app = open_page("compare", run="house")
    app.text_area(key="typed").set_value("Which?")
    press(app, "Ask all agents")
    ticket = app.session_state["live_ticket"]
    app.selectbox(key="run").set_value("other").run()
    assert not app.exception
    assert held.queue.wait(ticket, LONG).state == "cancelled"  # type: ignore[attr-defined]
    assert "so far" not in html_of(app)


def test_the_page_draws_before_the_models_libraries_are_read(tmp_path: Path) -> None:
    """In a process of its own: in this one they were read long ago."""
    one_run = SyntheticRun(tmp_path / "house").write()
    one_run.audit(0)
    program = f"""
import sys
from streamlit import config
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

class Stop:  # where the libraries would be read
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise SystemExit("torch")

sys.meta_path.insert(0, Stop())
config.set_option("server.address", "127.0.0.1")
import trialign.dashboard.pages.compare
from trialign.dashboard.components import states
drawn = []
states.show, show = lambda markup: drawn.append(str(markup)) or show(markup), states.show
app = AppTest.from_file({str(APP)!r}, default_timeout=60)
app._page_hash = calc_hash("compare")
try:
    app.run()
except SystemExit:
    pass
print(bool([one for one in drawn if "ta-skeleton" in one]), "torch" in sys.modules)
"""
    environment = {**os.environ, **Settings(runs=tmp_path).as_environment()}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.splitlines()[-1:] == ["True False"], done.stderr[-2000:]
