"""Questions whose replies are read, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from trialign.queries import TruthQuery
from trialign.queries.answers import parse_answer
from trialign.queries.reading.labels import Shown

#: Options, question, how the prompt showed them, and replies with what they say.
Cases = tuple[tuple[tuple[str, ...], str, Shown | None, tuple[tuple[str, str | None], ...]], ...]


def choice(question: str, options: tuple[str, ...], gold: str = "") -> TruthQuery:
    """A question with options; the first is right unless another is named."""
    return TruthQuery(
        query_id="q",
        cluster="q",
        split="test",
        topic="",
        question=question,
        options=options,
        gold=gold or options[0],
    )


def number(question: str, gold: str = "1") -> TruthQuery:
    """A question for a number."""
    return TruthQuery(
        query_id="q", cluster="q", split="test", topic="", question=question, answer_kind="numeric", gold=gold
    )


CITIES = choice("Which city is the capital of France?", ("Lyon", "Paris", "Nice", "Lille"), "Paris")


def said(query: TruthQuery, reply: str, shown: Shown | None = None) -> str | None:
    """What a reply is read as."""
    return parse_answer(query, reply, shown).canonical


def each(cases: Cases) -> Callable[..., Any]:
    """Runs a test over (question, how its options were shown, reply, reading) of every case."""
    return pytest.mark.parametrize(
        ("query", "shown", "reply", "reading"),
        [(choice(question, options), shown, *case) for options, question, shown, replies in cases for case in replies],
    )
