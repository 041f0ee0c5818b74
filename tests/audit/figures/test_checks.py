"""A figure against its bound: which column is shown."""

from __future__ import annotations

import numpy as np
import pytest

from trialign.audit.figures.checks import Levels, share_check

pytestmark = pytest.mark.unit

FACTS = 40


def columns(*ones: int) -> np.ndarray:
    """[FACTS, columns]; so many ones stand in each."""
    return np.stack([np.arange(FACTS) < count for count in ones], axis=1).astype(float)


@pytest.mark.parametrize("counts", [(37, 39, 38), (39, 37, 38), (37, 38, 39)])
def test_the_worst_group_is_shown_where_intervals_end_at_the_largest_possible_share(counts: tuple[int, ...]) -> None:
    check = share_check(
        "unread", columns(*counts), np.arange(FACTS), 0.05, "at most", Levels(0.05, 0.05), groups=("a", "b", "c")
    )
    assert (check.outcome, check.high) == ("fails", 1.0)
    assert check.figure == 39 / FACTS
    assert check.group == "abc"[counts.index(39)]


def test_the_worst_of_those_that_must_be_large_has_the_smallest_share() -> None:
    check = share_check(
        "right", columns(30, 12, 35), np.arange(FACTS), 0.5, "at least", Levels(0.05, 0.05), groups=("a", "b", "c")
    )
    assert (check.group, check.figure) == ("b", 12 / FACTS)
