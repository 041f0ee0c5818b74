from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialign.queries import Form
from trialign.style import met_checks, reading_grade, spellings, units, word_count

pytestmark = pytest.mark.unit


def test_list_markers_are_no_words() -> None:
    assert word_count("- one two\n2. three\n* four") == 4
    assert word_count(" \n- ") == 0


def test_reading_grade() -> None:
    # 6 words in 1 sentence, 6 syllables: 0.39 * 6 + 11.8 * 1 - 15.59
    assert reading_grade("The cat sat on the mat.") == pytest.approx(-1.45)
    # 2 sentences of 4 words; 12 syllables: wa-ter, riv-er, wa-ter, moun-tain and four words of one
    assert reading_grade("The river has water. The mountain needs water.") == pytest.approx(
        0.39 * 4 + 11.8 * 12 / 8 - 15.59
    )
    assert reading_grade("- The cat sat on the mat.") == reading_grade("The cat sat on the mat.")
    hard = "Photosynthesis transforms electromagnetic radiation into carbohydrates in autotrophic organisms."
    assert reading_grade(hard) > 12


def test_reading_grade_asks_the_network_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a corpus was asked for")

    monkeypatch.setattr(nltk, "download", refuse)
    monkeypatch.setattr(nltk.data, "find", refuse)
    assert reading_grade("This sentence has not been graded before now.") < 12


def test_the_reading_library_is_imported_only_for_a_grade() -> None:
    code = (
        "import sys; from trialign.rewards import form_reward; from trialign.queries import Form; "
        "form_reward(Form(max_words=3), 'one'); early = 'textstat' in sys.modules; "
        "form_reward(Form(max_grade=3), 'one'); sys.exit(early or 'textstat' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("american", "british"),
    [
        ("Its color is gray.", "Its colour is grey."),
        ("Neighbors favored the harbor.", "Neighbours favoured the harbour."),
        ("An honorable laborer", "An honourable labourer"),
        ("dishonor and unfavorable flavors", "dishonour and unfavourable flavours"),
        ("the center of the theater", "the centre of the theatre"),
        ("ten kilometers, two liters", "ten kilometres, two litres"),
        ("It was analyzed and paralyzed.", "It was analysed and paralysed."),
        ("Travelers canceled and traveled on.", "Travellers cancelled and travelled on."),
        ("a marvelous counselor", "a marvellous counsellor"),
        ("the defense of jewelry", "the defence of jewellery"),
        ("Aluminum and sulfur", "Aluminium and sulphur"),
        ("A SKEPTICAL PEDIATRICIAN", "A SCEPTICAL PAEDIATRICIAN"),
        ("Anemia, diarrhea and hemophilia", "Anaemia, diarrhoea and haemophilia"),
        ("The mold fulfills us.", "The mould fulfils us."),
    ],
)
def test_spellings(american: str, british: str) -> None:
    assert spellings(american) == {"american"}
    assert spellings(british) == {"british"}
    assert spellings(f"{american} {british}") == {"american", "british"}


@pytest.mark.parametrize("text", ["Organisation matters.", "They realised it.", "a cheque for the programme", "tyres"])
def test_words_that_only_british_english_spells_so(text: str) -> None:
    assert spellings(text) == {"british"}


@pytest.mark.parametrize(
    "text",
    [
        "They organize and recognize it.",  # Oxford spelling
        "an honorary laboratory with humorous, vigorous colleagues",
        "analyses, a synthesis, organisms, realism and capitalists",
        "Pour four hours of flour into the contour.",
        "The gas meter and the thermometer are wise to exercise.",
        "an actor, a doctor and a vendor",
        "",
    ],
)
def test_words_of_both_spellings_show_neither(text: str) -> None:
    assert spellings(text) == set()


@pytest.mark.parametrize(
    ("text", "systems"),
    [
        ("It is 8,849 meters high.", {"metric"}),
        ("It is 29,032 feet high.", {"us"}),
        ("8849 m, or 29,032 ft", {"metric", "us"}),
        ("a 5-foot fence", {"us"}),
        ("about two kilometres", {"metric"}),
        ("half a mile", {"us"}),
        ("3.5 million square miles", {"us"}),
        ("100 km² of forest", {"metric"}),
        ("120 km/h", {"metric"}),
        ("60 mph", {"us"}),
        ("Water boils at 100 °C.", {"metric"}),
        ("Water boils at 212 degrees Fahrenheit.", {"us"}),
        ("at 20 degrees C", {"metric"}),
        ("several POUNDS", {"us"}),
        ("5L of milk and 20 mg of salt", {"metric"}),
        ("The foot of the mountain is a yard with a meter.", set()),  # no measures
        ("a 5G network, 5 minutes, 5 Grand Slams, 10 million people", set()),
        ("", set()),
    ],
)
def test_units(text: str, systems: set[str]) -> None:
    assert units(text) == systems


@pytest.mark.parametrize(
    ("form", "text", "met"),
    [
        (Form(spelling="american"), "The color is red.", [True]),
        (Form(spelling="american"), "The colour is red.", [False]),
        (Form(spelling="british"), "It is red.", [True]),  # nothing is spelled the other way
        (Form(spelling="british"), "The colour of the center", [False]),
        (Form(units="metric"), "It is 5 km.", [True]),
        (Form(units="metric"), "It is far.", [False]),  # a measure was wanted
        (Form(units="us"), "It is 5 km, or 3 miles.", [False]),
        (Form(max_grade=1), "The cat sat on the mat.", [True]),
        (Form(min_grade=1), "The cat sat on the mat.", [False]),
        (Form(max_grade=-1.4, min_grade=-1.5), "The cat sat on the mat.", [True, True]),
    ],
)
def test_met_checks(form: Form, text: str, met: list[bool]) -> None:
    assert met_checks(form, text) == met


FORMS = st.builds(
    Form,
    max_words=st.none() | st.integers(1, 9),
    min_words=st.none() | st.integers(1, 9),
    layout=st.sampled_from([None, "list", "prose"]),
    max_grade=st.none() | st.floats(-3, 20),
    min_grade=st.none() | st.floats(-3, 20),
    spelling=st.sampled_from([None, "american", "british"]),
    units=st.sampled_from([None, "metric", "us"]),
)


@given(FORMS, st.text(st.characters()))
def test_every_set_key_is_one_check(form: Form, text: str) -> None:
    assert len(met_checks(form, text)) == sum(value is not None for value in asdict(form).values())
