"""Which questions make no sense without their options."""

from __future__ import annotations

import pytest

from trialign.queries import PreferenceQuery, TruthQuery
from trialign.queries.askable import needs_options

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("Which of these travels fastest?", ("A bullet", "Light")),
        ("Which of the following is a mammal?", ("A dog", "A trout")),
        ("Of these two cities, which is nearer to the North Pole?", ("Rome", "Oslo")),
        ("Choose the best answer: who wrote Faust?", ("Goethe", "Schiller")),
        ("Welche der folgenden Städte liegt am Rhein?", ("Köln", "Ulm")),
        ("下列哪一个是哺乳动物？", ("狗", "鳟鱼")),
        ("Which is a mammal?", ("A dog", "All of the above")),
        ("Which is a mammal?", ("A dog", "A cat", "Both")),
        ("Which is a mammal?", ("A dog", "A cat", "Both A and B")),
        ("The sun is responsible for", ("tides", "plants growing")),
        ("Water boils at ___ degrees.", ("90", "100")),
        ("She is from Iran. She is BLANK.", ("kind", "loud")),
        ("The largest planet is:", ("Mars", "Jupiter")),
        ("True or false: the Earth is flat.", ("True", "False")),
    ],
)
def test_a_question_that_points_at_its_options_needs_them(question: str, options: tuple[str, ...]) -> None:
    assert needs_options(PreferenceQuery.asked(question, options))


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("What is the capital of France?", ("Lyon", "Paris")),
        ("how many legs has a spider", ("6", "8")),
        ("Is the Earth flat?", ("Yes", "No")),
        ("Which lamp should I buy?", ("a calming lamp", "a party lamp")),
        ("How much of the alcohol is left?", ("All of it is gone", "Some is still there")),
        ("What set the sex of these children?", ("The egg", "The sperm")),
        ("What happened in the following year?", ("War", "Peace")),
        ("Quelle est la capitale de la France ?", ("Lyon", "Paris")),
        ("法国的首都是哪里", ("里昂", "巴黎")),
    ],
)
def test_a_question_that_asks_by_itself_needs_none(question: str, options: tuple[str, ...]) -> None:
    assert not needs_options(PreferenceQuery.asked(question, options))


def test_a_question_without_options_needs_none() -> None:
    query = TruthQuery(
        query_id="n", cluster="n", split="test", topic="", question="Of these,", answer_kind="numeric", gold="1"
    )
    assert not needs_options(query)
