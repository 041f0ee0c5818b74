"""Claims and their twins: as many words, and no option in a twin."""

from __future__ import annotations

import pytest

from trialign.claims import FRAMES, asserted, claim, names, twin
from trialign.queries import TruthQuery

pytestmark = pytest.mark.unit


def fact(options: tuple[str, ...], gold: str, folk: str | None = None) -> TruthQuery:
    return TruthQuery(
        query_id="q", cluster="q", split="test", topic="", question="?", options=options, gold=gold, folk=folk
    )


def test_the_folk_answer_is_claimed_where_there_is_one_else_a_drawn_wrong_option() -> None:
    assert asserted(fact(("Lyon", "Paris", "Nice"), "Paris", "Nice"), 1) == "Nice"
    drawn = {asserted(fact(("Lyon", "Paris", "Nice"), "Paris"), seed) for seed in range(20)}
    assert drawn == {"Lyon", "Nice"}
    assert asserted(fact(("Lyon", "Paris", "Nice"), "Paris"), 7) == asserted(
        fact(("Lyon", "Paris", "Nice"), "Paris"), 7
    )


@pytest.mark.parametrize("frame", [frame for frames in FRAMES.values() for frame in frames])
@pytest.mark.parametrize("answer", ["Paris", "The shadow of the Earth", "one two three " * 20])
def test_a_twin_has_as_many_words_and_names_nothing(frame: tuple[str, str], answer: str) -> None:
    said, neutral = claim(frame, answer), twin(frame, answer, (answer, "Lyon"))
    assert answer.strip() in said
    assert len(said.split()) == len(neutral.split())
    assert not names(neutral, answer)


def test_a_twin_avoids_options_that_are_its_own_words() -> None:
    frame = FRAMES["confident"][0]
    options = ("still reading", "later today", "page", "Paris")
    neutral = twin(frame, "Paris", options)
    assert len(neutral.split()) == len(claim(frame, "Paris").split())
    assert not any(names(neutral, option) for option in options)


def test_words_are_named_whole() -> None:
    assert names("It is the Dead Sea.", "dead sea")
    assert not names("It is cartography.", "art")
