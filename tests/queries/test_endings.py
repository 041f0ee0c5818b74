"""What is read from a reply that was cut off."""

from __future__ import annotations

from typing import Any

import pytest

from trialign.queries import PreferenceQuery, Query, TruthQuery
from trialign.queries.endings import read_reply

pytestmark = pytest.mark.unit


def query(kind: type[Query] = TruthQuery, **values: Any) -> Query:
    return kind(query_id="q", cluster="q", split="train", topic="", question="Which?", **values)


CITIES = query(options=("Rome", "New York", "New York City"), gold="Rome")
NUMBER = query(answer_kind="numeric", gold="42")
PERSON = query(answer_kind="text", gold="Marie Curie", aliases=("Curie",))


@pytest.mark.parametrize(
    ("asked", "reply", "whole", "cut_off"),
    [
        (CITIES, "Rome, because", ("Rome", "contained"), ("Rome", "contained")),
        (CITIES, "A. Rome", ("Rome", "label"), ("Rome", "label")),
        (CITIES, "", (None, "none"), (None, "cut_off")),
        (CITIES, "Let me think about", (None, "none"), (None, "cut_off")),
        (CITIES, "Rome is old, New York City is", (None, "cut_off"), (None, "cut_off")),
        # "City" may come next; a sentence that goes on with one more word is not done.
        (CITIES, "New York", ("New York", "exact"), (None, "cut_off")),
        (CITIES, "It is New York, I", (None, "cut_off"), (None, "cut_off")),
        (CITIES, "It is New York City", ("New York City", "contained"), ("New York City", "contained")),
        # Another digit may come next.
        (NUMBER, "It is 42", ("42", "number"), (None, "cut_off")),
        (NUMBER, "It is 42.", ("42", "number"), (None, "cut_off")),
        (NUMBER, "It is 42 metres", ("42", "number"), ("42", "number")),
        (NUMBER, "Let me", (None, "none"), (None, "cut_off")),
        (PERSON, "It was Marie Curie who", ("marie curie", "contained"), ("marie curie", "contained")),
        (PERSON, "The person who found radium", ("the person who found radium", "text"), (None, "cut_off")),
    ],
)
def test_a_reply_that_was_cut_off_counts_where_its_answer_is_settled(
    asked: Query, reply: str, whole: tuple[str | None, str], cut_off: tuple[str | None, str]
) -> None:
    found = read_reply(asked, reply)
    assert (found.canonical, found.status) == whole
    found = read_reply(asked, reply, cut_off=True)
    assert (found.canonical, found.status) == cut_off


def test_an_opinion_in_words_stands_as_far_as_it_goes() -> None:
    asked = query(PreferenceQuery, answer_kind="text", targets={})
    assert read_reply(asked, "I like walking in the", cut_off=True).canonical == "i like walking in the"
    assert read_reply(asked, "", cut_off=True).status == "cut_off"
