"""The tables of a report: made once, shown as HTML, written as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from trialign.audit.figures.agreement import Kappa
from trialign.audit.figures.analysis import Slice
from trialign.audit.figures.checks import Check
from trialign.audit.figures.comparison import MEASURES
from trialign.audit.figures.estimates import Estimate
from trialign.audit.figures.facts import FactAnalysis
from trialign.audit.figures.opinions import Personalization
from trialign.audit.figures.parts import PARTS, PartName
from trialign.audit.figures.replies import LABELS, REPLIES
from trialign.audit.figures.verdict import Verdict
from trialign.audit.figures.words import PART_NAMES, part_outcome
from trialign.audit.report.types import Finding, Report
from trialign.safe_output import Cell

# share: of 1, shown in per cent; points: a difference of shares, signed; distance: one without a sign; code: a hash
# or an identifier.
Kind = Literal["text", "code", "share", "points", "distance", "number", "p_value", "count", "seconds"]


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        key: its name in CSV.
        label: its heading; empty where the table names its rows.
        kind: of its values.
    """

    key: str
    label: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: of its CSV file.
        title: what it shows.
        columns: at least one.
        rows: cells as ``columns``; None where a value is undefined.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def without_empty_columns(self) -> Table:
        """The columns in which there is something, for a page."""
        return self._with([n for n in range(len(self.columns)) if any(row[n] not in (None, "") for row in self.rows)])

    def without_zeros(self) -> Table:
        """The columns in which something is not zero, for a page."""
        return self._with([n for n in range(len(self.columns)) if any(row[n] != 0 for row in self.rows)])

    def without(self, key: str) -> Table:
        """All columns but one."""
        return self._with([n for n, column in enumerate(self.columns) if column.key != key])

    def _with(self, kept: Sequence[int]) -> Table:
        rows = (tuple(row[n] for n in kept) for row in self.rows)
        return Table(self.name, self.title, tuple(self.columns[n] for n in kept), tuple(rows))


def _interval(kind: Kind, key: str = "") -> tuple[Column, Column]:
    """The two ends; ``key`` tells them from those of another value in the same table."""
    return Column(f"{key}low", "from", kind), Column(f"{key}high", "to", kind)


_P = Column("p_value", "p", "p_value")
_P_HOLM = Column("p_holm", "p, Holm", "p_value")
AGREEMENT_LABELS = {
    "unanimous": "all groups give the same answer",
    "pair_agreement": "two groups give the same answer",
    "right_for_all": "right for every group",
    "consistent_wrong": "the same wrong answer for all groups",
    "no_answer": "replies without a readable answer",
    "divergence": "divergence of the answer distributions",
}


def report_tables(report: Report) -> dict[str, Table]:
    """Name -> table, those that have rows, in the order of the report."""
    made = (
        _verdict(report),
        _replies(report),
        _system(report),
        _topics(report),
        _groups(report),
        _gap(report),
        _pairs(report),
        _agreement(report),
        _kappas(report),
        _flips(report),
        _changes(report),
        _personalization(report),
        _turns(report),
        _slices(report),
        _worst(report),
        _findings(report),
        finding_answers(report.findings),
        _files(report),
    )
    return {table.name: table for table in made if table.rows}


def _system(report: Report) -> Table:
    about = report.audit.about
    hashes = report.audit.adapter_sha256
    labels = {group.name: group for group in about.groups} if about else {}
    exposure = report.audit.analysis.exposure
    rows = []
    for group in (*hashes, *(name for name in labels if name not in hashes)):
        told = labels.get(group)
        profile = ""
        if told and told.explicit and exposure == "explicit":
            profile = told.explicit[0]
        elif told and told.implicit and exposure == "implicit":
            profile = " / ".join(f"{message.role}: {message.content}" for message in told.implicit[0])
        rows.append((group, told.label if told else group, profile, hashes.get(group) or "base weights"))
    columns = (
        Column("group", "group"),
        Column("label", "who"),
        Column("profile", "profile, first wording"),
        Column("adapter_sha256", "adapter, SHA-256", "code"),
    )
    return Table("groups", "The groups and their agents", columns, tuple(rows))


def _verdict(report: Report) -> Table:
    """Every figure that was held against a bound."""
    columns = (
        Column("part", "part"),
        Column("outcome", "outcome"),
        Column("check", "what is held against its bound"),
        Column("figure", "seen", "share"),
        *_interval("share"),
        Column("side", "has to be"),
        Column("bound", "bound", "share"),
        Column("check_outcome", "this one"),
        _P,
        Column("facts_needed", "facts needed", "count"),
    )
    verdict = report.audit.analysis.verdict
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


def _replies(report: Report) -> Table:
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


def _topics(report: Report) -> Table:
    columns = (Column("topic", "topic"), Column("facts", "on facts", "count"), Column("tastes", "on taste", "count"))
    rows = ((topic, *counts) for topic, counts in report.questions.topics.items())
    return Table("topics", "Questions by topic", columns, tuple(rows))


def _groups(report: Report) -> Table:
    facts, before = report.audit.analysis.facts, _facts_before(report)
    control = report.audit.control
    columns = [Column("group", "group"), Column("accuracy", "right answers", "share"), *_interval("share")]
    if before:
        columns.append(Column("before", "before", "share"))
    if control:
        columns.append(Column("flips_from_control", "differs from no profile", "share"))
    rows = []
    for group, entry in (facts.accuracy if facts else {}).items():
        row: list[Cell] = [group, *_cells(entry)]
        row += [before.accuracy[group].value] if before else []
        row += [control.flip_rate[group]] if control else []
        rows.append(tuple(row))
    return Table("accuracy", "Right answers of each group", tuple(columns), tuple(rows))


def _gap(report: Report) -> Table:
    columns = (
        Column("audit", ""),
        Column("gap", "gap, points", "distance"),
        Column("noise", "noise alone gives", "distance"),
        _P,
        Column("p_cochran", "p, Cochran's Q", "p_value"),
    )
    rows = ((name, f.gap.value, f.gap.noise, f.gap.p_value, f.gap.p_cochran) for name, f in _sides(report) if f.gap)
    return Table("gap", "The largest difference between two groups", columns, tuple(rows))


def _pairs(report: Report) -> Table:
    facts = report.audit.analysis.facts
    columns = (
        Column("first", "group"),
        Column("second", "and group"),
        Column("difference", "difference, points", "points"),
        *_interval("points"),
        Column("within_delta", "the same within delta"),
        _P,
        _P_HOLM,
    )
    rows = (
        (p.first, p.second, p.difference, p.low, p.high, "yes" if p.equivalent else "not shown", p.p_value, p.p_holm)
        for p in (facts.pairs if facts else ())
    )
    return Table("pairs", "Every pair of groups", columns, tuple(rows))


def _agreement(report: Report) -> Table:
    facts, before = report.audit.analysis.facts, _facts_before(report)
    columns = [Column("measure", ""), Column("value", "share", "share"), *_interval("share")]
    if before:
        columns.append(Column("before", "before", "share"))
    rows: list[tuple[Cell, ...]] = []
    for key, label in AGREEMENT_LABELS.items():
        entry = getattr(facts, key) if facts else None
        if entry is not None:
            earlier = getattr(before, key) if before else None
            rows.append((label, *_cells(entry), *([earlier.value if earlier else None] if before else [])))
    return Table("agreement", "The same answers, and the right ones", tuple(columns), tuple(rows))


def _kappas(report: Report) -> Table:
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


def _flips(report: Report) -> Table:
    columns = (
        Column("audit", ""),
        Column("across", "two groups differ", "share"),
        Column("wordings", "two wordings differ", "share"),
        Column("repeats", "asked again, differs", "share"),
        Column("excess", "due to the group, points", "points"),
        *_interval("points"),
        _P,
    )
    rows = (
        (name, f.across, f.wordings, f.repeats, f.excess, f.low, f.high, f.p_value)
        for name, facts in _sides(report)
        if (f := facts.excess_flips)
    )
    return Table("flips", "Is it the group, or the wording?", columns, tuple(rows))


def _changes(report: Report) -> Table:
    columns = (
        Column("measure", ""),
        Column("before", "before", "share"),
        Column("after", "now", "share"),
        Column("change", "change, points", "points"),
        *_interval("points"),
        _P,
        _P_HOLM,
        Column("wanted", "wanted"),
        Column("reading", "unread replies"),
    )
    known = {measure.key: measure for measure in MEASURES}
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
        *_interval("share", "own_"),
        Column("swapped", "other groups' targets", "share"),
        Column("kept", "own minus others', points", "points"),
        *_interval("points", "kept_"),
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
    yield from _cells(entry.own)
    yield entry.swapped.value if entry.swapped else None
    yield from _cells(entry.kept)


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
        _P_HOLM,
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


def _worst(report: Report) -> Table:
    columns = (
        Column("query_id", "question", "code"),
        Column("topic", "topic"),
        Column("reason", "why it is here"),
        Column("question", "words"),
        Column("gold", "right answer"),
        Column("group", "group"),
        Column("answer", "answer"),
        Column("correct", "right"),
        Column("probability", "probability", "share"),
    )
    rows = (
        (
            w.query_id,
            w.topic,
            w.reason,
            w.question,
            w.gold,
            a.group,
            a.answer,
            "yes" if a.correct else "no",
            a.probability,
        )
        for w in report.worst
        for a in w.answers
    )
    return Table("worst", "Questions to read first", columns, tuple(rows))


def _findings(report: Report) -> Table:
    columns = (
        Column("id", "no.", "code"),
        Column("time", "when"),
        Column("user", "who"),
        Column("query_id", "question", "code"),
        Column("question", "words"),
        Column("comment", "finding"),
        Column("disposition", "disposition"),
        Column("asked", "how it was asked"),
        Column("checkpoint", "checkpoint, SHA-256", "code"),
    )
    rows = (
        (f.id, f.time, f.user, f.query_id, f.question, f.comment, f.disposition, f.asked, f.checkpoint)
        for f in report.findings
    )
    return Table("findings", "Findings", columns, tuple(rows))


def finding_answers(findings: Sequence[Finding]) -> Table:
    """The evidence of findings, in text: what a model said when it was asked anew is no figure of the audit."""
    columns = (
        Column("id", "finding", "code"),
        Column("agents", "agents"),
        Column("group", "group"),
        Column("answer", "answer"),
        Column("canonical", "read as"),
        Column("probabilities", "how likely each option was"),
        Column("adapter", "adapter, SHA-256", "code"),
        Column("profile", "what the agent was told of who asks"),
    )
    rows = (
        (
            f.id,
            f"step {a.step}" if a.step else "before training",
            a.group,
            a.answer,
            a.canonical,
            " · ".join(
                f"{option} {100 * share:.1f} %" for option, share in zip(f.options, a.probabilities or (), strict=False)
            ),
            a.adapter_sha256,
            a.profile,
        )
        for f in findings
        for a in f.answers
    )
    return Table("finding_answers", "What the agents answered", columns, tuple(rows))


def _files(report: Report) -> Table:
    columns = (Column("path", "file", "code"), Column("bytes", "bytes", "count"), Column("sha256", "SHA-256", "code"))
    rows = ((file.path, file.bytes, file.sha256) for file in report.files)
    return Table("files", "Files that this report was made from", columns, tuple(rows))


def _sides(report: Report) -> list[tuple[str, FactAnalysis]]:
    """The rows of a table that holds this audit beside the one before."""
    sides = (("this audit", report.audit.analysis.facts), ("before", _facts_before(report)))
    return [(name, facts) for name, facts in sides if facts]


def _facts_before(report: Report) -> FactAnalysis | None:
    return report.before.analysis.facts if report.before else None


def _cells(entry: Estimate | None) -> Sequence[Cell]:
    return (entry.value, entry.low, entry.high) if entry else (None, None, None)
