"""Charts, each with its description in words and the same numbers as a table.

Colours have a contrast of at least 3:1 to the light and to the dark background, and nothing is told by them alone:
groups are told apart by their place, lines by dashes and their legend.
"""

from __future__ import annotations

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
_MOST_POINTS = 60  # steps; more are a line without points


def draw(chart: Chart, description: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Draws a chart with the words and the table that stand for it.

    Args:
        chart: what `intervals`, `slope` or `paths` give.
        description: what there is to see; also the chart's text alternative.
        head: names of the table's columns.
        rows: of the table.
    """
    st.altair_chart(_legible(chart), width="stretch", alt=description)
    st.caption(plain(description))
    with st.expander("The same as a table", icon=":material/table_rows:"):
        table(description, head, rows)


def intervals(frame: pd.DataFrame, title: str, *, marked: Sequence[float] = (), percent: bool = True) -> Chart:
    """Points with intervals, one row each.

    Args:
        frame: columns ``name``, ``value``, ``low``, ``high``.
        title: of the axis.
        marked: values at which a dashed line stands.
        percent: shares on an axis from 0 to 100 %; otherwise differences in points.
    """
    scale = alt.Scale(domain=[0, 1]) if percent else alt.Scale()
    in_points = "datum.value > 0 ? '+' + format(100 * datum.value, '~g') : format(100 * datum.value, '~g')"
    axis = alt.Axis(format=".0%", grid=True) if percent else alt.Axis(labelExpr=in_points, grid=True)
    rows = alt.Y(
        "name:N", sort=None, title=None, axis=alt.Axis(labelLimit=200, labelOverlap=False, ticks=False, domain=False)
    )
    tips = [alt.Tooltip("name:N", title=" "), *(alt.Tooltip(f"{part}:Q", format=".1%") for part in _PARTS)]
    base = alt.Chart(frame).encode(y=rows, tooltip=tips)
    span = base.mark_rule(color=ACCENT, strokeWidth=3, opacity=0.8).encode(
        x=alt.X("low:Q", title=title, scale=scale, axis=axis), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=110, color=ACCENT, opacity=1).encode(x=alt.X("value:Q", scale=scale))
    lines = alt.Chart(pd.DataFrame({"at": list(marked)})).mark_rule(color=QUIET, strokeDash=[5, 4]).encode(x="at:Q")
    return alt.layer(lines, span, dots).properties(height=_ROW * len(frame) + 70)


def slope(frame: pd.DataFrame, title: str) -> Chart:
    """Lines from before to after.

    Args:
        frame: columns ``name``, ``when`` (``before``, ``after``), ``value``.
        title: of the axis.
    """
    base = alt.Chart(frame).encode(
        x=alt.X("when:N", sort=["before", "after"], title=None, axis=alt.Axis(labelAngle=0, domain=False), scale=_PAD),
        y=alt.Y("value:Q", title=title, axis=alt.Axis(format=".0%"), scale=alt.Scale(zero=False, nice=True)),
        color=_colour(),
        strokeDash=alt.StrokeDash("name:N", scale=alt.Scale(range=list(_DASHES)), legend=None),
        tooltip=["name:N", "when:N", alt.Tooltip("value:Q", format=".1%")],
    )
    lines = base.mark_line(strokeWidth=2.5) + base.mark_point(filled=True, size=90, opacity=1)
    after = frame[frame["when"] == "after"].copy()
    after["place"] = _apart(after["value"], 0.06 * float(frame["value"].max() - frame["value"].min()))
    names = (
        alt.Chart(after)
        .mark_text(align="left", dx=12, fontSize=13)
        .encode(x=alt.X("when:N", sort=["before", "after"]), y="place:Q", text="name:N", color=_colour())
    )
    room = 12 + 8 * int(frame["name"].str.len().max())
    return alt.layer(lines, names).properties(height=320, padding={"left": 5, "right": room, "top": 8, "bottom": 5})


def _colour() -> alt.Color:
    return alt.Color("name:N", scale=alt.Scale(range=list(_SERIES)), legend=None)


def paths(frame: pd.DataFrame, title: str | None = None, *, percent: bool = False) -> Chart:
    """Lines over optimizer steps.

    Args:
        frame: columns ``step``, ``name``, ``value``.
        title: of the vertical axis.
        percent: shares, on an axis in percent.
    """
    figures = ".0%" if percent else "~g"
    legend = _LEGEND if frame["name"].nunique() > 1 else None
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
        .properties(height=320)
    )
    return lines


def _legible(chart: Chart) -> Chart:
    """The chart with axis texts of a contrast of at least 4.5:1, which Streamlit's own do not have."""
    ink = {"light": "#5a6170", "dark": "#a9b0bb"}.get(st.context.theme.type or "")
    if ink is None:  # not known before the browser has told
        return chart
    axes: Chart = chart.configure_axis(labelColor=ink, titleColor=ink, labelFontSize=12, titleFontSize=12)
    both: Chart = axes.configure_legend(labelColor=ink, titleColor=ink, labelFontSize=12)
    return both


def _apart(values: pd.Series, step: float) -> list[float]:
    """Where names stand beside values so that none covers another: moved up until they are a step apart."""
    places: dict[int, float] = {}
    last = float("-inf")
    for position in values.argsort().tolist():
        last = max(float(values.iloc[position]), last + step)
        places[position] = last
    return [places[position] for position in range(len(values))]


_PARTS = ("value", "low", "high")
_PAD = alt.Scale(padding=0.35)
_LEGEND = alt.Legend(orient="top", labelLimit=260, columns=2, symbolType="stroke", symbolSize=500, symbolStrokeWidth=2)
