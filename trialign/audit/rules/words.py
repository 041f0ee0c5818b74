"""A rule's check in a sentence."""

from __future__ import annotations

from trialign.audit.figures.checks import Check
from trialign.audit.rules.result import RuleOutcome

SIGNS: dict[RuleOutcome, str] = {"passes": "✓", "fails": "✗", "unknown": "?"}
WORDS: dict[RuleOutcome, str] = {"passes": "passes", "fails": "fails", "unknown": "not known"}
_POINTS = ("gap", "kept")


def check_words(key: str, check: Check, *, unread_decide: bool = False) -> str:
    """Figure, interval, bound, and what would be enough.

    Args:
        key: of the rule.
        check: of a figure against a bound.
        unread_decide: whether it is not known since it would be told otherwise were unread replies right.
    """
    change = key.startswith("regression.")
    points = change or key in _POINTS
    asked = "tastes" if key.endswith(("kept", "preference")) else "facts"
    ends = "" if check.low is None or check.high is None else f"{_number(check.low, change)} to "
    ends += "" if check.high is None else f"{_number(check.high, change)}; "
    unit = "points" if points else "%"
    words = f"{check.name[:1].upper()}{check.name[1:]}"
    words += f" ({check.group})" if check.group else ""
    words += f": {_number(check.figure, change)} {unit} ({ends}{check.side} {_bound(check.bound, change)})"
    if check.outcome == "holds":
        return f"{words}."
    if check.outcome == "fails":
        return f"{words}: shown to be beyond."
    if unread_decide:
        return f"{words}: not known, replies that hold no answer decide."
    if check.facts_needed is None and key == "other_facts":
        return f"{words}: not known, and no number of facts is known to be enough with so few labelled pairs."
    if check.facts_needed is None:
        return f"{words}: not known, and no number of {asked} is known to be enough."
    return f"{words}: not known, about {check.facts_needed:,} {asked} would be enough."


def _number(value: float | None, signed: bool) -> str:
    if value is None:
        return "–"
    text = f"{100 * value:+.1f}" if signed else f"{100 * value:.1f}"
    return (text.lstrip("+-") if not text.strip("+-0.") else text).replace("-", "−")


def _bound(value: float | None, signed: bool) -> str:
    return "–" if value is None else (f"{100 * value:+g}" if signed else f"{100 * value:g}").replace("-", "−")
