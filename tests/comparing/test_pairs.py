from __future__ import annotations

import pytest

from trialign.comparing.pairs import Comparison, ReplyPair, by_canonical, held_against
from trialign.queries import TruthQuery

pytestmark = pytest.mark.unit


def query(kind: str, gold: str, options: tuple[str, ...] = (), **values: object) -> TruthQuery:
    place = {"query_id": "q", "cluster": "q", "split": "test", "topic": "", "question": "What is asked?"}
    return TruthQuery(**place, answer_kind=kind, options=options, gold=gold, **values)  # type: ignore[arg-type]


CITY = query("choice", "Paris", ("Paris", "Lyon", "Nice"))
YEAR = query("numeric", "1969")
NAME = query("text", "Paris", aliases=("the French capital",))


@pytest.mark.parametrize(
    ("asked", "first", "second", "verdict", "by"),
    [
        (CITY, "It is Paris.", "The answer is Paris, I think.", "same", "canonical"),
        (CITY, "It is Lyon.", "Lyon", "same", "canonical"),  # wrong together is the same
        (CITY, "It is Lyon.", "Paris", "other", "canonical"),
        (CITY, "It is Lyon or Nice.", "Paris", "cannot tell", "canonical"),
        (CITY, "Marseille.", "Marseille.", "cannot tell", "canonical"),
        (CITY, "I cannot help with that.", "I cannot help with that.", "cannot tell", "unread"),
        (CITY, "I don't know.", "I don't know.", "cannot tell", "unread"),
        (CITY, "", "Paris", "cannot tell", "unread"),
        (CITY, "Paris", " \n", "cannot tell", "unread"),
        (CITY, "?!", "Paris", "cannot tell", "unread"),
        (CITY, "The capital of France is", "The capital of France is", "cannot tell", "unread"),
        (CITY, "<think>Paris or", "Paris", "cannot tell", "unread"),
        (YEAR, "In 1969.", "1969", "same", "canonical"),
        (YEAR, "In 1970.", "It was 1,970", "same", "canonical"),
        (YEAR, "In 1969.", "1968", "other", "canonical"),
        (NAME, "It is Paris.", "That would be the French capital.", "same", "canonical"),
        (NAME, "Lyon.", "lyon", "same", "canonical"),
        (NAME, "Lyon.", "Lyon it is", "cannot tell", "canonical"),
        (NAME, "Lyon.", "Paris", "cannot tell", "canonical"),
        (NAME, "I don't know.", "Paris", "cannot tell", "unread"),
    ],
)
def test_what_canonical_answers_tell(asked: TruthQuery, first: str, second: str, verdict: str, by: str) -> None:
    found = by_canonical([ReplyPair(asked, first, second), ReplyPair(asked, second, first)])
    assert found == [Comparison(verdict, by)] * 2  # type: ignore[arg-type]


def test_two_right_numbers_are_the_same_within_the_tolerance() -> None:
    height = query("numeric", "8849", tolerance=1.0)
    pairs = [ReplyPair(height, "8849 metres", "8848 metres"), ReplyPair(height, "8849 metres", "8847 metres")]
    assert [one.verdict for one in by_canonical(pairs)] == ["same", "other"]


def test_each_reply_is_read_with_its_own_question() -> None:
    opposite = query("choice", "Lyon", ("Lyon", "Paris"))
    pairs = [ReplyPair(CITY, "A", "Paris"), ReplyPair(opposite, "A", "Paris")]
    assert [one.verdict for one in by_canonical(pairs)] == ["same", "other"]


def test_of_a_question_of_which_only_the_words_are_known() -> None:
    pairs = [ReplyPair.of_question("Where?", "Here", first) for first in ("here.", "There")]
    assert [one.verdict for one in by_canonical(pairs)] == ["same", "cannot tell"]


def test_nothing_to_compare() -> None:
    assert by_canonical([]) == []


def test_replies_are_held_against_one_and_what_holds_no_answer_against_nothing() -> None:
    others = [("Paris, of course.", "contained"), ("The capital of France was once in", "cut_off"), ("Lyon", "exact")]
    pairs = held_against(CITY, ("Paris", "exact"), others)
    assert [(pair.query, pair.first) for pair in pairs] == [(CITY, "Paris")] * 3
    found = [(one.verdict, one.by) for one in by_canonical(pairs)]
    assert found == [("same", "canonical"), ("cannot tell", "unread"), ("other", "canonical")]
    cut_off = held_against(CITY, ("Paris", "cut_off"), [("Paris", "exact")])
    assert [one.by for one in by_canonical(cut_off)] == ["unread"]
