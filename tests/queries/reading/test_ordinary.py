"""Answers in ordinary sentences, and sentences of the same form that give none."""

from __future__ import annotations

from typing import Any

import pytest

from trialign.queries import TruthQuery
from trialign.queries.answers import parse_answer

pytestmark = pytest.mark.unit

SHARED: dict[str, Any] = {"query_id": "q", "cluster": "q", "split": "test", "topic": ""}
CAPITAL = TruthQuery(
    question="What is the capital of Australia?",
    gold="Canberra",
    options=("Sydney", "Canberra", "Perth", "Hobart"),
    **SHARED,
)


def number(question: str, reply: str) -> str | None:
    query = TruthQuery(question=question, gold="1", answer_kind="numeric", **SHARED)
    return parse_answer(query, reply).canonical


@pytest.mark.parametrize(
    "reply",
    [
        "I'd go with B, since Canberra is where Parliament sits.",
        "I'd pick B, as A is only the largest.",
        "I am going with B here, no contest.",
        "Ich würde B sagen.",
        "Ich würde B wählen, weil A nur größer ist.",
        "Ik zou B zeggen.",
        "Jag skulle säga B.",
        "Powiedziałbym, że B.",
        "Eu diria B.",
        "Bだと思います。",
        "我选B。",
        "A ✗, B ✓",
        "While Sydney is large, Canberra is the capital.",
        "Although Sydney is the best known, the capital is Canberra.",
        "Sydney is not the capital. Canberra is.",
        "People often confuse Sydney with the capital. It is Canberra.",
        "Sydney is the largest city, so it is B.",
        "Sydney. Scratch that. Canberra.",
        "Sydney. Sorry, I misspoke: the answer is Canberra.",
    ],
)
def test_an_answer_in_an_ordinary_sentence_is_read(reply: str) -> None:
    assert parse_answer(CAPITAL, reply, "lettered").canonical == "Canberra"


@pytest.mark.parametrize(
    "reply",
    [
        # beside others: a list, "as can B", equals, reports, conditions, a choice asked back
        "A, B and D are wrong.",
        "Options A and C are out, as is B.",
        "Sydney is not the capital, Canberra neither.",
        "Sydney is wrong, Canberra as well.",
        "Sydney isn't it, Canberra isn't either.",
        "Some say Sydney, some Canberra.",
        "Some would say Sydney, others Canberra.",
        "While Sydney is large, Canberra is the second largest.",
        "While Sydney is the capital, Canberra is the capital.",
        "I'd say B, wouldn't you?",
        # concluded: inversion, order, a question, a report
        "Sydney was founded by the British, so was Canberra.",
        "Sydney is larger, so Canberra is second.",
        "Sydney or so, they think, so Canberra?",
        "Some say Sydney is too loud, so Canberra.",
        # corrected: an excuse for something else, a denial, a doubt
        "Sydney. Sorry for mentioning Canberra earlier.",
        "Sydney. Sorry, not Canberra.",
        "Sydney. Sorry if you wanted Canberra.",
        "Sydney. Sorry, maybe Canberra?",
        "Sydney. Sorry, if not that, Canberra.",
        "Sydney. Wait, I don't know, Canberra.",
        # the speaker's choice: of others, under a condition, in jest, past, wished
        "My teacher would say B.",
        "I would say B if the question were about size.",
        "If I had to lie, I would say B.",
        "I'd never say B.",
        "I'd go with B, said nobody ever.",
        "They want me to say B.",
        "I wish I could say B.",
        "Man würde B sagen, wenn es um Größe ginge.",
        # named alone: others' words, a denial, a question
        "Nobody would call Canberra the capital.",
        "The capital is certainly nowhere near Canberra.",
        "Whoever thinks the capital is Canberra is a fool.",
        "People hope it is Canberra.",
        "Is it Canberra? Who knows.",
        "He said it is Canberra.",
        "Let me see whether Canberra is the capital.",
    ],
)
def test_a_sentence_of_such_a_form_that_gives_no_answer_is_not_read(reply: str) -> None:
    assert parse_answer(CAPITAL, reply, "lettered").canonical is None


def test_one_sentence_that_names_one_answer_is_read_where_it_speaks_of_the_question() -> None:
    shown = ("Paris", "London", "Rio", "Athens")
    games = TruthQuery(question="Which city hosted the 2012 Olympics?", gold="London", options=shown, **SHARED)
    assert parse_answer(games, "They took place in London in the summer of 2012.").canonical == "London"
    assert parse_answer(games, "London is a place that many people like.").canonical is None
    assert parse_answer(games, "They took place in London in the summer of 2012, too.").canonical is None


def test_the_german_also_concludes_and_the_english_one_adds() -> None:
    both = TruthQuery(question="Wer hat recht?", gold="Beide", options=("Anna", "Ben", "Beide", "Keiner"), **SHARED)
    assert parse_answer(both, "Anna hat recht und Ben ebenfalls, also beide.").canonical == "Beide"
    assert parse_answer(CAPITAL, "Sydney is the capital, Canberra also.").canonical is None


def test_where_a_question_denies_what_is_denied_of_others_tells_nothing() -> None:
    query = TruthQuery(question="Which is not a language?", gold="Lego", options=("Lego", "Java", "Ruby"), **SHARED)
    assert parse_answer(query, "Lego is not a language; Java is.").canonical is None


@pytest.mark.parametrize(
    ("question", "reply", "meant"),
    [
        ("When does it boil?", "It boils at 100 degrees at a pressure of 1 atm.", "100"),
        ("At what pressure does it boil?", "It boils at 80 degrees at a pressure of 1 atm.", None),
        ("Solve it.", "x = 10, y = 3", None),  # nobody says which
        ("?", "x = 10, y = 3", "10"),
        ("What is y?", "x = 10, y = 3", "3"),
        ("If x + y = 13 and x - y = 7, what is y?", "x = 10, y = 3", None),  # both are named
        ("Solve for a.", "x = 10, y = 3", None),
        ("What is the boiling point in Celsius?", "212 °F, which is 100 °C.", "100"),
        ("How long is a marathon, in kilometres?", "26.2 miles, i.e. 42.195 km.", "42.195"),
        ("How long is a marathon, in kilometres?", "26.2 miles, not 42 km.", None),
        ("How long is a marathon, in kilometres?", "26.2 miles or 42 km?", None),
        ("How long is it, in metres?", "It is 3 m long, which is 10 feet.", "3"),
        ("How long is it, in metres?", "It is 3 m wide and 20 feet long.", None),
        ("What is the fare in pounds?", "It weighs 3 pounds and costs 9 dollars.", None),
        ("Solve 3x = 7.", "x = 7/3 ≈ 2.33", "7/3"),
        ("Solve 3x = 7.", "x = 7/3 ≈ 3.14", None),
        ("How heavy is it?", "It weighs about 2.5 kilos.", "2.5"),
        ("How heavy is it?", "I was trained in 2023 on much text.", None),
        ("How heavy is it?", "Chapter 7 explains that well.", None),
    ],
)
def test_a_number_by_its_unit_unknown_and_sentence(question: str, reply: str, meant: str | None) -> None:
    assert number(question, reply) == meant
