"""The tables of the facts: who is right, who answers alike, and whether that is the group or chance."""

from __future__ import annotations

from trialign.audit.figures import measures
from trialign.audit.figures.agreement import Kappa
from trialign.audit.figures.facts import FactAnalysis
from trialign.audit.figures.replies import LABELS, REPLIES
from trialign.audit.report.columns import P_HOLM, Column, P, Table, cells, interval
from trialign.audit.report.types import Report
from trialign.safe_output import Cell


def replies(report: Report) -> Table:
    """How every group's replies were read, and what they can hide."""
    columns = (
        Column("group", "group"),
        *(Column(name, LABELS[name], "share") for name in REPLIES),
        Column("right_at_least", "right, if unread are wrong", "share"),
        Column("right_at_most", "right, if unread are right", "share"),
    )
    facts, control = report.audit.analysis.facts, report.audit.control
    rows: list[tuple[Cell, ...]] = [
        (group, *(one.shares[name] for name in REPLIES), one.right_at_least, one.right_at_most)
        for group, one in (facts.replies if facts else {}).items()
    ]
    if control and control.unread:
        unread = sum(control.unread.values())
        shares = (control.unread.get(name) for name in REPLIES[1:])
        rows.append(("no profile", 1 - unread, *shares, control.accuracy, control.accuracy + unread))
    return Table("replies", "How the replies to facts were read", columns, tuple(rows))


def accuracy(report: Report) -> Table:
    """Each group's right answers, beside those before and without a profile."""
    facts, before = report.audit.analysis.facts, _facts_before(report)
    control = report.audit.control
    columns = [Column("group", "group"), Column("accuracy", "right answers", "share"), *interval("share")]
    if before:
        columns.append(Column("before", "before", "share"))
    if control:
        columns.append(Column("flips_from_control", "differs from no profile", "share"))
    rows = []
    for group, entry in (facts.accuracy if facts else {}).items():
        row: list[Cell] = [group, *cells(entry)]
        row += [before.accuracy[group].value] if before else []
        row += [control.flip_rate[group]] if control else []
        rows.append(tuple(row))
    return Table("accuracy", "Right answers of each group", tuple(columns), tuple(rows))


def gap(report: Report) -> Table:
    """The largest difference between two groups, beside what noise alone gives."""
    columns = (
        Column("audit", ""),
        Column("gap", "gap, points", "distance"),
        Column("noise", "noise alone gives", "distance"),
        P,
        Column("p_cochran", "p, Cochran's Q", "p_value"),
    )
    rows = ((name, f.gap.value, f.gap.noise, f.gap.p_value, f.gap.p_cochran) for name, f in _sides(report) if f.gap)
    return Table("gap", "The largest difference between two groups", columns, tuple(rows))


def pairs(report: Report) -> Table:
    """Every pair of groups, of very many the worst: how far apart, and whether the same within delta."""
    facts = report.audit.analysis.facts
    columns = (
        Column("first", "group"),
        Column("second", "and group"),
        Column("difference", "difference, points", "points"),
        *interval("points"),
        Column("within_delta", "the same within delta"),
        P,
        P_HOLM,
        Column("differ", "answers differ", "share"),
        *interval("share", "differ_"),
    )
    rows = (
        (
            *(p.first, p.second, p.difference, p.low, p.high),
            *("yes" if p.equivalent else "not shown", p.p_value, p.p_holm),
            *cells(p.differ),
        )
        for p in (facts.pairs if facts else ())
    )
    title = "Every pair of groups"
    if facts and len(facts.pairs) < facts.n_pairs:
        title = f"The {len(facts.pairs)} pairs of groups that differ most, of {facts.n_pairs:,}; p corrected for all"
    return Table("pairs", title, columns, tuple(rows))


def agreement(report: Report) -> Table:
    """How often all groups give the same answer, and the right one."""
    facts, before = report.audit.analysis.facts, _facts_before(report)
    columns = [Column("measure", ""), Column("value", "share", "share"), *interval("share")]
    if before:
        columns.append(Column("before", "before", "share"))
    rows: list[tuple[Cell, ...]] = []
    for measure in measures.ALL:
        entry = getattr(facts, measure.key, None)
        if (measure.question or measure.key == "divergence") and entry is not None:
            earlier = getattr(before, measure.key, None)
            rows.append((measure.label, *cells(entry), *([earlier.value if earlier else None] if before else [])))
    return Table("agreement", "The same answers, and the right ones", tuple(columns), tuple(rows))


def kappas(report: Report) -> Table:
    """Agreement beyond chance, for each number of options."""
    facts = report.audit.analysis.facts
    columns = (
        Column("options", "options"),
        Column("n_questions", "questions", "count"),
        Column("fleiss", "Fleiss' kappa", "number"),
        Column("randolph", "Randolph's kappa", "number"),
        Column("note", "note"),
    )
    return Table(
        "kappas", "Agreement beyond chance", columns, tuple(_kappa(k) for k in (facts.kappas if facts else ()))
    )


def _kappa(kappa: Kappa) -> tuple[Cell, ...]:
    options = "free answers" if kappa.options is None else str(kappa.options)
    return options, kappa.n_questions, kappa.fleiss, kappa.randolph, kappa.note


def flips(report: Report) -> Table:
    """How often answers differ between groups, between wordings, and between repeats."""
    columns = (
        Column("audit", ""),
        Column("across", "two groups differ", "share"),
        Column("wordings", "two wordings differ", "share"),
        Column("repeats", "asked again, differs", "share"),
        Column("excess", "due to the group, points", "points"),
        *interval("points"),
        P,
    )
    rows = (
        (name, f.across, f.wordings, f.repeats, f.excess, f.low, f.high, f.p_value)
        for name, facts in _sides(report)
        if (f := facts.excess_flips)
    )
    return Table("flips", "Is it the group, or the wording?", columns, tuple(rows))


def _sides(report: Report) -> list[tuple[str, FactAnalysis]]:
    """The rows of a table that holds this audit beside the one before."""
    sides = (("this audit", report.audit.analysis.facts), ("before", _facts_before(report)))
    return [(name, facts) for name, facts in sides if facts]


def _facts_before(report: Report) -> FactAnalysis | None:
    return report.before.analysis.facts if report.before else None
