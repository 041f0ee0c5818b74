"""Where the marks of a chart stand; a template draws them as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trialign.audit.report.columns import Kind
from trialign.audit.report.format import formatted

WIDTH, ROW, TOP, BOTTOM = 680, 26, 10, 34
RIGHT = 168  # room for the figures
_LETTER, _MARGIN = 6.7, 24  # a letter of a label is about so wide
_TICKS = 5
_SHORTEST = 0.01  # axis
_LABEL = 36


@dataclass(frozen=True)
class Interval:
    """One row that is to be drawn.

    Attributes:
        label: its name.
        value: the mark; None: nothing is drawn.
        low: end of the line; None: none is drawn.
        high: other end.
        before: an earlier value, drawn hollow; None: none.
    """

    label: str
    value: float | None
    low: float | None
    high: float | None
    before: float | None = None


@dataclass(frozen=True)
class Row:
    """One row as it is drawn; lengths in the units of the drawing, None where there is no mark."""

    label: str
    y: float
    x: float | None
    low: float | None
    high: float | None
    before: float | None
    text: str


@dataclass(frozen=True)
class IntervalChart:
    """Dots with their intervals along one axis.

    Attributes:
        title: what it shows.
        description: the text alternative.
        width: of the drawing.
        height: of the drawing.
        axis_y: where the axis lies.
        ticks: (x, label).
        rows: from top to bottom.
        zero: x of no difference; None where the axis is none of differences.
        band: x from and to, between which a difference does not matter; None without.
        left: where the plot begins.
        right: where it ends.
        has_before: whether earlier values are drawn.
    """

    title: str
    description: str
    width: int
    height: int
    axis_y: int
    ticks: tuple[tuple[float, str], ...]
    rows: tuple[Row, ...]
    zero: float | None
    band: tuple[float, float] | None
    left: int
    right: int
    has_before: bool


def interval_chart(
    title: str, intervals: Sequence[Interval], kind: Kind, *, delta: float | None = None
) -> IntervalChart | None:
    """Lays out a chart; None without a value.

    Args:
        title: what it shows.
        intervals: from top to bottom.
        kind: ``share`` or ``points``; the latter has a line at zero.
        delta: half the width of the band of differences that do not matter.
    """
    drawn = [one for one in intervals if one.value is not None]
    if not drawn:
        return None
    values = [v for one in drawn for v in (one.value, one.low, one.high, one.before) if v is not None]
    edges = [0.0] if kind == "points" else []
    edges += [-delta, delta] if delta else []
    ticks = axis_ticks(min([*values, *edges]), max([*values, *edges]))
    first, last = ticks[0], ticks[-1]
    longest = max(min(len(one.label), _LABEL) for one in drawn)
    left, right = round(_MARGIN + _LETTER * longest), WIDTH - RIGHT

    def place(value: float | None) -> float | None:
        return None if value is None else round(left + (value - first) / (last - first) * (right - left), 2)

    rows = tuple(
        Row(
            one.label if len(one.label) <= _LABEL else f"{one.label[: _LABEL - 1]}…",
            TOP + ROW * index + ROW / 2,
            place(one.value),
            place(one.low),
            place(one.high),
            place(one.before),
            _figures(one, kind),
        )
        for index, one in enumerate(drawn)
    )
    axis_y = TOP + ROW * len(rows)
    return IntervalChart(
        title=title,
        description=f"{title}. " + "; ".join(f"{one.label}: {_figures(one, kind)}" for one in drawn) + ".",
        width=WIDTH,
        height=axis_y + BOTTOM,
        axis_y=axis_y,
        ticks=tuple((place(tick) or 0.0, _tick(tick, kind)) for tick in ticks),
        rows=rows,
        zero=place(0.0) if kind == "points" else None,
        band=(place(-delta) or 0.0, place(delta) or 0.0) if delta else None,
        left=left,
        right=right,
        has_before=any(one.before is not None for one in drawn),
    )


def axis_ticks(low: float, high: float) -> list[float]:
    """Round values from at most ``low`` to at least ``high``, about five."""
    high = max(high, low + _SHORTEST)
    span = high - low
    unit = 10.0 ** math.floor(math.log10(span / _TICKS))
    step = next(unit * factor for factor in (1, 2, 5, 10) if span / (unit * factor) <= _TICKS)
    return [round(step * index, 10) for index in range(math.floor(low / step), math.ceil(high / step) + 1)]


def _figures(one: Interval, kind: Kind) -> str:
    """The value and its interval; the unit stands at the axis and in the table."""
    assert one.value is not None
    value = formatted(one.value, kind)
    if one.low is None or one.high is None:
        return value
    return f"{value} ({formatted(one.low, kind).removesuffix(' %')} to {formatted(one.high, kind).removesuffix(' %')})"


def _tick(value: float, kind: Kind) -> str:
    digits = f"{100 * value:g}".replace("-", "−")
    return f"{digits} %" if kind == "share" else digits
