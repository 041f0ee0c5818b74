"""The report as one HTML file: no script, nothing from outside, made for paper as for the screen."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from trialign.audit.figures import measures
from trialign.audit.figures.along_words import along_lines
from trialign.audit.figures.pairs import MOST_GROUPS
from trialign.audit.figures.whole import in_scores, whole_parts
from trialign.audit.figures.words import guessing
from trialign.audit.files.integrity import not_verifiable
from trialign.audit.report.charts import Interval, IntervalChart, interval_chart
from trialign.audit.report.columns import Table
from trialign.audit.report.decisions import decided
from trialign.audit.report.format import cell, formatted, moment, plain
from trialign.audit.report.record_tables import finding_answers
from trialign.audit.report.tables import report_tables
from trialign.audit.report.types import Finding, Report
from trialign.audit.report.word_tables import PREFIX

_EXPOSURES = {
    "explicit": "stated to the model outright",
    "implicit": "revealed to the model by an earlier dialogue",
}

_BY_GROUP = ("groups", "replies", "accuracy", "personalization")
_ROWS = 100
_CHARTED = 30


def environment() -> Environment:
    """Templates that escape every value, and show what would not be seen in it."""
    made = Environment(
        loader=PackageLoader("trialign.audit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(cell=cell, formatted=formatted, moment=moment)
    return made


def report_html(report: Report) -> str:
    """The whole document."""
    analysis = report.audit.analysis
    template = environment().get_template("report.html.jinja")
    tables = {name: _short(table.without_empty_columns()) for name, table in report_tables(report).items()}
    if "replies" in tables:
        tables["replies"] = tables["replies"].without_zeros()
    if "words_replies" in tables:
        tables["words_replies"] = tables["words_replies"].without_zeros()
    return template.render(
        report=report,
        audit=report.audit,
        about=report.audit.about,
        analysis=analysis,
        facts=analysis.facts,
        before=report.before.analysis if report.before else None,
        questions=report.questions,
        tables=tables,
        measure=measures.by_key(),
        charts=_charts(report),
        verdict=analysis.verdict,
        scores=in_scores(analysis),
        word_tables=[table for name, table in tables.items() if name.startswith(PREFIX)],
        parts=whole_parts(analysis),
        unread=any(one.unread for one in analysis.facts.replies.values()) if analysis.facts else False,
        guessing=guessing(analysis.facts) if analysis.facts else "",
        along=along_lines(analysis),
        how_told=_EXPOSURES[analysis.exposure],
        how_chosen=report.questions.answering,
        unverified=not_verifiable(report.audit.unverified),
        evidence=[_evidence(finding) for finding in report.findings],
        sign=decided(report.sign_off.decision, report.sign_off.standing)[0] if report.sign_off else "",
    )


def _short(table: Table) -> Table:
    """A table with a row for each group, of very many groups with the first ones alone; the CSV has them all."""
    rows = len(table.rows)
    if table.name.removeprefix(PREFIX) not in _BY_GROUP or rows <= _ROWS:
        return table
    title = f"{table.title} (the first {_ROWS} of {rows:,}; {table.name}.csv has all)"
    return Table(table.name, title, table.columns, table.rows[:_ROWS])


def _evidence(finding: Finding) -> Table | None:
    """The answers that a finding is about; its number stands above them."""
    table = finding_answers([finding]).without_empty_columns()
    return table.without("id") if table.rows else None


def _charts(report: Report) -> dict[str, IntervalChart | None]:
    analysis = report.audit.analysis
    before = report.before.analysis if report.before else None
    facts, opinions = analysis.facts, analysis.opinions
    old = before.facts.accuracy if before and before.facts else {}
    old_kept: dict[str, Any] = before.opinions.groups if before and before.opinions else {}
    accuracy = [
        Interval(group, e.value, e.low, e.high, old[group].value if group in old else None)
        for group, e in (facts.accuracy if facts else {}).items()
    ]
    along = [
        Interval(f"{one.label} {point.label}", point.accuracy, point.low, point.high)
        for one in analysis.attributes
        for point in one.curve
    ]
    beside = f" ({guessing(facts)})" if facts and facts.chance is not None else ""
    if len(accuracy) > MOST_GROUPS:  # of very many groups the lowest: a chart of all is none to read
        accuracy = sorted(accuracy, key=lambda one: one.value or 0.0)[:_CHARTED]
        beside = f", the lowest {_CHARTED} groups{beside}"
    pairs = [Interval(f"{p.first} − {p.second}", p.difference, p.low, p.high) for p in (facts.pairs if facts else ())]
    known = measures.by_key()
    changes = [Interval(known[c.measure].label, c.change, c.low, c.high) for c in report.changes]
    kept = [
        Interval(group, e.kept.value, e.kept.low, e.kept.high, k.value if (k := _kept(old_kept.get(group))) else None)
        for group, e in (opinions.groups if opinions else {}).items()
        if e.kept
    ]
    kept = kept if len(kept) <= MOST_GROUPS else sorted(kept, key=lambda one: one.value or 0.0)[:_CHARTED]
    return {
        "accuracy": interval_chart(f"Share of right answers, per group{beside}", accuracy, "share"),
        "along": interval_chart("Share of right answers along each attribute", along, "share"),
        "pairs": interval_chart("Difference in right answers, in points", pairs, "points", delta=analysis.bounds.delta),
        "changes": interval_chart("Change since before, in points", changes, "points"),
        "personalization": interval_chart("Score on the own target minus other groups', in points", kept, "points"),
    }


def _kept(entry: Any) -> Any:
    return entry.kept if entry else None
