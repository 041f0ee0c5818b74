"""What the reader decides by: each principle with replies that only it reads right."""

from __future__ import annotations

import pytest

from trialign.queries.reading.endings import rethinks, stops_short
from trialign.queries.reading.languages import spoken_in
from trialign.queries.reading.questions import overlap, words_of
from trialign.queries.reading.tokens import tokens

from . import asked
from .asked import said

pytestmark = pytest.mark.unit

CAPITAL = "Which city is the capital of Norway?"
TOWNS = ("Bergen", "Oslo", "Tromsø")


@pytest.mark.parametrize(
    ("reply", "reading"),
    [
        ("Bergen is a port and Tromsø has the midnight sun, but the capital is Oslo.", "Oslo"),
        ("While Bergen is old and Tromsø is far north, the King lives in Oslo.", None),
        ("Bergen is a port. Tromsø is far north.", None),
        ("Bergen, Tromsø, Oslo. So Oslo.", "Oslo"),
    ],
)
def test_of_several_statements_the_one_counts_that_answers_the_question(reply: str, reading: str | None) -> None:
    assert said(asked.choice(CAPITAL, TOWNS), reply) == reading


@pytest.mark.parametrize("between", ["ah no", "sorry", "ой нет", "哦不", "아니요"])
def test_what_only_hesitates_between_two_answers_corrects_the_first(between: str) -> None:
    assert rethinks(tokens(between))
    assert said(asked.choice(CAPITAL, TOWNS), f"Bergen, {between}, Oslo.") == "Oslo"


def test_what_says_more_than_a_hesitation_corrects_nothing() -> None:
    assert not rethinks(tokens("no port"))
    assert not rethinks(tokens("oh"))


@pytest.mark.parametrize(
    ("reply", "reading"),
    [
        ("Iron is magnetic, and so is nickel.", None),
        ("Iron is magnetic. Nickel is magnetic too.", None),
        ("Neither iron nor nickel is.", "Neither"),
        ("Iron is magnetic; nickel is a coin.", None),
        ("I have read about both metals.", None),
        ("They are both magnetic.", "Both"),
    ],
)
def test_both_and_neither_are_what_is_said_of_all_others(reply: str, reading: str | None) -> None:
    assert said(asked.choice("Which metal is magnetic?", ("iron", "nickel", "Both", "Neither")), reply) == reading


@pytest.mark.parametrize(
    ("reply", "reading"),
    [
        ("They can.", "Yes"),
        ("They can't.", "No"),
        ("Of course not.", "No"),
        ("Penguins cannot fly.", "No"),
        ("Penguins can fly.", "Yes"),
        ("Not at all sure.", None),
        ("Penguins eat fish.", None),
        ("Can penguins fly?", None),
    ],
)
def test_a_reply_without_yes_or_no_answers_by_affirming_or_denying_the_question(
    reply: str, reading: str | None
) -> None:
    assert said(asked.choice("Can penguins fly?", ("Yes", "No")), reply) == reading


@pytest.mark.parametrize(
    ("reply", "reading"),
    [
        ("Each box holds 12. Five boxes hold 60, and we now", None),
        ("Each box holds 12. Then 5 × 12 = 60.", "60"),
        ("5 × 12 = 60, and 4 taken away: 60 − 4 = 56.", "56"),
        ("5 × 12", None),
        ("Half of 9 is 4.5", None),
        ("4 and a half", "4.5"),
        ("84... 91.", None),
        ("84, no, 91.", "91"),
        ("5 to 7", None),
        ("Let x be the number; then 3x = 12.", None),
    ],
)
def test_steps_operands_and_ranges_are_no_answers(reply: str, reading: str | None) -> None:
    assert said(asked.number("How many are left over?"), reply) == reading


def test_a_reply_stops_short_where_its_last_sentence_has_no_end_and_others_do() -> None:
    assert stops_short(tokens("First we add the two. Then we")) > 0
    assert stops_short(tokens("First we add the two. Then we stop.")) == 0
    assert stops_short(tokens("First we add the two\nAnswer: B")) == 0
    assert stops_short(tokens("It is B")) == 0


def test_words_are_the_questions_by_their_roots_degree_and_numbers() -> None:
    asked = words_of("Which is the largest country of 1990?")
    assert overlap(tokens("countries"), asked) > 0
    assert overlap(tokens("the most"), asked) > 0
    assert overlap(tokens("in 1990"), asked) > 0
    assert overlap(tokens("which of the"), asked) == 0


def test_few_words_are_read_in_the_language_of_the_question() -> None:
    assert spoken_in("On iki.", "Bir düzine kaç adettir?") == "tr"
    assert spoken_in("There are twelve of them in the box", "Bir düzine kaç adettir?") == "en"
    assert spoken_in("Двенадцать", "Bir düzine kaç adettir?") == "ru"


@pytest.mark.parametrize("part", ["half of 3 ", "half of ", "half ", "4 and a half of "])
def test_fractions_in_a_row_raise_nothing(part: str) -> None:
    said(asked.number("How many?"), part * 500)
