"""The page Compare while others ask too: places in the queue, partial answers, and what takes too long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trialign.dashboard.live.queue import LiveQueue
from trialign.dashboard.live.replies import Question, Source
from trialign.queries import Query

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
                break
        raise MemoryError


@pytest.fixture
def held(runs: Path, monkeypatch: pytest.MonkeyPatch) -> _Held:
    engine = _Held()
    queue = LiveQueue(engine, runs, capacity=2, seconds=1e6)
    monkeypatch.setattr("trialign.dashboard.pages.compare.live_queue", lambda _: queue)
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
    assert "1 question is before yours" in html_of(people[1])
    assert "2 questions are before yours" in html_of(people[2])
    assert "2 questions are waiting already" in text_of(people[3])
    press(people[1], "Take the question back")
    assert "taken back" in text_of(people[1])
    assert "1 question is before yours" in html_of(people[2].run())
    held.let.set()


def test_a_question_that_takes_too_long_is_given_up(live_run: list[Source], open_page: Open, held: _Held) -> None:
    queue: LiveQueue = held.queue  # type: ignore[attr-defined]
    queue.seconds = -1
    held.answer = lambda source, asked, watch: watch([])  # type: ignore[method-assign]
    app = open_page("compare")
    app.text_area(key="typed").set_value("Which?")
    press(app, "Ask all agents")
    queue.wait(app.session_state["live_ticket"], LONG)
    app.run()
    assert "was given up" in text_of(app)
