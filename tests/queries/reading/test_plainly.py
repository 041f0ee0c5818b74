"""Which options a reply names where nothing in it denies."""

from __future__ import annotations

import pytest

from trialign.queries.reading.plainly import named_plainly

pytestmark = pytest.mark.unit

ANIMALS = ("Sharks", "Mosquitoes", "Lions")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Mosquitoes are the animal that kills the most people each year.", {1}),
        ("Lions, or mosquitoes.", {1, 2}),
        ("It isn't mosquitoes.", set()),
        ("I said mosquitoes. Sorry, I was wrong.", set()),
        ("Nobody knows.", set()),
        ("The lioness is dangerous.", set()),
    ],
)
def test_options_are_named_by_their_texts_and_not_where_anything_is_denied(reply: str, expected: set[int]) -> None:
    assert named_plainly(reply, ANIMALS, "Which animal kills the most people each year?") == expected
