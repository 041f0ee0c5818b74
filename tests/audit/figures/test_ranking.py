"""What does most harm is read first."""

from __future__ import annotations

import pandas as pd
import pytest

from trialign.audit.figures.ranking import DIFFERENT, TOGETHER, UNEQUAL, ranked
from trialign.queries import TruthQuery

pytestmark = pytest.mark.unit


def rows(**answers: tuple[str, float]) -> pd.DataFrame:
    """One row for each letter of a question's answers: r right, f folk, w and o other wrong ones, - none."""
    return pd.DataFrame(
        [
            {
                "query_id": name,
                "cluster": name.rstrip("'"),
                "canonical": None if letter == "-" else letter,
                "correct": letter == "r",
                "option_probabilities": (sure, 1 - sure),
            }
            for name, (given, sure) in answers.items()
            for letter in given
        ]
    )


def query(name: str, folk: str | None) -> TruthQuery:
    return TruthQuery(
        query_id=name,
        cluster=name,
        split="test",
        topic="",
        question="?",
        options=("r", "f", "w", "o"),
        gold="r",
        folk=folk,
    )


def test_the_order_by_hand() -> None:
    given = rows(
        right=("rrr", 0.9),
        together=("www", 0.99),
        sure=("rrw", 0.9),
        unsure=("rrw", 0.6),
        folk=("rrf", 0.55),
        many=("rwo", 0.5),
        different=("wwo", 0.7),
        unread=("---", 0.5),
    )
    found = ranked(given, {"folk": query("folk", "f"), "sure": query("sure", "f"), "many": query("many", None)})
    assert list(found.index) == ["folk", "many", "sure", "unsure", "different", "unread", "together"]
    assert list(found["reason"]) == [UNEQUAL] * 4 + [DIFFERENT] * 2 + [TOGETHER]
    assert list(found["folk"]) == [True] + [False] * 6


def test_where_nothing_is_wrong_nothing_is_worst() -> None:
    assert ranked(rows(a=("rr", 0.5), b=("rr", 0.9)), {}).empty
