"""Summaries as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from rich.table import Table
from rich.text import Text

from trialign.audit.figures import measures
from trialign.audit.figures.along_words import along_lines
from trialign.audit.figures.analysis import AuditAnalysis
from trialign.audit.figures.comparison import Difference
from trialign.audit.figures.flips import ExcessFlips
from trialign.audit.figures.noticed import BY_KEY, TraitChange
from trialign.audit.figures.pairs import MOST_GROUPS
from trialign.audit.figures.replies import LABELS, REPLIES
from trialign.audit.figures.whole import whole_parts
from trialign.safe_output import literal

_LOWEST = 15  # groups that are shown of very many


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


def change_table(
    run: str,
    summary: Mapping[str, Any],
    found: Sequence[Difference],
    confidence: float,
    traits: Sequence[TraitChange] | None = None,
) -> Table:
    """What changed between two audits of the same questions: the table with which ``fit`` ends.

    Args:
        run: the run's name.
        summary: of the later audit.
        found: see ``trialign.audit.figures.comparison.differences``.
        confidence: of the intervals.
        traits: of replies in words, where these were compared; None: scores were.
    """
    # In words fewer may have been asked (audit.replies_limit); audits made before that was counted say nothing of it.
    asked, way = (summary, "") if traits is None else ({**summary, **summary["replies"]}, ", answered in words")
    title = _title(run, asked).append(f"{way}; {100 * confidence:g} % intervals, paired by fact")
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in ("before", "after", "change", "interval"):
        table.add_column(column, justify="right")
    table.add_column("wanted")
    for measure, one in zip(measures.compared(), found, strict=True):
        _add_change(table, measure.label, one, measure.wanted)
    for trait in traits or ():
        _add_change(
            table, BY_KEY[trait.key].label, trait, {"up": "down", "down": "up", "": ""}[BY_KEY[trait.key].worse]
        )
    return table


def _add_change(table: Table, label: str, one: Difference | TraitChange, wanted: str) -> None:
    change = "" if one.change is None else f"{one.change:+.3f}"
    interval = "" if one.low is None or one.high is None else f"[{one.low:+.3f}, {one.high:+.3f}]"
    table.add_row(*map(literal, (label, _number(one.first), _number(one.second), change, interval, wanted)))


def words_table(summary: Mapping[str, Any]) -> Table | None:
    """One audit's answers in words, by group; None where none were asked for.

    Args:
        summary: as ``read_summary`` gives it.
    """
    replies = summary.get("replies")
    if not replies:
        return None
    table = Table(title="The same questions answered in words", title_justify="left")
    table.add_column("")
    groups = summary["groups"] if len(summary["groups"]) <= MOST_GROUPS else []
    for column in (*groups, "all"):
        table.add_column(literal(column), justify="right")
    for label, key, whole in (("accuracy", "accuracy", "mean"), ("refused", "refused", None)):
        by_group = replies[key] or {}
        values = (by_group.get(group) for group in groups)
        table.add_row(label, *map(_number, values), _number(replies[whole]) if whole else "")
    for key, one in replies["noticed"].items():
        values = (one["groups"][group][0] for group in groups)
        table.add_row(BY_KEY[key].label, *map(_number, values), _number(one["mean"][0]))
    for key in ("flip_rate", "unanimous", "consistent_wrong", "no_answer"):
        table.add_row(measures.by_key()[key].label, *[""] * len(groups), _number(replies[key]))
    for label, value in _compared(replies.get("compared")).items():
        table.add_row(literal(label), *[""] * len(groups), value)
    return table


def _compared(found: Mapping[str, Any] | None) -> dict[str, str]:
    """What a comparer says of replies: flips and excess flips, as counted and corrected, and how often it is right."""
    if not found or found["flips"] is None:
        return {}
    rows = {
        f"{name}, {way}": _interval(found[key][way])
        for key, name in (("flips", "pairs that say another fact"), ("excess", "beyond one group's own"))
        if found[key]
        for way in ("raw", "corrected")
    }
    right = {f"{name} of the comparer": _interval(found[name]) for name in ("sensitivity", "specificity")}
    return {**rows, **right}


def _interval(ends: Sequence[float | None]) -> str:
    value, low, high = ends
    return _number(value) if low is None or high is None else f"{_number(value)} [{low:.3f}, {high:.3f}]"


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
    below = {measure.label for measure in measures.compared()}
    earlier, later = _measures(before), _measures(after)
    for label in {**earlier, **later}:  # an audit of an earlier version knows fewer
        if label not in below:
            table.add_row(literal(label), _number(earlier.get(label)), _number(later.get(label)))
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
    for name, sign, outcome, sentence in whole_parts(analysis):
        lines.append(f"  {sign} {name}, {outcome}: {sentence}")
    along = [f"  {line}" for line in along_lines(analysis)]
    return literal("\n".join([*lines, *_beyond_wording(facts.excess_flips), *along]))


def replies_table(analysis: AuditAnalysis | None, way: str = "Replies") -> Table | None:
    """How each group's replies to facts were read, and its accuracy at both extremes; None where all were read.

    Args:
        analysis: of an audit, or of its replies in words; None: there are none.
        way: what the title calls them.
    """
    if analysis is None:
        return None
    replies = analysis.facts.replies if analysis.facts else {}
    if not any(one.unread for one in replies.values()):
        return None
    occurring = [name for name in REPLIES if any(one.shares[name] for one in replies.values())]
    title = f"{way} to facts, and right answers if unread ones were wrong, or right"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in (*(LABELS[name] for name in occurring), "right at least", "right at most"):
        table.add_column(column, justify="right")
    worst = {group: one.right_at_least for group, one in replies.items()}
    for group, one in ((group, replies[group]) for group in _shown(worst, list(replies))):
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


def _measures(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """Label -> value of what the summary holds, in the order of the record."""
    rows: dict[str, float | None] = {}
    for measure in measures.ALL:
        with suppress(KeyError):
            found = measures.in_summary(measure, summary)
            if measure.key == "accuracy":
                rows |= {f"{measure.label}, {group}": found.get(group) for group in _shown(found, summary["groups"])}
            elif not isinstance(found, Mapping):
                rows[measure.label] = found
            elif measure.key == "swapped":
                rows[measure.label] = _mean(found)
    return rows


def _shown(values: Mapping[str, float | None], groups: Sequence[str]) -> Sequence[str]:
    """All groups; of very many those with the smallest values."""
    known = [group for group in groups if values.get(group) is not None]
    if len(groups) <= MOST_GROUPS or not known:
        return groups[:MOST_GROUPS]
    return sorted(known, key=lambda group: values[group] or 0.0)[:_LOWEST]


def _mean(by_group: Mapping[str, float | None]) -> float | None:
    values = [value for value in by_group.values() if value is not None]
    return sum(values) / len(values) if values else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
