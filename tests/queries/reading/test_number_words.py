"""Numbers in words, piece by piece."""

from __future__ import annotations

from fractions import Fraction

import pytest

from trialign.queries.reading.number_words import _scaled

pytestmark = pytest.mark.unit


def test_every_scale_that_follows_counts_and_what_follows_it_does_not() -> None:
    forms = [("half", 0), ("thousand", 9), ("million", 18), ("stars", 24)]
    assert _scaled(forms, 1, Fraction(3, 2), "en") == (3, Fraction(1_500_000_000))
    assert _scaled(forms, 3, Fraction(3, 2), "en") == (3, Fraction(3, 2))
    assert _scaled(forms[:3], 2, Fraction(1, 2), "en") == (3, Fraction(500_000))
