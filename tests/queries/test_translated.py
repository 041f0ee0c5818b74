"""Questions in several languages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from trialign.errors import UserError
from trialign.groups import SocialGroup
from trialign.queries import PreferenceQuery, TruthQuery
from trialign.queries.answers import is_correct, parse_answer
from trialign.queries.readers import query_to_row, row_to_query
from trialign.queries.translated import known, languages_of, told_in, untold

pytestmark = pytest.mark.unit

FRENCH = {"question": "Quel métal est liquide ?", "options": ["Fer", "Or", "Mercure"]}
METAL: dict[str, Any] = {
    "id": "metal",
    "split": "test",
    "kind": "truth",
    "question": "Which metal is liquid?",
    "options": ["Iron", "Gold", "Mercury"],
    "gold": "Mercury",
    "folk": "Gold",
    "language": "en",
    "texts": {"fr": FRENCH},
}
WRITER: dict[str, Any] = {
    "id": "writer",
    "split": "test",
    "kind": "truth",
    "answer_kind": "text",
    "question": "Who wrote War and Peace?",
    "gold": "Leo Tolstoy",
    "aliases": ["Tolstoy"],
    "texts": {"ru": {"question": "Кто написал «Войну и мир»?", "gold": "Лев Толстой", "aliases": ["Толстой"]}},
}


def test_a_choice_is_asked_in_the_language_and_compared_under_its_first_name() -> None:
    stated = row_to_query(METAL)
    assert isinstance(stated, TruthQuery)
    told = told_in(stated, "fr")
    assert (told.question, told.options) == (FRENCH["question"], ("Fer", "Or", "Mercure"))
    assert (told.gold, told.folk, told.language) == ("Mercure", "Or", "fr")
    assert told.gold_index == stated.gold_index == 2
    assert [known(told, option) for option in (*told.options, None)] == ["Iron", "Gold", "Mercury", None]
    assert [known(stated, option) for option in (*stated.options, None)] == [*stated.options, None]
    assert told_in(stated, "de") == told_in(stated, "") == stated
    assert told_in(told, "fr") == told


def test_a_taste_keeps_its_targets_in_the_order_of_its_options() -> None:
    taste = PreferenceQuery(
        query_id="drink",
        cluster="drink",
        split="train",
        topic="",
        question="Tea or milk?",
        options=("tea", "milk"),
        targets={"north": (0.75, 0.25)},
        texts=row_to_query({**METAL, "texts": {"fr": FRENCH}}).texts,
    )
    told = told_in(replace(taste, texts={"fr": replace(taste.texts["fr"], options=("thé", "lait"))}), "fr")
    assert (told.options, told.targets) == (("thé", "lait"), {"north": (0.75, 0.25)})
    assert known(told, "lait") == "milk"


def test_a_free_answer_is_right_in_both_languages_and_has_one_name() -> None:
    stated = row_to_query(WRITER)
    told = told_in(stated, "ru")
    assert isinstance(told, TruthQuery)
    for reply in ("Лев Толстой", "Его написал Толстой.", "Leo Tolstoy", "Tolstoy"):
        found = parse_answer(told, reply).canonical
        assert is_correct(told, found), reply
        assert known(told, found) == parse_answer(stated, "Leo Tolstoy").canonical == "leo tolstoy"
    wrong = parse_answer(told, "Достоевский").canonical
    assert not is_correct(told, wrong)
    assert known(told, wrong) == "достоевский"


def test_rows_with_texts_come_back_and_rows_without_have_none() -> None:
    for row in (METAL, WRITER):
        query = row_to_query(row)
        assert row_to_query(query_to_row(query)) == query
        assert query.texts
    bare = query_to_row(row_to_query({key: value for key, value in METAL.items() if key not in ("language", "texts")}))
    assert (bare["language"], bare["texts"]) == (None, None)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"fr": {**FRENCH, "options": ["Fer", "Or"]}}, "there are 2 options, and the question has 3"),
        ({"fr": {**FRENCH, "options": ["Or", "Or", "Fer"]}}, "an option is empty, or there twice"),
        ({"fr": {**FRENCH, "options": ["Or", " ", "Fer"]}}, "an option is empty, or there twice"),
        ({"fr": {**FRENCH, "question": " "}}, "'question' is missing"),
        ({"fr": {**FRENCH, "gold": "Mercure"}}, "a text of a choice answer has no 'gold'"),
        ({"fr": {**FRENCH, "title": "x"}}, "'texts.fr' has the unknown key 'title'"),
        ({"fr": "Quel métal ?"}, r"'texts.fr' is 'Quel métal \?', not a mapping"),
        ({"en": FRENCH}, "'texts' has the language 'en', which is the question's own"),
        ({"": FRENCH}, "'texts' has the language '', which is empty"),
        ([FRENCH], "'texts' is .* not a mapping"),
    ],
)
def test_bad_texts_are_refused_by_name(texts: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        row_to_query({**METAL, "texts": texts}, place="a.jsonl, row 2")


def test_a_question_has_a_language_where_all_groups_are_asked_in_it() -> None:
    metal, writer = row_to_query(METAL), row_to_query(WRITER)
    english, french = SocialGroup("a", "A", language="en"), SocialGroup("b", "B", language="fr")
    assert languages_of([metal, writer], [english]) == {"metal": "en"}
    assert languages_of([metal, writer], [french]) == {"metal": "fr"}
    assert languages_of([metal, writer], [english, french]) == {}


def test_questions_without_a_text_in_a_groups_language_are_counted() -> None:
    metal, writer = row_to_query(METAL), row_to_query(WRITER)
    groups = [SocialGroup("a", "A", language="fr"), SocialGroup("b", "B"), SocialGroup("c", "C", language="en")]
    assert untold([metal, writer], groups) == [
        "1 of 2 questions have no text in 'fr', the language of 'a', and are asked as they stand",
        "1 of 2 questions have no text in 'en', the language of 'c', and are asked as they stand",
    ]
    assert untold([metal], groups) == []
