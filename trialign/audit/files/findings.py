"""What auditors noted and signed: one SQLite file beside the runs, to which is only added.

A typed question is nowhere kept but in a finding that somebody saved. Deleting a finding takes its texts out of the
file and leaves a mark of who did so and when; nothing else can be changed or removed, which the database itself
refuses by triggers.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from trialign.errors import UserError
from trialign.runs import FINDINGS

Disposition = Literal["open", "accepted", "fixed", "no fault"]
DISPOSITIONS: tuple[Disposition, ...] = get_args(Disposition)
LONGEST_TEXT = 4000  # characters of a comment, a name or a remark
_PATIENCE = 60  # seconds to wait for other writers
_TABLES = ("findings", "texts", "remarks", "deletions", "sign_offs")
_DELETABLE = ("texts", "remarks")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS findings (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, user TEXT NOT NULL, run TEXT NOT NULL,
    step INTEGER NOT NULL, query_id TEXT NOT NULL, checkpoint_sha256 TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS texts (
    finding INTEGER PRIMARY KEY REFERENCES findings, question TEXT NOT NULL, options TEXT NOT NULL,
    answers TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS remarks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, finding INTEGER NOT NULL REFERENCES findings, time TEXT NOT NULL,
    user TEXT NOT NULL, comment TEXT NOT NULL, disposition TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS deletions (
    finding INTEGER PRIMARY KEY REFERENCES findings, time TEXT NOT NULL, user TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS sign_offs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, user TEXT NOT NULL, run TEXT NOT NULL,
    audit TEXT NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, decision TEXT NOT NULL, remark TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True)
class Said:
    """One agent's answer, as it is kept with a finding."""

    step: int
    label: str
    text: str


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

    @property
    def disposition(self) -> str:
        """What is to become of it."""
        return self.remarks[-1].disposition if self.remarks else "deleted"


@dataclass(frozen=True)
class SavedSignOff:
    """Who decided what about one audit.

    Attributes:
        user: as the dashboard knows the person; ``name`` is what the person signed with.
    """

    time: str
    user: str
    run: str
    audit: str
    name: str
    role: str
    decision: str
    remark: str


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
    ) -> int:
        """Saves a finding with its first remark.

        Returns:
            Its id.

        Raises:
            UserError: a text is too long, the disposition unknown, or the file cannot be written.
        """
        _check_remark(comment, disposition)
        said = json.dumps([[one.step, one.label, one.text] for one in answers], ensure_ascii=False)
        with self._writing() as connection:
            finding = connection.execute(
                "INSERT INTO findings (time, user, run, step, query_id, checkpoint_sha256) VALUES (?, ?, ?, ?, ?, ?)",
                (_now(), user, run, step, query_id, checkpoint_sha256 or ""),
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
        with self._writing() as connection:
            if not connection.execute("SELECT 1 FROM texts WHERE finding = ?", (finding,)).fetchone():
                raise UserError(f"There is no finding {finding}, or it was deleted", "Choose another")
            _insert_remark(connection, finding, user, comment, disposition)

    def delete(self, finding: int, *, user: str) -> None:
        """Takes a finding's texts and remarks out of the file; who did so, and when, stays.

        Raises:
            UserError: there is no such finding, or the file cannot be written.
        """
        with self._writing() as connection:
            if not connection.execute("SELECT 1 FROM findings WHERE id = ?", (finding,)).fetchone():
                raise UserError(f"There is no finding {finding}", "Choose another")
            connection.execute("INSERT OR IGNORE INTO deletions VALUES (?, ?, ?)", (finding, _now(), user))
            for table in _DELETABLE:
                connection.execute(f"DELETE FROM {table} WHERE finding = ?", (finding,))
        with self._open() as connection:
            # The log still holds the pages with the text until it is written back and cut.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def sign(
        self, *, user: str, run: str, audit: str, name: str, role: str, decision: str, remark: str
    ) -> SavedSignOff:
        """Saves a sign-off.

        Raises:
            UserError: no name or decision, a text is too long, or the file cannot be written.
        """
        if not name.strip() or not decision.strip():
            raise UserError("A sign-off needs a name and a decision", "Fill in both")
        for text in (name, role, decision, remark):
            _check_length(text)
        signed = SavedSignOff(_now(), user, run, audit, name, role, decision, remark)
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO sign_offs (time, user, run, audit, name, role, decision, remark) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (signed.time, user, run, audit, name, role, decision, remark),
            )
        return signed

    def findings(self, run: str) -> tuple[SavedFinding, ...]:
        """The findings on one run, the oldest first.

        Raises:
            UserError: the file is damaged.
        """
        if not self.file.exists():
            return ()
        with self._open() as connection:
            connection.execute("BEGIN")  # one moment's view of all tables
            remarks: dict[int, list[Remark]] = {}
            for finding, *values in connection.execute(
                "SELECT finding, time, user, comment, disposition FROM remarks ORDER BY id"
            ):
                remarks.setdefault(finding, []).append(Remark(*values))
            rows = connection.execute(
                "SELECT f.id, f.time, f.user, f.run, f.step, f.query_id, f.checkpoint_sha256, "
                "t.question, t.options, t.answers, d.user, d.time FROM findings f "
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
        with self._open() as connection:
            rows = connection.execute(
                "SELECT time, user, run, audit, name, role, decision, remark FROM sign_offs "
                "WHERE run = ? AND audit = ? ORDER BY id",
                (run, audit),
            ).fetchall()
        return tuple(SavedSignOff(*row) for row in rows)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that other writers wait for, and that is whole or not at all."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            for statement in (*_SCHEMA.split(";"), *_triggers()):
                connection.execute(statement)
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if self.file.is_symlink():
            raise UserError(f"{FINDINGS} is a link, and links are not followed", "Put the file itself there")
        try:
            with closing(sqlite3.connect(self.file, timeout=_PATIENCE, isolation_level=None)) as connection:
                _use_log(connection)
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA secure_delete = ON").fetchone()
                yield connection
        except sqlite3.OperationalError as error:
            raise UserError(
                f"The file {FINDINGS} of the findings cannot be used now ({error})",
                "Try again, or let the dashboard write to the folder of the runs",
            ) from error
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"The file {FINDINGS} of the findings is damaged or refused the change ({error})",
                "Restore it from a copy, or move it away",
            ) from error


def _use_log(connection: sqlite3.Connection) -> None:
    """Lets readers and a writer work at once. Where the first users of a new file meet, SQLite lets none wait."""
    deadline = time.monotonic() + _PATIENCE
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _finding(row: Sequence[Any], remarks: tuple[Remark, ...]) -> SavedFinding:
    number, when, user, run, step, query_id, digest, question, options, answers, deleter, deleted = row
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
        answers=tuple(Said(*one) for one in json.loads(answers or "[]")),
        remarks=remarks,
        deleted=None if deleter is None else (deleter, deleted),
    )


def _insert_remark(connection: sqlite3.Connection, finding: int, user: str, comment: str, disposition: str) -> None:
    connection.execute(
        "INSERT INTO remarks (finding, time, user, comment, disposition) VALUES (?, ?, ?, ?, ?)",
        (finding, _now(), user, comment, disposition),
    )


def _triggers() -> Iterator[str]:
    for table in _TABLES:
        yield (
            f"CREATE TRIGGER IF NOT EXISTS {table}_are_not_changed BEFORE UPDATE ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'what was noted is not changed'); END"
        )
        marked = "WHEN NOT EXISTS (SELECT 1 FROM deletions WHERE finding = OLD.finding) "
        yield (
            f"CREATE TRIGGER IF NOT EXISTS {table}_are_not_removed BEFORE DELETE ON {table} "
            f"{marked if table in _DELETABLE else ''}"
            "BEGIN SELECT RAISE(ABORT, 'what was noted is not removed without a mark'); END"
        )


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
