"""Charts, each with its description in words and the same numbers as a table.

Colours have a contrast of at least 3:1 to the light and to the dark background, and nothing is told by them alone:
groups are told apart by their place, lines by dashes and their legend.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st

from .markup import plain
from .tables import table

Chart = alt.Chart | alt.LayerChart | alt.FacetChart

ACCENT, QUIET = "#178a7e", "#7d8592"
_SERIES = ("#178a7e", "#c4552f", "#6b7fd1", "#a9791c", "#b0568f", "#4f8a3c", "#8a6bbf", "#7d8592")
# One fewer than colours: only the 57th line looks like the first.
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [1, 3], [10, 4])
_ROW = 34  # pixels
_LEGEND_ROW = 29  # pixels, taken from the height of the chart
_LINE = 14  # characters after which the next space ends a line of a row's name
_MOST_POINTS = 60  # steps; more are a line without points


def draw(chart: Chart, description: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Draws a chart with the words and the table that stand for it.

    Args:
        chart: what `intervals`, `changes` or `paths` give.
        description: what there is to see; also the chart's text alternative.
        head: names of the table's columns.
        rows: of the table.
    """
    st.altair_chart(_legible(chart), width="stretch", alt=description)
    st.caption(plain(description))
    with st.expander("The same as a table", icon=":material/table_rows:"):
        table(description, head, rows)


def intervals(
    frame: pd.DataFrame, title: str, *, marked: Sequence[float] = (), percent: bool = True, whole: bool = True
) -> Chart:
    """Points with intervals, one row each.

    Args:
        frame: columns ``name``, ``value``, ``low``, ``high``.
        title: of the axis.
        marked: values at which a dashed line stands.
        percent: shares, in percent; otherwise differences in points.
        whole: shares are on an axis from 0 to 100 %; otherwise on one as long as they and the lines need.
    """
    scale = alt.Scale(domain=[0, 1]) if percent and whole else alt.Scale() if whole else alt.Scale(zero=False)
    in_points = "datum.value > 0 ? '+' + format(100 * datum.value, '~g') : format(100 * datum.value, '~g')"
    shares = alt.Axis(format=".0%", grid=True) if whole else alt.Axis(format=".1~%", grid=True, tickCount=6)
    axis = shares if percent else alt.Axis(labelExpr=in_points, grid=True, tickCount=7)
    tips = [alt.Tooltip("name:N", title=" "), *(alt.Tooltip(f"{part}:Q", format=".1%") for part in _PARTS)]
    base = alt.Chart(frame).encode(y=_rows(frame["name"]), tooltip=tips)
    span = base.mark_rule(color=ACCENT, strokeWidth=3, opacity=0.8).encode(
        x=alt.X("low:Q", title=title, scale=scale, axis=axis), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=110, color=ACCENT, opacity=1).encode(x=alt.X("value:Q", scale=scale))
    lines = alt.Chart(pd.DataFrame({"at": list(marked)})).mark_rule(color=QUIET, strokeDash=[5, 4]).encode(x="at:Q")
    # A layer without a line would be an image of nothing, and without a name for those who hear the page.
    return alt.layer(*([lines] if marked else []), span, dots).properties(height=_height(frame["name"]))


def curve(frame: pd.DataFrame, title: str) -> Chart:
    """A share along a number, with its band.

    Args:
        frame: columns ``name``, ``at``, ``value``, ``low``, ``high``.
        title: of the number.
    """
    tips = [alt.Tooltip("name:N", title=title), *(alt.Tooltip(f"{part}:Q", format=".1%") for part in _PARTS)]
    axis = alt.Axis(format=".0%", grid=True, tickCount=6)
    # A mark under every point: no value of the curve has to be guessed between two of them.
    below = alt.Axis(values=[*frame["at"]], format=".3~g", labelOverlap=True)
    at = alt.X("at:Q", title=title, scale=alt.Scale(zero=False, nice=False), axis=below)
    base = alt.Chart(frame).encode(x=at, tooltip=tips)
    share = alt.Y("low:Q", title="right answers", axis=axis, scale=alt.Scale(zero=False))
    band = base.mark_area(color=ACCENT, opacity=0.22).encode(y=share, y2="high:Q")
    line = base.mark_line(color=ACCENT, strokeWidth=2).encode(y="value:Q")
    dots = base.mark_point(filled=True, size=70, color=ACCENT, opacity=1).encode(y="value:Q")
    return alt.layer(band, line, dots).properties(height=300)


def changes(frame: pd.DataFrame, title: str) -> Chart:
    """From a ring, before, to a dot, after; one row each.

    Args:
        frame: columns ``name``, ``before``, ``after``, shares.
        title: of the axis.
    """
    axis = alt.Axis(format=".0%", grid=True)
    tips = [alt.Tooltip("name:N", title=" "), *(alt.Tooltip(f"{part}:Q", format=".1%") for part in ("before", "after"))]
    base = alt.Chart(frame).encode(y=_rows(frame["name"]), tooltip=tips)
    before = alt.X("before:Q", title=title, axis=axis, scale=alt.Scale(domain=[0, 1]))
    way = base.mark_rule(color=ACCENT, strokeWidth=3, opacity=0.8).encode(x=before, x2="after:Q")
    ring = base.mark_point(filled=False, size=110, color=ACCENT, strokeWidth=2, opacity=1).encode(x="before:Q")
    dot = base.mark_point(filled=True, size=110, color=ACCENT, opacity=1).encode(x="after:Q")
    return alt.layer(way, ring, dot).properties(height=_height(frame["name"]))


def paths(frame: pd.DataFrame, title: str | None = None, *, percent: bool = False) -> Chart:
    """Lines over optimizer steps.

    Args:
        frame: columns ``step``, ``name``, ``value``.
        title: of the vertical axis.
        percent: shares, on an axis in percent.
    """
    figures = ".0%" if percent else "~g"
    names = frame["name"].unique()
    # Two columns of long names are wider than a phone.
    columns = 1 if max((len(str(name)) for name in names), default=0) > _LINE else 2
    several = alt.Legend(orient="top", labelLimit=0, columns=columns, symbolType="stroke", symbolSize=500)
    legend = several if len(names) > 1 else None
    point = alt.OverlayMarkDef(size=28) if frame["step"].nunique() <= _MOST_POINTS else False
    lines: alt.Chart = (
        alt.Chart(frame)
        .mark_line(strokeWidth=2, point=point)
        .encode(
            x=alt.X("step:Q", title="optimizer step", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(format=figures)),
            color=alt.Color("name:N", sort=None, title=None, scale=alt.Scale(range=list(_SERIES)), legend=legend),
            strokeDash=alt.StrokeDash(
                "name:N", sort=None, title=None, scale=alt.Scale(range=list(_DASHES)), legend=legend
            ),
            tooltip=["step:Q", "name:N", alt.Tooltip("value:Q", format=".1%" if percent else ".4g")],
        )
        .properties(height=290 + (_LEGEND_ROW * -(-len(names) // columns) if len(names) > 1 else 0))
    )
    return lines


def against(frame: pd.DataFrame, across: str, up: str, size: str) -> Chart:
    """Points of two shares; filled where none is better in both.

    Args:
        frame: columns ``name``, ``label`` (beside the point), ``x``, ``y``, ``size``, shares, and ``best``.
        across: title of the horizontal axis.
        up: of the vertical one.
        size: of what makes a point larger.
    """
    shares = alt.Axis(format=".1~%", grid=True, tickCount=5)
    wide = alt.Scale(zero=False, nice=True, padding=30)
    legend = alt.Legend(orient="top", format=".0%", values=[0.02, 0.1, 0.3], symbolFillColor="transparent")
    base = alt.Chart(frame).encode(
        x=alt.X("x:Q", title=across, axis=shares, scale=wide),
        y=alt.Y("y:Q", title=up, axis=shares, scale=wide),
        tooltip=[
            "name:N",
            *(alt.Tooltip(f"{key}:Q", title=said, format=".1%") for key, said in _named(across, up, size)),
        ],
    )
    points = base.mark_point(color=ACCENT, strokeWidth=2, opacity=1, fillOpacity=0.85).encode(
        size=alt.Size(
            "size:Q", title=size, scale=alt.Scale(domain=[0, 0.5], range=[40, 1000], clamp=True), legend=legend
        ),
        fill=alt.condition("datum.best", alt.value(ACCENT), alt.value("transparent")),
    )
    # Names stand towards the middle: beside the edge they would be cut off.
    middle = (frame["x"].min() + frame["x"].max()) / 2
    left = base.mark_text(align="left", dx=18, dy=-12, color=QUIET, fontSize=12).transform_filter(alt.datum.x <= middle)
    right = base.mark_text(align="right", dx=-18, dy=-12, color=QUIET, fontSize=12).transform_filter(
        alt.datum.x > middle
    )
    names = [one.encode(text="label:N") for one in (left, right)]
    return alt.layer(points, *names).properties(height=360)


def _named(across: str, up: str, size: str) -> tuple[tuple[str, str], ...]:
    return ("x", across), ("y", up), ("size", size)


def _legible(chart: Chart) -> Chart:
    """The chart with axis texts of a contrast of at least 4.5:1, which Streamlit's own do not have."""
    ink = {"light": "#5a6170", "dark": "#a9b0bb"}.get(st.context.theme.type or "")
    if ink is None:  # not known before the browser has told
        return chart
    axes: Chart = chart.configure_axis(labelColor=ink, titleColor=ink, labelFontSize=12, titleFontSize=12)
    both: Chart = axes.configure_legend(labelColor=ink, titleColor=ink, labelFontSize=12)
    return both


def _rows(names: pd.Series) -> alt.Y:
    """A row for each name, whole, over as many lines as it takes; its first line is a little above the middle."""
    lines = f"split(replace(datum.label, /(.{{{_LINE},}}?) /g, '$1\\n'), '\\n')"
    axis = alt.Axis(
        labelExpr=lines, labelLimit=0, labelOffset=_above(names), labelOverlap=False, ticks=False, domain=False
    )
    return alt.Y("name:N", sort=None, title=None, axis=axis)


def _height(names: pd.Series) -> int:
    """Of a chart with a row for each name, pixels."""
    return max(_ROW, 15 * _lines(names) + 6) * len(names) + 70


def _above(names: pd.Series) -> int:
    return -4 * (_lines(names) - 1)


def _lines(names: pd.Series) -> int:
    """The most lines that a name takes."""
    return max((len(re.sub(f"(.{{{_LINE},}}?) ", "\\1\n", str(name)).split("\n")) for name in names), default=1)


_PARTS = ("value", "low", "high")
