"""Numbers in plain words."""

from __future__ import annotations

import pytest

from trialign.dashboard.components.words import changed, measured, point_interval, points, span

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ({"Women": 0.25, "Men": 0.5}, " from 25.0 % (Women) to 50.0 % (Men)"),
        ({"Men": 0.5, "Women": 0.25, "Others": None}, " from 25.0 % (Women) to 50.0 % (Men)"),
        ({"Women": 0.5, "Men": 0.5}, " 50.0 % for every group"),
        ({"Women": 0.5001, "Men": 0.5}, " 50.0 % for every group"),  # as it is read
        ({"Women": 0.0, "Men": 0.0}, " 0.0 % for every group"),
        ({"Women": 0.5}, " 50.0 % (Women)"),
        ({"Women": None}, " not known"),
        ({}, " not known"),
    ],
)
def test_a_span_names_two_groups_only_where_they_differ(shares: dict[str, float | None], said: str) -> None:
    assert span(shares) == said


def test_what_looks_the_same_has_stayed() -> None:
    assert changed(0.25, 0.5) == "went from 25.0 % to 50.0 %"
    assert changed(0.5, 0.5001) == "stayed at 50.0 %"
    assert changed(None, None) == "stayed at –"


def test_a_gap_is_read_in_points() -> None:
    assert (measured(0.125, "share"), measured(0.125, "points")) == ("12.5 %", "12.5 points")
    assert measured(None, "points") == "–"


def test_nothing_is_less_than_nothing() -> None:
    assert points(-1e-9) == points(-0.0) == "0.0 points"
    assert points(-1e-9, signed=True) == "+0.0 points"
    assert point_interval(-1e-9, -0.0) == "+0.0 to +0.0"
    assert point_interval(-0.051, 0.0499) == "-5.1 to +5.0"
