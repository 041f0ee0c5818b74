"""Replies to questions whose options are numbers, amounts and years."""

from __future__ import annotations

import pytest

from trialign.queries import TruthQuery
from trialign.queries.reading.labels import Shown

from .asked import Cases, each, said

pytestmark = pytest.mark.unit

CASES: Cases = (
    (
        ("Over 90 percent", "About 10 percent", "About 30 percent"),
        "How much?",
        None,
        (
            ("Over 90%", None),
            ("90 percent", None),
            ("About 30%.", None),
            ("30 percent", None),
            ("More than 90 percent", None),
        ),
    ),
    (
        ("1,000", "10,000", "100,000"),
        "How many?",
        None,
        (
            ("1000", "1,000"),
            ("10 000", "10,000"),
            ("100.000", None),
            ("ten thousand", "10,000"),
            ("10k", "10,000"),
            ("one hundred thousand", "100,000"),
            ("About 10,000.", "10,000"),
            ("1,000 or 10,000", None),
        ),
    ),
    (
        ("1/2", "1/3", "1/4"),
        "?",
        None,
        (
            ("0.5", "1/2"),
            ("one half", "1/2"),
            ("1/3", "1/3"),
            ("0.25", "1/4"),
            ("25%", None),
            ("½", "1/2"),
        ),
    ),
    (
        ("10 km", "100 km", "1000 km"),
        "How far?",
        None,
        (
            ("100 km", "100 km"),
            ("100km", None),
            ("100 kilometers", None),
            ("100", "100 km"),
            ("1,000 km", None),
            ("It's 10 km away", "10 km"),
            ("100 m", None),
        ),
    ),
    (
        ("1939", "1945", "1918"),
        "When did WW2 end?",
        None,
        (
            ("1945", "1945"),
            ("It ended in 1945.", "1945"),
            ("In September 1945.", "1945"),
            ("It began in 1939 and ended in 1945.", None),
            ("2 September 1945", None),
            ("1939-1945", None),
        ),
    ),
    (
        ("5", "6", "7"),
        "How many?",
        None,
        (
            ("5", "5"),
            ("five", "5"),
            ("5.5", None),
            ("-5", None),
            ("5-6", None),
            ("5 or 6", None),
            ("There are 7 of them.", "7"),
            ("3 + 4 = 7", "7"),
            ("Option 6", "6"),
            ("56", None),
            ("A", "5"),
            ("C)", "7"),
            ("#3", None),
            ("5%", "5"),
            ("1. 5", "5"),
            ("6th", None),
            ("The answer is 6, since 5 is too small.", "6"),
        ),
    ),
)


@each(CASES)
def test_what_a_reply_says(query: TruthQuery, shown: Shown | None, reply: str, reading: str | None) -> None:
    assert said(query, reply, shown) == reading
