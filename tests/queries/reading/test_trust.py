"""What a reply disputes is not read: a wrong reading is worse than none."""

from __future__ import annotations

from typing import Any

import pytest

from trialign.queries import TruthQuery
from trialign.queries.answers import parse_answer

pytestmark = pytest.mark.unit

SHARED: dict[str, Any] = {"query_id": "q", "cluster": "q", "split": "test", "topic": ""}
TOWN = TruthQuery(
    question="What is the capital of France?", gold="Paris", options=("Paris", "Lyon", "Nice", "Lille"), **SHARED
)
BONES = TruthQuery(question="How many bones does an adult have?", gold="206", answer_kind="numeric", **SHARED)
POSSESSIVE = TruthQuery(
    question="Which is the possessive?", gold="its", options=("its", "it's", "its'", "it is"), **SHARED
)


def read(query: TruthQuery, reply: str) -> str | None:
    return parse_answer(query, reply, "lettered").canonical


@pytest.mark.parametrize(
    "reply",
    [
        "Lyon. I stand corrected, not Lyon.",  # denied after it was said
        "It isn't Lyon. Lyon is the largest city on the Rhône.",
        "Lyon. Retiro lo dicho.",  # taken back, and nothing instead
        "Lyon, I think. Consider it changed.",
        "So it is either way round; I'm torn between A and B and can't decide.",  # left open
        "Lyon ... no, the town would be ... hm",
        "Answer: B, that is, Nice.",  # letter and text differ
        r"\boxed{A} Alternatively: \boxed{B}",
        "Paris. Lyon.",
        "~~Lyon~~",  # struck through
    ],
)
def test_a_disputed_option_is_not_read(reply: str) -> None:
    assert read(TOWN, reply) is None


@pytest.mark.parametrize(
    ("reply", "meant"),
    [
        ("I think it's Paris, but I'm not sure.", None),  # an excuse is no dispute
        ("It's Paris; Lyon was the capital of the Gauls.", None),
        ("**A**\n\nB is the third city, C is by the sea, D is in the north.", "Paris"),
        ("Lyon is large, Nice is sunny, Lille is cold.\n\nParis.", "Paris"),  # the conclusion after reasons
        ("Lyon, I was wrong there. Paris.", "Paris"),  # what follows what was taken back
        ("Paris. Wait, was it Lyon? No, my first answer stands.", None),
        ("1. ~~Lyon~~\n2. **Paris**", "Paris"),
        ("<s>Lyon</s> Paris", "Paris"),
        ("Lyon, many people believe this, but it is Paris.", "Paris"),
        ("Paris! Hold on to your hats, it is a big city.", None),
    ],
)
def test_an_undisputed_option_is_read(reply: str, meant: str) -> None:
    assert read(TOWN, reply) == meant


@pytest.mark.parametrize(
    "reply",
    [
        "One book says 206 and another 213. Your guess is as good as mine.",
        "Entre 200 € et 210 €.",
        "Tra le 200 e le 206.",
        "Either 206 bones or 207.",
        r"So the sum is \boxed{\frac{",
        "About 26 miles. In bones? Not sure.",
    ],
)
def test_a_disputed_number_is_not_read(reply: str) -> None:
    assert read(BONES, reply) is None


@pytest.mark.parametrize(
    ("question", "reply", "meant"),
    [
        ("Solve 3x + 4 = 19.", "3x = 15, so x = 15/3 = 5. Check: 3 · 5 + 4 = 19.", None),
        ("How long is a marathon in kilometres?", "42.195km, fixed at the 1908 London games", "42.195"),
        ("كم عظمة في جسم الإنسان؟", "في الجسم مئتان وست وثلاثون عظمة.", "236"),
        ("Сколько человек живёт в городе?", "В городе живёт полтора миллиона человек.", "1500000"),
        ("How tall is the tree, in metres?", "30 metres, or 98 feet.", None),
        ("How many legs have 6 spiders?", "If these were insects the answer would be 36. Spiders: 36 + 12 = 48", None),
    ],
)
def test_a_number_is_read_past_checks_years_and_suppositions(question: str, reply: str, meant: str) -> None:
    assert read(TruthQuery(question=question, gold=meant, answer_kind="numeric", **SHARED), reply) == meant


def test_texts_that_differ_by_an_apostrophe_are_told_apart() -> None:
    assert read(POSSESSIVE, "The possessive is **its**.") == "its"
    assert read(POSSESSIVE, "The possessive is its'.") == "its'"


def test_a_report_that_the_speaker_does_not_share_gives_no_text() -> None:
    query = TruthQuery(question="Which metal conducts best?", gold="silver", answer_kind="text", **SHARED)
    assert read(query, "My neighbour insists it's silver. I wouldn't know.") != "silver"


@pytest.mark.parametrize(
    ("reply", "meant"),
    [
        ("A. Paris, because", "Paris"),  # it was given before the reasons broke off
        ("A\n\nParis has been the capital since", "Paris"),
        ("The answer is Paris, which has been the capital since the", "Paris"),
        ("Paris has been the", None),  # nothing tells what is going to be said of it
        ("A. Paris has been the capital, but Lyon", None),
        ("Not A, because", None),
    ],
)
def test_of_a_reply_that_breaks_off_only_what_it_opens_with_as_its_answer_is_read(
    reply: str, meant: str | None
) -> None:
    assert read(TOWN, reply) == meant
