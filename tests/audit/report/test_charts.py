"""Where the marks of a chart stand, by hand."""

from __future__ import annotations

import pytest

from trialign.audit.report.charts import Interval, axis_ticks, interval_chart

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.0, 5.0, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),  # five steps of one unit just fit
        (0.31, 0.52, [0.3, 0.35, 0.4, 0.45, 0.5, 0.55]),
        (-0.05, 0.02, [-0.06, -0.04, -0.02, 0.0, 0.02]),
        (0.5, 0.5, [0.5, 0.505, 0.51]),  # no axis is without length
    ],
)
def test_ticks_are_round_and_hold_both_ends(low: float, high: float, ticks: list[float]) -> None:
    assert axis_ticks(low, high) == pytest.approx(ticks)


def test_a_chart_says_in_words_what_it_draws() -> None:
    north, south = Interval("north", 0.25, 0.2, 0.3), Interval("south", 0.75, None, None, before=0.5)
    chart = interval_chart("Right answers", [north, south, Interval("none", None, None, None)], "share")
    assert chart is not None
    assert chart.description == "Right answers. north: 25.0 % (20.0 to 30.0); south: 75.0 %."
    assert [row.label for row in chart.rows] == ["north", "south"]
    # On one axis, from .2 to .8, where a tenth is as long everywhere.
    begin, end = chart.ticks[0][0], chart.ticks[-1][0]
    assert (chart.ticks[0][1], chart.ticks[-1][1]) == ("20 %", "80 %")
    first, second = chart.rows
    found = [first.low, first.x, first.high, second.before, second.x]
    wanted = [begin + (end - begin) * tenths / 6 for tenths in (0, 0.5, 1, 3, 5.5)]
    assert found == pytest.approx(wanted, abs=0.02)
    assert chart.has_before
