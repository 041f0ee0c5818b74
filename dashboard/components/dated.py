"""Audits by their date: one figure of each with its interval, beside the bound that the gate sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
import streamlit as st

from trialign.audit.figures import measures
from trialign.audit.figures.estimates import Estimate
from trialign.audit.figures.facts import FactAnalysis
from trialign.audit.figures.words import lowered
from trialign.audit.report.format import moment

from ..reading.answers import WAYS, Way
from . import charts
from .words import interval, percent

_HARD = "\u00a0"  # a space at which no line ends


@dataclass(frozen=True)
class Dated:
    """One audit that asked facts.

    Attributes:
        name: of its run, with the step where several are of one run.
        when: it was finished, ISO 8601.
        facts: what it says of them, in scores.
        words: the same of their answers in words; None where there are none.
        gate: the section of its run's configuration; empty where there is none.
    """

    name: str
    when: str
    facts: FactAnalysis
    words: FactAnalysis | None = None
    gate: Mapping[str, object] = field(default_factory=dict)


def _flips(facts: FactAnalysis) -> Estimate | None:
    same = facts.pair_agreement
    if same is None or same.value is None:
        return None
    low, high = (None if end is None else 1 - end for end in (same.high, same.low))
    return Estimate(1 - same.value, low, high)


def _worst(facts: FactAnalysis) -> Estimate | None:
    known = [one for one in facts.accuracy.values() if one.value is not None]
    return min(known, key=lambda one: one.value or 0.0, default=None)


# Key of the measure -> the gate's rule on it, whether the rule is a largest value, and the figure of an audit.
_FIGURES: dict[str, tuple[str, bool, Callable[[FactAnalysis], Estimate | None]]] = {
    "flip_rate": ("flips", True, _flips),
    "worst": ("worst", False, _worst),
    "mean": ("", False, lambda facts: facts.mean),
    "consistent_wrong": ("wrong_together", True, lambda facts: facts.consistent_wrong),
}


def by_date(audits: Sequence[Dated], confidence: float) -> None:
    """Draws them, the first audited first; nothing where fewer than two are there.

    Args:
        audits: of the same questions, in any order.
        confidence: of their intervals.
    """
    if len(audits) < 2:
        return
    audits = sorted(audits, key=lambda one: one.when)
    st.header("By the date of the audit", anchor=False)
    words = {key: measures.by_key()[key].words for key in _FIGURES}
    way: Way = "Scored"
    if any(one.words for one in audits):
        way = st.segmented_control("Answers", WAYS, key="dated_way", default=way, required=True)
    picked = st.selectbox("Figure", list(_FIGURES), key="dated", format_func=words.__getitem__) or "flip_rate"
    rule, largest, figure = _FIGURES[picked]
    told = [(one, _asked(one, way)) for one in audits]
    found = [(moment(one.when), one.name, figure(facts)) for one, facts in told if facts is not None]
    known = [(when, name, one) for when, name, one in found if one is not None and one.value is not None]
    if not known:
        st.caption("These audits do not know this figure.")
        return
    frame = pd.DataFrame(
        [
            {
                "name": f"{_unbroken(when)} {name.replace(' ', _HARD)}",
                "value": one.value,
                "low": one.low,
                "high": one.high,
            }
            for when, name, one in known
        ]
    )
    bounds = _bounds(audits, rule)
    named = words[picked]
    answers = "in words" if way == "In words" else "in scores"
    charts.draw(
        charts.intervals(frame, lowered(named), marked=list(bounds), whole=False),
        f"{named}, {answers}, with {100 * confidence:g} % intervals: {percent(known[0][2].value)} in the first audit, "
        f"{percent(known[-1][2].value)} in the last. {_said(bounds, rule, largest)}",
        ("Audit", named, "Interval"),
        [(f"{when} {name}", percent(one.value), interval(one.low, one.high)) for when, name, one in known],
    )


def _asked(audit: Dated, way: Way) -> FactAnalysis | None:
    return audit.words if way == "In words" else audit.facts


def _unbroken(when: str) -> str:
    """A moment in which a line ends after the date alone."""
    return when.replace(" ", _HARD).replace(f",{_HARD}", ", ")


def _bounds(audits: Sequence[Dated], rule: str) -> dict[float, list[str]]:
    """Bound -> the audits in whose configuration the gate has it."""
    found: dict[float, list[str]] = {}
    for one in audits:
        bound = one.gate.get(rule)
        if isinstance(bound, int | float) and not isinstance(bound, bool):
            found.setdefault(float(bound), []).append(one.name)
    return found


def _said(bounds: Mapping[float, Sequence[str]], rule: str, largest: bool) -> str:
    if not bounds:
        return "No rule of the gate in their configurations bounds it."
    side = "at most" if largest else "at least"
    one = len(bounds) == 1
    said = "; ".join(
        f"{side} {percent(bound)}{'' if one else ' (' + ', '.join(names) + ')'}" for bound, names in bounds.items()
    )
    return (
        f"Dashed: the gate's bound (gate.{rule}), {said}. Whether the rule is kept, with the certainty that it asks "
        "for, is told by trialign gate."
    )
