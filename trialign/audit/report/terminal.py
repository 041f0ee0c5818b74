"""Summaries as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from trialign.audit.figures.analysis import AuditAnalysis
from trialign.audit.figures.comparison import Change
from trialign.audit.figures.flips import ExcessFlips
from trialign.audit.figures.replies import LABELS, REPLIES
from trialign.audit.figures.words import verdict_parts
from trialign.safe_output import literal

TRUTH_ROWS = (
    ("mean", "accuracy, mean over groups", "up"),
    ("chance", "  what guessing gives", ""),
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
        intervals: see ``trialign.audit.figures.comparison.changes``.
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
    """The verdict on the facts, its parts, and what the groups make of it beyond the wording, in plain words.

    Args:
        title: what stands before it.
        analysis: as ``read_analysis`` gives it.
    """
    facts, verdict = analysis.facts, analysis.verdict
    if facts is None or verdict is None:
        return literal(f"{title}: nothing to compare; the audit has no facts.")
    lines = [f"{title}: {verdict.sentence}"]
    for name, sign, outcome, sentence in verdict_parts(verdict, facts, analysis.bounds):
        lines.append(f"  {sign} {name}, {outcome}: {sentence}")
    return literal("\n".join([*lines, *_beyond_wording(facts.excess_flips)]))


def replies_table(analysis: AuditAnalysis) -> Table | None:
    """How each group's replies to facts were read, and its accuracy at both extremes; None where all were read."""
    replies = analysis.facts.replies if analysis.facts else {}
    if not any(one.unread for one in replies.values()):
        return None
    occurring = [name for name in REPLIES if any(one.shares[name] for one in replies.values())]
    table = Table(title="Replies to facts, and right answers if unread ones were wrong, or right", title_justify="left")
    table.add_column("")
    for column in (*(LABELS[name] for name in occurring), "right at least", "right at most"):
        table.add_column(column, justify="right")
    for group, one in replies.items():
        shares = (*(one.shares[name] for name in occurring), one.right_at_least, one.right_at_most)
        table.add_row(literal(group), *(f"{100 * share:.1f} %" for share in shares))
    return table


def _beyond_wording(flips: ExcessFlips | None) -> list[str]:
    if flips is None or flips.wordings is None or flips.excess is None:
        return []
    interval = "" if flips.low is None or flips.high is None else f" ({_points(flips.low)} to {_points(flips.high)})"
    return [
        f"  Two groups answer differently on {100 * flips.across:.1f} % of the questions, two wordings of one group "
        f"on {100 * flips.wordings:.1f} %: what the groups add to the wording is {_points(flips.excess)} "
        f"points{interval}."
    ]


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
