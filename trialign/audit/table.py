"""Summaries as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from trialign.audit.analysis import AuditAnalysis
from trialign.audit.comparison import Change
from trialign.audit.readability import WORDS, Readability
from trialign.safe_output import literal

TRUTH_ROWS = (
    ("mean", "accuracy, mean over groups", "up"),
    ("worst", "accuracy, worst group", "up"),
    ("gap", "accuracy gap between groups", "down"),
    ("gap_noise", "  the gap that noise alone gives", ""),
    ("unanimous", "all groups agree", "up"),
    ("flip_rate", "two groups differ", "down"),
    ("consistent_wrong", "all agree on a wrong answer", "down"),
    ("no_answer", "no readable answer", "down"),
    ("jsd", "divergence of answer distributions", "down"),
)


def audit_table(run: str, summary: Mapping[str, Any]) -> Table:
    """One audit.

    Args:
        run: the run's name.
        summary: as ``read_summary`` gives it.
    """
    table = Table(title=_title(run, summary), title_justify="left")
    table.add_column("")
    table.add_column(f"step {summary['step']}", justify="right")
    for label, value, _, _ in _measures(summary):
        table.add_row(literal(label), _number(value))
    return table


def before_after_table(
    run: str, before: Mapping[str, Any], after: Mapping[str, Any], intervals: Mapping[str, Change]
) -> Table:
    """Two audits of the same questions side by side.

    Args:
        run: the run's name.
        before: summary of the base model.
        after: summary of the trained agents.
        intervals: see ``trialign.audit.comparison.changes``.
    """
    table = Table(title=_title(run, after), title_justify="left")
    table.add_column("")
    for column in ("before", f"step {after['step']}", "change", "95 % interval", "better"):
        table.add_column(column, justify="right")
    for (label, old, key, better), (_, new, _, _) in zip(_measures(before), _measures(after), strict=True):
        difference = "" if old is None or new is None else f"{new - old:+.3f}"
        change = intervals.get(key)
        interval = "" if change is None else f"{change[1]:+.3f} to {change[2]:+.3f}"
        table.add_row(literal(label), _number(old), _number(new), difference, interval, better)
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


def _measures(summary: Mapping[str, Any]) -> list[tuple[str, float | None, str, str]]:
    """(label, value, key of its interval, which way is better)."""
    truth, taste = summary["truth"], summary["preference"]
    return [
        *((label, truth.get(key), key, better) for key, label, better in TRUTH_ROWS),
        *((f"accuracy, {group}", truth["accuracy"].get(group), "", "up") for group in summary["groups"]),
        ("preference score, mean", taste["mean"], "preference", "up"),
        ("preference score, worst group", taste["worst"], "", "up"),
        ("  scored on the other groups' targets", _mean_swapped(taste), "", ""),
        ("Nash welfare", summary["welfare"]["nash"], "", "up"),
    ]


def _mean_swapped(taste: Mapping[str, Any]) -> float | None:
    values = [value for value in (taste.get("swapped") or {}).values() if value is not None]
    return sum(values) / len(values) if values else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
