"""What auditors noted and signed: one SQLite file beside the runs, to which is only added.

A typed question is nowhere kept but in a finding that somebody saved. Deleting a finding takes its texts out of the
file and leaves a mark of who did so and when; nothing else can be changed or removed, which the database itself
refuses by triggers.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from trialign.audit.files.database import DELETABLE, cut_log, reading, writing
from trialign.errors import UserError
from trialign.runs import FINDINGS

Disposition = Literal["open", "accepted", "fixed", "no fault"]
DISPOSITIONS: tuple[Disposition, ...] = get_args(Disposition)
LONGEST_TEXT = 4000  # characters of a comment, a name or a remark
LIVE, RECORDED = "live", "recorded"  # whether a finding's answers were given when it was noted, or stood in an audit


@dataclass(frozen=True)
class Said:
    """One agent's answer, as it is kept with a finding; what an earlier version did not keep is empty.

    Attributes:
        step: of the agent as it was asked.
        label: of its group, for people.
        text: verbatim.
        group: name of its group.
        canonical: the answer as it was read; None where it could not be, or was not kept.
        probabilities: of the options, in their order; None for a free reply.
        adapter_sha256: hash of the adapter that answered; None for the base weights.
        checkpoint_sha256: of the manifest of the agents; None for the base model and for recorded answers.
        profile: the words by which the agent knew who asks.
    """

    step: int
    label: str
    text: str
    group: str = ""
    canonical: str | None = None
    probabilities: tuple[float, ...] | None = None
    adapter_sha256: str | None = None
    checkpoint_sha256: str | None = None
    profile: str = ""


@dataclass(frozen=True)
class Remark:
    """A comment on a finding and what is to become of it; the last one holds."""

    time: str
    user: str
    comment: str
    disposition: str


@dataclass(frozen=True)
class SavedFinding:
    """What somebody noted about one question.

    Attributes:
        time: ISO 8601, UTC.
        query_id: of an audited question; empty for a typed one.
        question: empty once deleted, as are options, answers and remarks.
        checkpoint_sha256: of the manifest of the agents that were asked; empty for the base model.
        deleted: who took the texts out, and when; None where they are there.
        audit: id of the audit that was looked at; empty where an earlier version did not keep it.
        exposure: how the profile reached the agents, explicit or implicit; empty likewise.
        source: ``LIVE`` or ``RECORDED``; empty likewise.
    """

    id: int
    time: str
    user: str
    run: str
    step: int
    query_id: str
    checkpoint_sha256: str
    question: str
    options: tuple[str, ...]
    answers: tuple[Said, ...]
    remarks: tuple[Remark, ...]
    deleted: tuple[str, str] | None
    audit: str = ""
    exposure: str = ""
    source: str = ""

    @property
    def steps(self) -> tuple[int, ...]:
        """Of all agents whose answers it holds; a finding on two checkpoints beside each other is about both."""
        return tuple(sorted({self.step, *(one.step for one in self.answers)}))

    @property
    def disposition(self) -> str:
        """What is to become of it."""
        return self.remarks[-1].disposition if self.remarks else "deleted"


@dataclass(frozen=True)
class Binding:
    """The bytes that somebody put a name to.

    Attributes:
        report_sha256: of ``report.json`` as it was read, before anybody had signed it.
        findings_sha256: of the findings in it.
        generator: the program and version that made it.
        files: path below the folder of runs -> SHA-256, of every file that it was made from.
    """

    report_sha256: str
    findings_sha256: str
    generator: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class SavedSignOff:
    """Who decided what about one audit.

    Attributes:
        user: as the dashboard knows the person; ``name`` is what the person signed with.
        binding: what was signed; None where an earlier version did not keep it.
    """

    time: str
    user: str
    run: str
    audit: str
    name: str
    role: str
    decision: str
    remark: str
    binding: Binding | None = field(default=None, hash=False)


@dataclass(frozen=True)
class FindingStore:
    """The findings of all runs under one folder; any number of processes may add to it.

    Attributes:
        root: folder of the runs.
    """

    root: Path

    @property
    def file(self) -> Path:
        """The database; made with the first finding."""
        return self.root / FINDINGS

    def add(
        self,
        *,
        user: str,
        run: str,
        step: int,
        query_id: str,
        checkpoint_sha256: str | None,
        question: str,
        options: Sequence[str],
        answers: Sequence[Said],
        comment: str,
        disposition: str,
        audit: str = "",
        exposure: str = "",
        source: str = "",
    ) -> int:
        """Saves a finding with its first remark; see `SavedFinding` for the arguments.

        Returns:
            Its id.

        Raises:
            UserError: nothing is noted, a text is too long, the disposition unknown, or the file cannot be written.
        """
        _check_remark(comment, disposition)
        if not comment.strip():
            raise UserError("The finding says nothing yet", "Write what you saw")
        said = json.dumps([asdict(one) for one in answers], ensure_ascii=False)
        with writing(self.file) as connection:
            finding = connection.execute(
                "INSERT INTO findings (time, user, run, step, query_id, checkpoint_sha256, audit, exposure, source) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (_now(), user, run, step, query_id, checkpoint_sha256 or "", audit, exposure, source),
            ).lastrowid
            assert finding is not None
            texts = (finding, question, json.dumps(list(options), ensure_ascii=False), said)
            connection.execute("INSERT INTO texts VALUES (?, ?, ?, ?)", texts)
            _insert_remark(connection, finding, user, comment, disposition)
        return finding

    def remark(self, finding: int, *, user: str, comment: str, disposition: str) -> None:
        """Adds a comment and a disposition to a finding; earlier ones stay.

        Raises:
            UserError: there is no such finding, it was deleted, or as for `add`.
        """
        _check_remark(comment, disposition)
        with writing(self.file) as connection:
            if not connection.execute("SELECT 1 FROM texts WHERE finding = ?", (finding,)).fetchone():
                raise UserError(f"There is no finding {finding}, or it was deleted", "Choose another")
            last = "SELECT disposition FROM remarks WHERE finding = ? ORDER BY id DESC LIMIT 1"
            if not comment.strip() and connection.execute(last, (finding,)).fetchone() == (disposition,):
                raise UserError("The comment is empty, and what is to become of the finding stays", "Change either")
            _insert_remark(connection, finding, user, comment, disposition)

    def delete(self, finding: int, *, user: str) -> None:
        """Takes a finding's texts and remarks out of the file; who did so, and when, stays.

        Raises:
            UserError: there is no such finding, or the file cannot be written.
        """
        with writing(self.file) as connection:
            if not connection.execute("SELECT 1 FROM findings WHERE id = ?", (finding,)).fetchone():
                raise UserError(f"There is no finding {finding}", "Choose another")
            connection.execute("INSERT OR IGNORE INTO deletions VALUES (?, ?, ?)", (finding, _now(), user))
            for table in DELETABLE:
                connection.execute(f"DELETE FROM {table} WHERE finding = ?", (finding,))
        cut_log(self.file)

    def sign(
        self, *, user: str, run: str, audit: str, name: str, role: str, decision: str, remark: str, binding: Binding
    ) -> SavedSignOff:
        """Saves a sign-off of the bytes that were read.

        Raises:
            UserError: no name or decision, a text is too long, or the file cannot be written.
        """
        check_sign_off(name, role, decision, remark)
        signed = SavedSignOff(_now(), user, run, audit, name, role, decision, remark, binding)
        with writing(self.file) as connection:
            connection.execute(
                "INSERT INTO sign_offs (time, user, run, audit, name, role, decision, remark, binding) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (signed.time, user, run, audit, name, role, decision, remark, json.dumps(asdict(binding))),
            )
        return signed

    def findings(self, run: str) -> tuple[SavedFinding, ...]:
        """The findings on one run, the oldest first.

        Raises:
            UserError: the file is damaged.
        """
        if not self.file.exists():
            return ()
        with reading(self.file) as connection:
            remarks: dict[int, list[Remark]] = {}
            for finding, *values in connection.execute(
                "SELECT finding, time, user, comment, disposition FROM remarks ORDER BY id"
            ):
                remarks.setdefault(finding, []).append(Remark(*values))
            rows = connection.execute(
                "SELECT f.id, f.time, f.user, f.run, f.step, f.query_id, f.checkpoint_sha256, "
                "t.question, t.options, t.answers, d.user, d.time, f.audit, f.exposure, f.source FROM findings f "
                "LEFT JOIN texts t ON t.finding = f.id LEFT JOIN deletions d ON d.finding = f.id "
                "WHERE f.run = ? ORDER BY f.id",
                (run,),
            ).fetchall()
        return tuple(_finding(row, tuple(remarks.get(row[0], ()))) for row in rows)

    def sign_offs(self, run: str, audit: str) -> tuple[SavedSignOff, ...]:
        """The sign-offs of one audit, the oldest first.

        Raises:
            UserError: the file is damaged.
        """
        if not self.file.exists():
            return ()
        with reading(self.file) as connection:
            rows = connection.execute(
                "SELECT time, user, run, audit, name, role, decision, remark, binding FROM sign_offs "
                "WHERE run = ? AND audit = ? ORDER BY id",
                (run, audit),
            ).fetchall()
        return tuple(_sign_off(row) for row in rows)


def _finding(row: Sequence[Any], remarks: tuple[Remark, ...]) -> SavedFinding:
    number, when, user, run, step, query_id, digest, question, options, answers, deleter, deleted, *asked = row
    audit, exposure, source = asked
    return SavedFinding(
        id=number,
        time=when,
        user=user,
        run=run,
        step=step,
        query_id=query_id,
        checkpoint_sha256=digest,
        question=question or "",
        options=tuple(json.loads(options or "[]")),
        answers=_answers(answers),
        remarks=remarks,
        deleted=None if deleter is None else (deleter, deleted),
        audit=audit,
        exposure=exposure,
        source=source,
    )


def _answers(stored: str | None) -> tuple[Said, ...]:
    """An earlier version kept step, label and text of an answer, as a list; a later one may keep more."""
    known = {one.name for one in fields(Said)}
    said = []
    for one in json.loads(stored or "[]"):
        values = dict(zip(("step", "label", "text"), one, strict=True)) if isinstance(one, list) else one
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        said.append(Said(**{name: value for name, value in values.items() if name in known}))
    return tuple(said)


def _sign_off(row: Sequence[Any]) -> SavedSignOff:
    when, user, run, audit, name, role, decision, remark, binding = row
    bound = Binding(**json.loads(binding)) if binding else None
    return SavedSignOff(when, user, run, audit, name, role, decision, remark, bound)


def _insert_remark(connection: sqlite3.Connection, finding: int, user: str, comment: str, disposition: str) -> None:
    connection.execute(
        "INSERT INTO remarks (finding, time, user, comment, disposition) VALUES (?, ?, ?, ?, ?)",
        (finding, _now(), user, comment, disposition),
    )


def check_sign_off(name: str, role: str, decision: str, remark: str) -> None:
    """Refuses what is no sign-off, before it is confirmed.

    Raises:
        UserError: no name or decision, or a text is too long.
    """
    if not name.strip() or not decision.strip():
        raise UserError("A sign-off needs a name and a decision", "Fill in both")
    for text in (name, role, decision, remark):
        _check_length(text)


def _check_remark(comment: str, disposition: str) -> None:
    _check_length(comment)
    if disposition not in DISPOSITIONS:
        raise UserError(f"There is no disposition {disposition[:40]!r}", f"Choose one of: {', '.join(DISPOSITIONS)}")


def _check_length(text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise UserError(
            f"A text has {len(text):,} characters, and at most {LONGEST_TEXT:,} are kept", "Shorten what you wrote"
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
