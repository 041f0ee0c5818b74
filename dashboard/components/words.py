"""Numbers and outcomes in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trialign.audit.figures.comparison import Reading
from trialign.audit.figures.estimates import Estimate
from trialign.audit.figures.measures import Unit
from trialign.audit.figures.verdict import Verdict, VerdictOutcome


@dataclass(frozen=True)
class Outcome:
    """How a verdict is shown: never by its colour alone.

    Attributes:
        style: part of the name of a style.
        symbol: a sign that stands for it.
        title: in a few words.
    """

    style: str
    symbol: str
    title: str


OUTCOMES: dict[VerdictOutcome, Outcome] = {
    "holds": Outcome("good", "✓", "holds"),
    "fails": Outcome("bad", "✗", "fails"),
    "unknown": Outcome("unsure", "?", "not enough evidence"),
    "cannot_be_judged": Outcome("unsure", "!", "cannot be judged"),
}

# Never by a colour alone.
READINGS: dict[Reading, str] = {
    "as wanted": "✓ as wanted",
    "not as wanted": "✗ not as wanted",
    "within chance": "? within chance",
    "not known": "? not known",
    "cannot be judged": "! cannot be judged: unread replies decide",
}


def percent(share: float | None) -> str:
    """A share with one decimal, as the command line's verdict gives it; a dash where it is not known."""
    return "–" if share is None else f"{100 * share:.1f} %"


def span(shares: Mapping[str, float | None]) -> str:
    """From where to where named shares lie, as the end of a sentence; those that look alike are not told apart."""
    known = {name: share for name, share in shares.items() if share is not None}
    if not known:
        return " not known"
    lowest, highest = (pick(known, key=lambda name: known[name]) for pick in (min, max))
    low, high = percent(known[lowest]), percent(known[highest])
    if low != high:
        return f" from {low} ({lowest}) to {high} ({highest})"
    return f" {low} ({lowest})" if len(known) == 1 else f" {low} for every group"


def changed(before: float | None, after: float | None) -> str:
    """What became of a share, as the end of a sentence; a change that is not seen in the figures is none."""
    first, second = percent(before), percent(after)
    return f"stayed at {first}" if first == second else f"went from {first} to {second}"


def points(share: float | None, *, signed: bool = False) -> str:
    """A difference of two shares in percentage points."""
    if share is None:
        return "–"
    return f"{_tenths(share):+.1f} points" if signed else f"{_tenths(share):.1f} points"


def measured(value: float | None, unit: Unit) -> str:
    """A measure's value: a share in percent, a difference of shares in points."""
    return points(value) if unit == "points" else percent(value)


def interval(low: float | None, high: float | None) -> str:
    """An interval of shares, in percent."""
    return "not known" if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f} %"


def point_interval(low: float | None, high: float | None) -> str:
    """An interval of differences, in percentage points."""
    return "not known" if low is None or high is None else f"{_tenths(low):+.1f} to {_tenths(high):+.1f}"


def _tenths(share: float) -> float:
    """Percentage points as they are shown; no minus nought."""
    return round(100 * share, 1) + 0.0


def estimate(value: Estimate | None) -> str:
    """A share and its interval."""
    return "–" if value is None else f"{percent(value.value)} ({interval(value.low, value.high)})"


def p_value(p: float | None) -> str:
    """A p-value as the verdict's sentence gives it."""
    if p is None:
        return "–"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def short_verdict(verdict: Verdict | None) -> str:
    """Sign and word of a verdict."""
    return "– no facts" if verdict is None else f"{OUTCOMES[verdict.outcome].symbol} {OUTCOMES[verdict.outcome].title}"
