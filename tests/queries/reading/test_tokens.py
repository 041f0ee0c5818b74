"""Letters that are written in several ways."""

from __future__ import annotations

import pytest

from trialign.queries.reading.tokens import Level, form, tokens

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ٱلقرآن", "القران"),
        ("أحمد", "احمد"),
        ("إيران", "ایران"),
        ("مدرسة", "مدرسه"),
        ("خانۀ", "خانه"),
        ("مؤمن", "مومن"),
        ("كتاب", "کتاب"),
        ("مـــصر", "مصر"),
        ("شىء", "شی"),
        ("ёлка", "елка"),
        ("straße", "strasse"),
        ("Σωκράτης", "σωκράτησ"),
        ("Łódź", "lodz"),
        ("Ærø", "aero"),
        ("œuvre", "oeuvre"),
        ("Đà", "da"),
        ("ðe", "de"),
        ("Þór", "thor"),
        ("sınır", "sinir"),
    ],
)
def test_a_letter_that_is_written_in_two_ways_is_one_when_folded(one: str, other: str) -> None:
    (first,), (second,) = tokens(one), tokens(other)
    assert form(first, Level.FOLD) == form(second, Level.FOLD)
    assert form(first, Level.SURFACE) != form(second, Level.SURFACE)
