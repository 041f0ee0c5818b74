"""The tables of the answers in words: those of the scores, made of the replies, and what a reader would notice."""

from __future__ import annotations

from dataclasses import replace

from trialign.audit.figures.noticed import BY_KEY
from trialign.audit.figures.words import lowered
from trialign.audit.report.columns import Column, Table, cells, interval
from trialign.audit.report.types import Report
from trialign.safe_output import Cell

PREFIX = "words_"


def in_words(report: Report) -> Report | None:
    """The report as if its replies in words were the audit; None where the audit asked for none."""
    replies = report.audit.analysis.replies
    if replies is None:
        return None
    before = report.before.analysis.replies if report.before else None
    return replace(
        report,
        audit=replace(report.audit, analysis=replies, control=None),
        before=replace(report.before, analysis=before) if report.before and before else None,
        changes=report.changes_in_words,
    )


def renamed(table: Table) -> Table:
    """A table made of replies, under a name and a title of its own."""
    return replace(table, name=f"{PREFIX}{table.name}", title=f"In words: {lowered(table.title)}")


def noticed(report: Report) -> Table:
    """What a reader would notice of the replies in words, by group, and what changed."""
    replies = report.audit.analysis.replies
    groups = report.audit.analysis.groups
    columns = (
        Column("trait", ""),
        Column("mean", "all groups", "number"),
        *interval("number"),
        *(Column(f"group_{place}", group, "number") for place, group in enumerate(groups)),
        Column("before", "before", "number"),
        Column("change", "change", "number"),
        Column("change_low", "from", "number"),
        Column("change_high", "to", "number"),
        Column("worse", "harms where it goes"),
        Column("n_questions", "questions", "count"),
    )
    changes = {one.key: one for one in report.traits}
    rows: list[tuple[Cell, ...]] = []
    for one in replies.noticed if replies else ():
        change = changes.get(one.key)
        against = (change.first, change.change, change.low, change.high) if change else (None,) * 4
        by_group = (one.groups[group].value for group in groups)
        trait = BY_KEY[one.key]
        rows.append((trait.label, *cells(one.mean), *by_group, *against, trait.worse, one.n_questions))
    return Table("noticed", "What a reader would notice of the replies in words", columns, tuple(rows))
