"""How answers came about, in words, and that audits which differ in it say so."""

from __future__ import annotations

from typing import Any

import pytest

from trialign.audit.figures.ways import differing_ways, way_of_answering

pytestmark = pytest.mark.unit


def summary(scoring: str, temperature: float | None = None, **more: Any) -> dict[str, Any]:
    return {"scoring": scoring, "scoring_temperature": temperature, **more}


HELD = {"model": {"structured": "guided_choice"}}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (summary("sum", 1.0), "text, end included"),
        (summary("bytes", 1.0), "per byte of the text, without its end"),
        (summary("pmi", 1.0), "than without the question"),
        (summary("sum", 4.0), "temperature of 4"),
        (summary("sum", 1.0, question=False), "no question was put, only its options"),
        (summary("sampled"), "names"),
        (summary("structured", **HELD), "guided_choice"),
        (summary("sampled", model={"source": "logs"}), "another tool asked, and these are its logs"),
        (summary("sum", 1.0, model={"source": "logs"}), "of the options' texts without their ends"),
        (summary("sampled", clarify=True), "is asked which option it meant"),
        (
            summary("sampled", clarify=True, statuses={"a": {"label": 7, "clarified": 2}, "b": {"clarified": 1}}),
            "3 of 10 replies",
        ),
    ],
)
def test_a_way_in_words(found: dict[str, Any], words: str) -> None:
    assert words in way_of_answering(found)


def test_where_it_is_off_the_remedy_for_unread_replies_is_named() -> None:
    counts = {"a": {"label": 7, "ambiguous": 2, "refused": 4}, "b": {"none": 1}}
    found = summary("sampled", clarify=False, statuses=counts)
    assert "3 of the replies could not be read: audit.clarify=true asks again" in way_of_answering(found)
    assert "audit.clarify" not in way_of_answering({**found, "model": {"source": "logs"}})  # nobody is there to ask
    for other in (
        summary("sampled", clarify=False, statuses={"a": {"label": 7, "refused": 1}}),
        summary("sampled", clarify=True, statuses=counts),
        summary("sum", 1.0, clarify=False, statuses=counts),
        summary("sampled", statuses=counts),  # recorded before audits could ask again
    ):
        assert "audit.clarify" not in way_of_answering(other)


def test_scored_options_are_never_asked_about() -> None:
    assert "asked" not in way_of_answering(summary("sum", 1.0, clarify=True))


@pytest.mark.parametrize(
    ("first", "second", "differ"),
    [
        (summary("sum", 1.0), summary("sum", 1.0, clarify=True), False),
        (summary("sum", 1.0), summary("mean", 1.0), True),
        (summary("sum", 1.0), summary("sum", 1.0, question=False), True),
        (summary("sum", 1.0), summary("sampled"), True),
        (summary("sampled"), summary("structured", **HELD), True),
        (summary("sampled", **HELD), summary("sampled"), True),
        (summary("sampled", clarify=True), summary("sampled"), True),
        (summary("sampled", clarify=True), summary("sampled", clarify=True, statuses={"a": {"clarified": 1}}), False),
    ],
)
def test_audits_that_were_answered_otherwise_say_so(
    first: dict[str, Any], second: dict[str, Any], differ: bool
) -> None:
    said = differing_ways({"one": first, "two": second})
    assert (said is not None) == differ
    if said:
        assert f"one: {way_of_answering(first)}." in said
        assert f"two: {way_of_answering(second)}." in said


@pytest.mark.parametrize(
    ("used", "said"),
    [
        ((1200, 30000, 900, 0, 0), "1,200 requests took 30,000 prompt and 900 reply tokens"),
        ((3, 10, 2, 1, 0), "3 requests took 10 prompt and 2 reply tokens, beside 1 of which the server told no tokens"),
        ((3, 0, 0, 3, 5), "3 requests, of which the server told no tokens; 5 answers were kept from before"),
        ((0, 0, 0, 0, 5), "0 requests took 0 prompt and 0 reply tokens; 5 answers were kept from before"),
    ],
)
def test_what_was_used_is_said(used: tuple[int, ...], said: str) -> None:
    names = ("requests", "prompt_tokens", "reply_tokens", "untold", "kept")
    usage = dict(zip(names, used, strict=True))
    assert way_of_answering({"scoring": "sampled", "usage": usage}).endswith(f"; {said}")
    cost = {**usage, "cost": 0.00123, "currency": "EUR"}
    assert "0.0012 EUR" in way_of_answering({"scoring": "sampled", "usage": cost})
