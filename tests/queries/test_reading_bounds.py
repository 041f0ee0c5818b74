"""However long and repetitive a reply is, what is judged of it is bounded: no time grows with its square."""

from __future__ import annotations

from typing import Any

import pytest

from trialign.queries import TruthQuery
from trialign.queries.answers import parse_answer
from trialign.queries.reading import choice, numeric

pytestmark = pytest.mark.unit

SHARED: dict[str, Any] = {"cluster": "q", "split": "test", "topic": "", "question": "Which is it?"}
TOWN = TruthQuery(query_id="q", gold="Paris", options=("Paris", "Lyon", "Nice"), **SHARED)
COUNT = TruthQuery(query_id="q", gold="12", answer_kind="numeric", **SHARED)


@pytest.mark.parametrize("part", ["B or ", "Paris, ", "A\n"])
def test_of_many_mentions_the_beginning_and_the_end_are_judged(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    original = choice.Named

    def named(row: Any, mentions: Any, *more: Any, **others: Any) -> Any:
        seen.append(len(mentions))
        return original(row, mentions, *more, **others)

    monkeypatch.setattr(choice, "Named", named)
    parse_answer(TOWN, part * 4000)
    assert seen == [200]


def test_the_conclusion_at_the_end_counts_after_many_mentions() -> None:
    assert parse_answer(TOWN, "Paris or Lyon? " * 400 + "So the answer is Nice.").canonical == "Nice"


@pytest.mark.parametrize("part", ["3 ", "1,5 ", "1/2 "])
def test_of_many_numbers_the_beginning_and_the_end_are_judged(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    original = numeric.Numeric._amounts

    def amounts(self: Any, said: str, row: Any, found: Any) -> Any:
        seen.append(len(found))
        return original(self, said, row, found)

    monkeypatch.setattr(numeric.Numeric, "_amounts", amounts)
    parse_answer(COUNT, part * 4000)
    assert seen == [200]


def test_digits_without_end_are_no_number() -> None:
    assert parse_answer(COUNT, "8" * 100_000).canonical is None
    assert parse_answer(COUNT, "8" * 500 + ". So the answer is 12.").canonical == "12"
