"""The tables of the record: who was asked, about what, the questions to read first, findings and files."""

from __future__ import annotations

from collections.abc import Sequence

from trialign.audit.report.columns import Column, Table
from trialign.audit.report.types import Finding, Report


def groups(report: Report) -> Table:
    """Who was asked, under which profile, and which weights answered."""
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
        elif told and told.style and exposure == "style":
            profile = f"none; questions written as: {told.style[0]}"
        rows.append((group, told.label if told else group, profile, hashes.get(group) or "base weights"))
    columns = (
        Column("group", "group"),
        Column("label", "who"),
        Column("profile", "profile, first wording"),
        Column("adapter_sha256", "adapter, SHA-256", "code"),
    )
    return Table("groups", "The groups and their agents", columns, tuple(rows))


def topics(report: Report) -> Table:
    """How many questions there are on each topic."""
    columns = (Column("topic", "topic"), Column("facts", "on facts", "count"), Column("tastes", "on taste", "count"))
    rows = ((topic, *counts) for topic, counts in report.questions.topics.items())
    return Table("topics", "Questions by topic", columns, tuple(rows))


def worst(report: Report) -> Table:
    """The questions to read first, with every group's answer."""
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


def findings(report: Report) -> Table:
    """What people noted."""
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


def files(report: Report) -> Table:
    """What this report was made from, with hashes."""
    columns = (Column("path", "file", "code"), Column("bytes", "bytes", "count"), Column("sha256", "SHA-256", "code"))
    rows = ((file.path, file.bytes, file.sha256) for file in report.files)
    return Table("files", "Files that this report was made from", columns, tuple(rows))
