"""The verdict's sentences."""

from __future__ import annotations

import pytest

from trialign.audit.figures.words import _listed

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["metals"], "metals"),
        (["metals", "rivers"], "metals and rivers"),
        (["metals", "rivers", "stars"], "metals, rivers and stars"),
        (["metals", "rivers", "stars", "food", "law"], "metals, rivers, stars and 2 more"),
    ],
)
def test_of_many_words_the_first_are_named_and_the_rest_counted(words: list[str], expected: str) -> None:
    assert _listed(words, 3) == expected
