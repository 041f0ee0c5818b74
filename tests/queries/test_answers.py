from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialign.queries import MixedQuery, PreferenceQuery, Query, TruthQuery
from trialign.queries.answers import canonical_number, is_correct, normal_text, parse_answer
from trialign.queries.reading.labels import Shown
from trialign.queries.statuses import UNREAD_STATUSES

pytestmark = pytest.mark.unit

CITIES = ("Lyon", "Paris", "Paris, Texas", "Nice")


def choice(*options: str, gold: str | None = None) -> TruthQuery:
    return TruthQuery(
        query_id="q",
        cluster="q",
        split="train",
        topic="",
        question="Which one?",
        options=options,
        gold=gold or options[0],
    )


def numeric(gold: str = "42", tolerance: float = 0.0) -> TruthQuery:
    return TruthQuery(
        query_id="q",
        cluster="q",
        split="train",
        topic="",
        question="How many?",
        answer_kind="numeric",
        gold=gold,
        tolerance=tolerance,
    )


def text_query(gold: str = "Marie Curie", aliases: tuple[str, ...] = ()) -> TruthQuery:
    return TruthQuery(
        query_id="q",
        cluster="q",
        split="train",
        topic="",
        question="Who?",
        answer_kind="text",
        gold=gold,
        aliases=aliases,
    )


@pytest.mark.parametrize(
    ("reply", "canonical", "status"),
    [
        ("Paris", "Paris", "exact"),
        ("  **paris**. ", "Paris", "exact"),
        ("PARIS, TEXAS!", "Paris, Texas", "exact"),
        ("B", "Paris", "label"),
        ("b.", "Paris", "label"),
        ("(b)", "Paris", "label"),
        ("(B) Paris", "Paris", "label"),
        ("**B.** It is the capital.", "Paris", "label"),
        ("B) Paris, not Lyon", "Paris", "label"),  # two are named, the label says which
        ("B\nbecause it is large", "Paris", "label"),
        ("Answer: B", "Paris", "label"),
        ("The correct answer is (d).", "Nice", "label"),
        ("2", "Paris", "label"),
        ("2. That one.", "Paris", "label"),
        ("I think it is Paris.", "Paris", "contained"),
        ("It is Paris, Texas, I guess", "Paris, Texas", "contained"),  # the longer option hides "Paris"
        ("Paris or Nice", None, "ambiguous"),
        ("A. Lyon\nB. Paris\nC. Paris, Texas", None, "ambiguous"),  # repeats the list of options
        ("A\nB", None, "ambiguous"),
        ("B. Lyon", None, "ambiguous"),  # label and text contradict each other
        ("1. First I think.\n2. Then I say Nice.", None, "ambiguous"),  # in doubt whether numbered steps are labels
        ("Parisian food", None, "none"),  # no whole word
        ("A dog is not a city", None, "none"),  # an article, no label
        ("Z.", None, "none"),  # a label beyond the options
        ("Options", None, "none"),
        ("İ", None, "none"),
        ("London", None, "none"),
        ("", None, "none"),
        (" \n", None, "none"),
    ],
)
def test_choice(reply: str, canonical: str | None, status: str) -> None:
    parsed = parse_answer(choice(*CITIES), reply)
    assert (parsed.canonical, parsed.status) == (canonical, status)


def test_number_label_is_not_read_where_options_are_numbers() -> None:
    # Read as a label, "4" would be the fourth option, "2".
    assert parse_answer(choice("3", "5", "1", "2"), "4").status == "none"
    assert parse_answer(choice("3", "5", "1", "2"), "2.").canonical == "2"


def test_letter_label_is_not_read_where_options_are_letters() -> None:
    assert parse_answer(choice("X", "Y"), "B").status == "none"
    assert parse_answer(choice("B", "A"), "A").canonical == "A"


def test_letter_case_decides_where_it_can() -> None:
    assert parse_answer(choice("mW", "MW"), "MW").canonical == "MW"
    assert parse_answer(choice("mW", "MW"), "mw").status == "ambiguous"


def test_signs_are_part_of_an_option() -> None:
    assert parse_answer(choice("3", "-3"), "-3.").canonical == "-3"
    assert parse_answer(choice("C", "C++"), "It is C++.").canonical == "C++"
    assert parse_answer(choice("C", "C++"), "I like C++ most").canonical is None
    assert parse_answer(choice("3", "5"), "It is 3.5").status == "none"


@pytest.mark.parametrize(
    ("reply", "canonical"),
    [
        ("1,234.5", "1234.5"),
        ("-3", "-3"),
        ("−3", "-3"),
        ("1e5", "100000"),
        ("2.50E-1", "0.25"),
        ("$5", "5"),
        ("-$5.00", "-5"),
        ("50%", "50"),
        ("#### 42", "42"),
        ("6 * 7 = 42.", "42"),
        ("\\boxed{042}", "42"),
        ("**7** and then _8_", "8"),
        ("5 - 3 = 2", "2"),  # the dash joins, it is no sign
        (".5", "0.5"),
        ("-0.0", "0"),
        ("0e999", "0"),
        ("5kg of H2O", "5"),
        ("1,000,000", "1000000"),
    ],
)
def test_numeric(reply: str, canonical: str) -> None:
    parsed = parse_answer(numeric(), reply)
    assert (parsed.canonical, parsed.status) == (canonical, "number")


@pytest.mark.parametrize("reply", ["between 5-3", "1, 2, 3", "4 or 5", "more than 5"])
def test_several_numbers_without_a_conclusion_are_none_of_them(reply: str) -> None:
    parsed = parse_answer(numeric(), reply)
    assert (parsed.canonical, parsed.status) == (None, "ambiguous")


@pytest.mark.parametrize(
    "reply", ["", "none", "H2O", "1e400", "9" * 400, "1e99999999999999999999", "1.23456789012e-300"]
)
def test_numeric_without_a_number(reply: str) -> None:
    parsed = parse_answer(numeric(), reply)
    assert (parsed.canonical, parsed.status) == (None, "none")


@pytest.mark.parametrize("reply", ["wait...42", "not sure, 42"])
def test_a_number_among_words_that_may_mean_anything_is_not_read(reply: str) -> None:
    assert parse_answer(numeric(), reply).canonical is None


@pytest.mark.parametrize("text", ["4 or 5", "", "x", "nan", "inf", "1e400"])
def test_canonical_number_wants_one_number(text: str) -> None:
    assert canonical_number(text) is None


@given(st.from_regex(r"-?\d{1,40}(\.\d{1,40})?(e-?\d{1,3})?", fullmatch=True))
def test_canonical_number_is_its_own_normal_form(text: str) -> None:
    canonical = canonical_number(text)
    assert canonical is None or canonical_number(canonical) == canonical


def test_text() -> None:
    parsed = parse_answer(text_query(), "  'Marie   CURIE'.\n")
    assert (parsed.canonical, parsed.status) == ("marie curie", "text")
    assert parse_answer(text_query(), " ... ").status == "none"
    assert normal_text("Cafe\u0301") == "caf\u00e9"


def test_is_correct_choice() -> None:
    query = choice(*CITIES, gold="Paris")
    assert is_correct(query, "Paris")
    assert not is_correct(query, "Paris, Texas")
    assert not is_correct(query, None)


@pytest.mark.parametrize(
    ("gold", "tolerance", "canonical", "right"),
    [
        ("42", 0.0, "42", True),
        ("42", 0.0, "42.0001", False),
        ("1.0", 0.1, "1.1", True),  # in binary floating point 1.1 - 1.0 is larger than 0.1
        ("1.0", 0.1, "1.11", False),
        ("-5", 10.0, "5", True),
        ("9007199254740993", 0.0, "9007199254740992", False),  # equal as floats
        ("42", 0.0, "forty-two", False),
        ("42", 0.0, None, False),
    ],
)
def test_is_correct_numeric(gold: str, tolerance: float, canonical: str | None, right: bool) -> None:
    assert is_correct(numeric(gold, tolerance), canonical) is right


@pytest.mark.parametrize(
    ("reply", "canonical", "status"),
    [
        ("The Moon's pull.", "the moon", "text"),
        ("It is the Moon that raises the tides, twice a day.", "the moon", "contained"),
        ("- the sea\n- lunar gravity", "the moon", "contained"),
        ("The moonlight does.", None, "ambiguous"),  # like the right text, and not it
        ("The wind.", "the wind", "text"),
    ],
)
def test_a_text_answer_may_stand_inside_a_longer_reply(reply: str, canonical: str | None, status: str) -> None:
    query = text_query("the Moon", aliases=("the Moon's pull", "lunar gravity"))
    parsed = parse_answer(query, reply)
    assert (parsed.canonical, parsed.status) == (canonical, status)
    assert is_correct(query, parsed.canonical) == (canonical == "the moon")


def test_the_numbers_of_a_list_are_no_answer() -> None:
    query = text_query("eight", aliases=("8",))
    assert not is_correct(query, parse_answer(query, "7. two\n8. three").canonical)
    assert is_correct(query, parse_answer(query, "1. It has 8 legs.\n2. It spins.").canonical)


def test_is_correct_text_knows_aliases() -> None:
    query = text_query(aliases=("M. Curie", "Skłodowska"))
    assert is_correct(query, "marie curie")
    assert is_correct(query, "m. curie")
    assert is_correct(query, "skłodowska")
    assert not is_correct(query, "pierre curie")
    assert not is_correct(query, None)


def test_every_kind_of_query_can_be_parsed() -> None:
    common = {"query_id": "q", "cluster": "q", "topic": "", "question": "?", "options": ("Tea", "Coffee")}
    preference = PreferenceQuery(**common, split="test", targets={"left": (0.5, 0.5)})  # type: ignore[arg-type]
    mixed = MixedQuery(**common, split="test", gold="Tea")  # type: ignore[arg-type]
    assert parse_answer(preference, "tea").canonical == parse_answer(mixed, "tea").canonical == "Tea"


@pytest.mark.parametrize(
    "query",
    [choice(*CITIES), choice("+", "-", "mW", "MW"), choice("3", "-3"), numeric(), text_query()],
    ids=["cities", "signs", "numbers", "numeric", "text"],
)
@given(
    reply=st.one_of(
        st.text(st.characters()),  # surrogates too
        st.text("ABab123().,:-+eE$% \nParisLyonTexas"),
    )
)
def test_never_raises(query: Query, reply: str) -> None:
    parsed = parse_answer(query, reply)
    assert (parsed.canonical is None) == (parsed.status in UNREAD_STATUSES)
    if query.answer_kind == "choice":
        assert parsed.canonical is None or parsed.canonical in query.options


@pytest.mark.parametrize("option", CITIES)
def test_an_option_is_read_as_itself(option: str) -> None:
    assert parse_answer(choice(*CITIES), option).canonical == option


HOSTILE = {
    "thinking": "<think>" * 14_000,
    "closings": "</think>" * 12_000,
    "boxes": "\\boxed{" * 14_000,
    "keys": '{"answer":' * 10_000,
    "digits": "1" * 100_000,
    "groups": "1," * 50_000,
    "ranges": "1-" * 50_000,
    "powers": "2^" * 50_000,
    "lines": "\n" * 100_000,
    "brackets": "[(" * 50_000,
    "denials": "not " * 25_000,
    "labels": "B.\n" * 33_000,
    "options": "Paris, " * 14_000,
    "stars": "*" * 100_000,
    "chinese": "三" * 100_000,
    "scales": "万" * 100_000,
    "marks": "e" + "\u0301" * 100_000,
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_reply_is_read_in_linear_time(hostile: str) -> None:
    begin = time.process_time()
    for query in (choice(*CITIES), choice("3", "5"), choice("Yes", "No"), numeric(), text_query()):
        parse_answer(query, hostile)
    assert time.process_time() - begin < 8  # quadratic reading took minutes


@pytest.mark.parametrize("reply", ["It is a cat.", "cat", "CAT", "The Cat."])
def test_the_case_of_a_plain_word_does_not_matter(reply: str) -> None:
    assert parse_answer(choice("Cat", "Dog"), reply).canonical == "Cat"


@pytest.mark.parametrize(
    ("shown", "reply", "canonical"),
    [
        ("lettered", "A", None),  # its text or its letter: nobody can tell
        ("lettered", "(A)", "B"),
        ("listed", "A", "A"),
        ("lettered", "C", "AB"),
        ("listed", "C", None),
    ],
)
def test_the_prompt_decides_whether_a_letter_is_a_label(shown: Shown, reply: str, canonical: str | None) -> None:
    assert parse_answer(choice("B", "A", "AB"), reply, shown).canonical == canonical


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "See f(2) and list[1]."])
def test_what_is_called_with_a_label_names_no_option(text: str) -> None:
    query = TruthQuery(
        query_id="q",
        cluster="q",
        split="test",
        topic="",
        question="Which town?",
        options=("Lyon", "Paris"),
        gold="Lyon",
    )
    assert parse_answer(query, text, "lettered").canonical is None
    assert parse_answer(query, "It is (B).", "lettered").canonical == "Paris"
