"""Facts along the groups' attributes, and very many groups: a curve, a spread, and a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from trialign.audit.figures.along import AlongAttribute
from trialign.audit.figures.along_words import attribute_line, spread_line
from trialign.audit.figures.analysis import AuditAnalysis

from . import charts
from .markup import plain
from .tables import table
from .words import interval, p_value, percent, points

SEARCHED = 20  # groups from which on they are searched for
_FOUND = 20


def along(analysis: AuditAnalysis) -> None:
    """A curve for each attribute that the groups state; nothing where they state none."""
    if not analysis.attributes:
        return
    st.header("Along what the groups state", anchor=False)
    st.markdown(
        "Right answers by what the groups state of themselves. The shaded band is how sure that is: it holds the whole "
        "curve at once. Where groups differ in several attributes, each is looked at by itself."
    )
    for one in analysis.attributes:
        _attribute(one, analysis.bounds.alpha)


def _attribute(one: AlongAttribute, alpha: float) -> None:
    st.markdown(f"**{plain(one.label[:1].upper() + one.label[1:])}**")
    frame = pd.DataFrame(
        [{"name": p.label, "at": p.value, "value": p.accuracy, "low": p.low, "high": p.high} for p in one.curve]
    )
    chart = charts.curve(frame, one.label) if one.numeric else charts.intervals(frame, "right answers")
    head = (one.label, "Groups", "Right answers", "Band")
    rows = [(p.label, f"{p.groups:,}", percent(p.accuracy), interval(p.low, p.high)) for p in one.curve]
    charts.draw(chart, attribute_line(one, alpha), head, rows)
    if one.flips:
        with st.expander("How often two groups answer differently, by their distance", icon=":material/straighten:"):
            table(
                f"Share of facts that two groups answer differently, by their distance in {one.label}",
                ("Distance", "Pairs", "Different answers", "Interval"),
                [
                    (
                        f"{p.distance:.3g}",
                        f"{p.pairs:,}",
                        percent(p.flips.value),
                        interval(p.flips.low, p.flips.high),
                    )
                    for p in one.flips
                ],
            )


def many(analysis: AuditAnalysis, labels: Mapping[str, str]) -> None:
    """Of many groups how far they are apart, and a search among them; nothing where there are few."""
    facts, spread = analysis.facts, analysis.group_spread
    if facts is None or spread is None or len(analysis.groups) <= SEARCHED:
        return
    st.header("How far are the groups apart, beyond chance?", anchor=False)
    st.markdown(plain(spread_line(spread, len(analysis.groups), analysis.bounds.alpha, labels)))
    typed = st.text_input(
        "Find groups", key="find_groups", placeholder="a part of the name", help="Several words: all must be in it."
    )
    found = _matching(typed or "", analysis.groups, labels)
    mean = facts.mean.value or 0.0
    accuracy = {group: facts.accuracy[group] for group in found}
    ordered = sorted(found, key=lambda group: accuracy[group].value or 0.0)
    tested = {one.group: one.p_holm for one in (*spread.lowest, *spread.highest)}
    cut = f"; the table has the {_FOUND} with the fewest right answers" if len(found) > _FOUND else ", the lowest first"
    st.caption(f"{len(found):,} of {len(analysis.groups):,} groups{cut}.")
    if not found:
        return
    table(
        "Right answers of the groups found",
        ("Group", "Right answers", "Interval", "From the mean of all", "p, corrected"),
        [
            (
                labels.get(group, group),
                percent(accuracy[group].value),
                interval(accuracy[group].low, accuracy[group].high),
                points((accuracy[group].value or 0.0) - mean, signed=True),
                p_value(tested[group]) if group in tested else "–",
            )
            for group in ordered[:_FOUND]
        ],
    )
    st.caption("p: against the mean of all, for the 20 lowest and the 20 highest groups, corrected for all groups.")


def _matching(typed: str, groups: Sequence[str], labels: Mapping[str, str]) -> list[str]:
    """Groups whose name and label hold every word that was typed."""
    words = typed.casefold().split()
    return [group for group in groups if all(word in f"{group} {labels.get(group, '')}".casefold() for word in words)]
