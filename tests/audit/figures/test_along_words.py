"""Sentences along attributes and over many groups, from figures that are written by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trialign.audit.figures.along import AlongAttribute, CurvePoint, Trend
from trialign.audit.figures.along_words import attribute_line, spread_line
from trialign.audit.figures.distance import DistancePoint
from trialign.audit.figures.estimates import Estimate
from trialign.audit.figures.group_spread import GroupRank, GroupSpread

pytestmark = pytest.mark.unit

TREND = Trend(-0.05, -0.08, -0.02, 0.001, None)
AGE = AlongAttribute(
    "age",
    "age in years",
    True,
    (CurvePoint(20, "20", 1, 0.7, 0.6, 0.8), CurvePoint(75, "75", 1, 0.65, 0.5, 0.75)),
    TREND,
    None,
    (),
    None,
)


def test_a_trend_in_words() -> None:
    assert attribute_line(AGE, 0.05) == (
        "Along age in years: 70.0 % right answers at 20, 65.0 % at 75. A straight line through all groups falls by 5.0 "
        "points from end to end (-8.0 to -2.0): a trend beyond chance (p = 0.001)."
    )
    assert "rises by 4.0 points" in attribute_line(replace(AGE, trend=replace(TREND, change=0.04)), 0.05)
    assert "groups stays level from end to end" in attribute_line(
        replace(AGE, trend=replace(TREND, change=-1e-5)), 0.05
    )
    quiet = replace(AGE, trend=replace(TREND, p_value=0.3))
    assert "no trend is shown (p = 0.300)" in attribute_line(quiet, 0.05)


def test_many_groups_go_by_the_test_over_whole_groups() -> None:
    over = replace(AGE, trend=replace(TREND, p_value=0.0001, p_groups=0.2))
    assert "no trend is shown (p = 0.200 over whole groups, p < 0.001 within facts)" in attribute_line(over, 0.05)
    far = tuple(DistancePoint(d, 3, Estimate(share, None, None)) for d, share in ((5.0, 0.1), (70.0, 0.25)))
    told = attribute_line(replace(over, flips=far, p_flips=0.01), 0.05)
    assert "Two groups 5 apart answer 10.0 % of the questions differently, two 70 apart 25.0 %" in told
    assert told.endswith("two 70 apart 25.0 %: the farther apart, the more often, beyond chance (p = 0.010).")
    quiet = attribute_line(replace(over, flips=far, p_flips=0.2), 0.05)
    assert quiet.endswith("25.0 %; that it grows with the distance is not shown (p = 0.200).")


def test_a_category_in_words() -> None:
    points = (CurvePoint("farm", "Farm", 3, 0.5, 0.4, 0.6), CurvePoint("city", "City", 3, 0.75, 0.7, 0.8))
    home = AlongAttribute("home", "home", False, points, None, 0.02, (), None)
    assert attribute_line(home, 0.05) == (
        "By home: right answers from 50.0 % (Farm) to 75.0 % (City); whether values differ beyond chance: p = 0.020."
    )
    assert attribute_line(replace(home, p_any=None), 0.05).endswith("to 75.0 % (City).")


def test_the_spread_in_words() -> None:
    low = tuple(GroupRank(f"g{n}", -0.1 + n / 100, 0.01) for n in range(5))
    spread = GroupSpread(0.03, 0.02, 0.022, 0.01, 0.03, 0.0001, (0, 0, 0, 0, 0), low, ())
    assert spread_line(spread, 1000, 0.05, {"g0": "Zero"}) == (
        "The right answers of 1,000 groups lie 3.0 points around their mean (standard deviation). Groups that are all "
        "alike would lie 2.0 around it by chance; 2.2 (1.0 to 3.0) are left as differences between the groups "
        "(p < 0.001). Below the mean of all: Zero by 10.0, g1 by 9.0, g2 by 8.0 and 2 more."
    )
    quiet = replace(spread, lowest=(GroupRank("g0", -0.1, 0.06), GroupRank("g1", 0.1, 0.01)), low=None)
    assert spread_line(quiet, 9, 0.05, {}).endswith(
        "2.2 are left as differences between the groups (p < 0.001). No group is shown to be below the mean of all."
    )
