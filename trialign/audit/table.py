"""Summaries as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from trialign.audit.analysis import AuditAnalysis
from trialign.audit.comparison import MEASURES, Difference
from trialign.audit.readability import WORDS, Readability
from trialign.safe_output import literal

_LABELS = {measure.key: measure.label for measure in MEASURES}
# What is told beside these measures.
_MORE = {
    "gap_noise": "  the gap that noise alone gives",
    "no_answer": "no readable answer",
    "jsd": "divergence of answer distributions",
}
_TRUTH = ("mean", "worst", "gap", "gap_noise", "unanimous", "flip_rate", "consistent_wrong", "no_answer", "jsd")


def audit_table(run: str, summary: Mapping[str, Any]) -> Table:
    """One audit.

    Args:
        run: the run's name.
        summary: as ``read_summary`` gives it.
    """
    table = Table(title=_title(run, summary), title_justify="left")
    table.add_column("")
    table.add_column(f"step {summary['step']}", justify="right")
    for label, value in _measures(summary).items():
        table.add_row(literal(label), _number(value))
    return table


def change_table(run: str, summary: Mapping[str, Any], found: Sequence[Difference], confidence: float) -> Table:
    """What changed between two audits of the same questions: the table with which ``fit`` ends.

    Args:
        run: the run's name.
        summary: of the later audit.
        found: see ``trialign.audit.comparison.differences``.
        confidence: of the intervals.
    """
    title = _title(run, summary).append(f"; {100 * confidence:g} % intervals, paired by fact")
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in ("before", "after", "change", "interval"):
        table.add_column(column, justify="right")
    table.add_column("wanted")
    for measure, one in zip(MEASURES, found, strict=True):
        change = "" if one.change is None else f"{one.change:+.3f}"
        interval = "" if one.low is None or one.high is None else f"[{one.low:+.3f}, {one.high:+.3f}]"
        values = (_number(one.first), _number(one.second), change, interval)
        table.add_row(*map(literal, (measure.label, *values, measure.wanted)))
    return table


def beside_table(before: Mapping[str, Any], after: Mapping[str, Any]) -> Table:
    """What else two audits of the same questions say, without intervals.

    Args:
        before: summary of the base model.
        after: summary of the trained agents.
    """
    table = Table(title="Beside the measures below", title_justify="left")
    table.add_column("")
    for column in ("before", f"step {after['step']}"):
        table.add_column(column, justify="right")
    later = _measures(after)
    for label, value in _measures(before).items():
        if label not in _LABELS.values():
            table.add_row(literal(label), _number(value), _number(later[label]))
    return table


def verdict_text(title: str, analysis: AuditAnalysis) -> Text:
    """The verdict on the facts, and what the groups make of it beyond the wording, in plain words.

    Args:
        title: what stands before it.
        analysis: as ``read_analysis`` gives it.
    """
    facts = analysis.facts
    if facts is None or facts.verdict is None:
        return literal(f"{title}: nothing to compare; the audit has no facts, or a single group.")
    flips = facts.excess_flips
    excess = ""
    if flips and flips.wordings is not None and flips.excess is not None:
        interval = (
            "" if flips.low is None or flips.high is None else f" ({_points(flips.low)} to {_points(flips.high)})"
        )
        excess = (
            f" Two groups answer differently on {100 * flips.across:.1f} % of the questions, two wordings of one group "
            f"on {100 * flips.wordings:.1f} %: what the groups add to the wording is {_points(flips.excess)} "
            f"points{interval}."
        )
    return literal(f"{title}: {facts.verdict.sentence}{excess}{_reading_text(facts.readability)}")


def _reading_text(reading: Readability | None) -> str:
    """A line a group about replies that hold no answer; empty where every reply holds one."""
    if reading is None or not any(estimate.value for estimate in reading.unread.values()):
        return ""
    lines = [
        f"  {group}: {100 * (reading.unread[group].value or 0):.1f} % ("
        + ", ".join(f"{100 * share:.1f} % {WORDS[status]}" for status, share in shares.items() if share)
        + f"); were they right, {100 * reading.accuracy_if_right[group]:.1f} % of the answers would be"
        if any(shares.values())
        else f"  {group}: none"
        for group, shares in reading.statuses.items()
    ]
    return "\n".join(["", "Replies without an answer (they count as wrong):", *lines])


def _title(run: str, summary: Mapping[str, Any]) -> Text:
    """As text, not as markup: names come from the user."""
    size = f"{summary['n_queries']} questions of {summary['n_clusters']} facts and tastes"
    return literal(f"{run}: {summary['data']} {summary['split']}, {size}")


def _measures(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """Label -> value."""
    truth, taste = summary["truth"], summary["preference"]
    return {
        **{{**_LABELS, **_MORE}[key]: truth.get(key) for key in _TRUTH},
        **{f"accuracy, {group}": truth["accuracy"].get(group) for group in summary["groups"]},
        _LABELS["preference"]: taste["mean"],
        _LABELS["preference_worst"]: taste["worst"],
        "  scored on the other groups' targets": _mean_swapped(taste),
        "Nash welfare": summary["welfare"]["nash"],
    }


def _mean_swapped(taste: Mapping[str, Any]) -> float | None:
    values = [value for value in (taste.get("swapped") or {}).values() if value is not None]
    return sum(values) / len(values) if values else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
