"""Whose targets an agent's answers are scored on."""

from __future__ import annotations

import pytest

from trialign.audit.figures.swaps import swapped_with

pytestmark = pytest.mark.unit


def test_few_groups_are_scored_on_all_others() -> None:
    assert swapped_with(("a", "b", "c"), "b") == ["a", "c"]
    groups = tuple(f"g{n}" for n in range(50))
    assert swapped_with(groups, "g7") == [group for group in groups if group != "g7"]


@pytest.mark.parametrize("count", [51, 62, 63, 1000])
def test_of_very_many_groups_twenty_others_spread_over_all(count: int) -> None:
    groups = tuple(f"g{n}" for n in range(count))
    for agent in ("g0", "g17", f"g{count - 1}"):
        others = swapped_with(groups, agent)
        assert len(set(others)) == 20
        assert agent not in others
    step = count // 21
    assert swapped_with(groups, "g0")[:2] == [f"g{step}", f"g{2 * step}"]
