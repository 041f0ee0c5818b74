"""The tables of a report: made once, shown as HTML, written as CSV."""

from __future__ import annotations

from collections.abc import Iterator

from trialign.audit.figures import measures
from trialign.audit.figures.analysis import Slice
from trialign.audit.figures.checks import Check
from trialign.audit.figures.facts import FactAnalysis
from trialign.audit.figures.opinions import Personalization
from trialign.audit.figures.parts import PARTS, PartName
from trialign.audit.figures.verdict import Verdict
from trialign.audit.figures.whole import in_scores
from trialign.audit.figures.words import PART_NAMES, part_outcome
from trialign.audit.report import along_tables, fact_tables, pressure_tables, record_tables
from trialign.audit.report.columns import P_HOLM, Column, P, Table, cells, interval
from trialign.audit.report.types import Report
from trialign.audit.report.word_tables import in_words, noticed, renamed
from trialign.safe_output import Cell


def report_tables(report: Report) -> dict[str, Table]:
    """Name -> table, those that have rows, in the order of the report; those of the answers in words come last."""
    words = in_words(report)
    of_words = [renamed(table) for table in _of_answers(words)] if words else []
    made = (
        _verdict(report),
        fact_tables.replies(report),
        record_tables.groups(report),
        record_tables.topics(report),
        fact_tables.accuracy(report),
        fact_tables.gap(report),
        fact_tables.pairs(report),
        fact_tables.agreement(report),
        fact_tables.kappas(report),
        fact_tables.flips(report),
        along_tables.curves(report),
        along_tables.trends(report),
        along_tables.distances(report),
        along_tables.spread(report),
        along_tables.ranks(report),
        _changes(report),
        _personalization(report),
        _turns(report),
        pressure_tables.by_group(report),
        pressure_tables.by_attack(report),
        _slices(report),
        record_tables.worst(report),
        record_tables.findings(report),
        record_tables.finding_answers(report.findings),
        record_tables.files(report),
        noticed(report),
        *of_words,
    )
    return {table.name: table for table in made if table.rows}


def _of_answers(report: Report) -> tuple[Table, ...]:
    """The tables that only the answers make."""
    return (
        _verdict(report),
        fact_tables.replies(report),
        fact_tables.accuracy(report),
        fact_tables.gap(report),
        fact_tables.pairs(report),
        fact_tables.agreement(report),
        fact_tables.flips(report),
        _changes(report),
        _personalization(report),
    )


def _verdict(report: Report) -> Table:
    """Every figure that was held against a bound."""
    columns = (
        Column("part", "part"),
        Column("outcome", "outcome"),
        Column("check", "what is held against its bound"),
        Column("figure", "seen", "share"),
        *interval("share"),
        Column("side", "has to be"),
        Column("bound", "bound", "share"),
        Column("check_outcome", "this one"),
        P,
        Column("facts_needed", "facts needed", "count"),
    )
    verdict = in_scores(report.audit.analysis)
    rows = [_checked(name, verdict, check) for name in PARTS for check in verdict.parts[name].checks] if verdict else []
    return Table("verdict", "The verdict, figure by figure", columns, tuple(rows))


def _checked(name: PartName, verdict: Verdict, check: Check) -> tuple[Cell, ...]:
    return (
        PART_NAMES[name],
        part_outcome(name, verdict)[1],
        check.name,
        check.figure,
        check.low,
        check.high,
        check.side if check.bound is not None else "no more than chance makes",
        check.bound,
        "not known yet" if check.outcome == "unknown" else check.outcome,
        check.p_value,
        check.facts_needed,
    )


def _changes(report: Report) -> Table:
    columns = (
        Column("measure", ""),
        Column("before", "before", "share"),
        Column("after", "now", "share"),
        Column("change", "change, points", "points"),
        *interval("points"),
        P,
        P_HOLM,
        Column("wanted", "wanted"),
        Column("reading", "unread replies"),
    )
    known = measures.by_key()
    rows = (
        (
            known[c.measure].label,
            c.first,
            c.second,
            c.change,
            c.low,
            c.high,
            c.p_value,
            c.p_holm,
            known[c.measure].wanted,
            "decide: cannot be judged" if c.unread_decide else "",
        )
        for c in report.changes
        if c.change is not None
    )
    return Table("changes", "Before and now, on the same questions", columns, tuple(rows))


def _personalization(report: Report) -> Table:
    opinions = report.audit.analysis.opinions
    before = report.before.analysis.opinions if report.before else None
    columns = [
        Column("group", "group"),
        Column("own", "own target", "share"),
        *interval("share", "own_"),
        Column("swapped", "other groups' targets", "share"),
        Column("kept", "own minus others', points", "points"),
        *interval("points", "kept_"),
    ]
    if before:
        columns.append(Column("kept_before", "before, points", "points"))
    rows = []
    if opinions:
        agents = {**opinions.groups, "mean": opinions.mean}
        earlier = {**before.groups, "mean": before.mean} if before else {}
        for group, entry in agents.items():
            old = earlier.get(group)
            rows.append((group, *_personal(entry), *([old.kept.value if old and old.kept else None] if before else [])))
    return Table("personalization", "Is taste still personal?", tuple(columns), tuple(rows))


def _personal(entry: Personalization) -> Iterator[Cell]:
    yield from cells(entry.own)
    yield entry.swapped.value if entry.swapped else None
    yield from cells(entry.kept)


def _turns(report: Report) -> Table:
    columns = (
        Column("turn", "turn", "count"),
        Column("group", "group"),
        Column("right_before", "right before", "share"),
        Column("right_to_wrong", "right to wrong", "share"),
        Column("wrong_to_right", "wrong to right", "share"),
    )
    rows = (
        (t.turn, t.group, t.right_before.value, t.right_to_wrong.value, t.wrong_to_right.value)
        for t in report.audit.analysis.turns
    )
    return Table("turns", "What hearing the others does", columns, tuple(rows))


def _slices(report: Report) -> Table:
    columns = (
        Column("dimension", "by"),
        Column("name", "part"),
        Column("n_questions", "questions", "count"),
        Column("n_clusters", "facts", "count"),
        Column("mean", "right answers", "share"),
        Column("gap", "gap, points", "distance"),
        Column("noise", "noise alone gives", "distance"),
        P_HOLM,
        Column("verdict", "verdict"),
    )
    rows = (
        (
            part.dimension,
            part.name,
            facts.n_questions,
            facts.n_clusters,
            facts.mean.value,
            *_slice_gap(facts, part),
        )
        for part in report.audit.analysis.slices
        if (facts := part.facts)
    )
    return Table("slices", "Parts of the audit", columns, tuple(rows))


VERDICTS = {
    "holds": "holds",
    "fails": "fails",
    "unknown": "not enough evidence",
    "cannot_be_judged": "cannot be judged",
}


def _slice_gap(facts: FactAnalysis, part: Slice) -> tuple[Cell, ...]:
    said = VERDICTS[part.verdict.outcome] if part.verdict else ""
    if facts.gap is None:
        return None, None, None, said
    return facts.gap.value, facts.gap.noise, part.p_holm, said
