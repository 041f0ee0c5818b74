"""The SQLite file beneath findings and sign-offs: written by adding only, and read without a trace.

A reader works on a copy, so that nothing is written into the file or beside it: an archive that may only be read opens
like any other, and a store of an earlier version is brought up to date in the copy alone. The file itself gets new
columns with the next thing that is written to it.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from trialign.errors import UserError

_PATIENCE = 60  # seconds to wait for other writers
_TABLES = ("findings", "texts", "remarks", "deletions", "sign_offs")
DELETABLE = ("texts", "remarks")  # what a mark in the table of deletions allows to be removed
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
# Columns that files of earlier versions do not have: (table, column); an empty text stands for what was not kept.
_LATER = (("findings", "audit"), ("findings", "exposure"), ("findings", "source"), ("sign_offs", "binding"))


@contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection]:
    """One moment's view of the file, with every column of this version; nothing of it is kept.

    Raises:
        UserError: the file is a link, damaged, or cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder, _said(file):
        copy = _copied(file, Path(folder))
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            _prepare(connection)
            yield connection


@contextmanager
def writing(file: Path) -> Iterator[sqlite3.Connection]:
    """A transaction that other writers wait for, and that is whole or not at all.

    Raises:
        UserError: the file is a link, damaged, cannot be written, or refuses the change.
    """
    with _opened(file) as connection:
        connection.execute("BEGIN IMMEDIATE")
        _prepare(connection)
        yield connection
        connection.execute("COMMIT")


def cut_log(file: Path) -> None:
    """Writes back and empties the log, which still holds the pages with a text that was deleted.

    Raises:
        UserError: as for `writing`.
    """
    with _opened(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    with _said(file), closing(sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None)) as connection:
        _use_log(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON").fetchone()
        yield connection


@contextmanager
def _said(file: Path) -> Iterator[None]:
    """Says in one sentence what is wrong with the file."""
    if file.is_symlink():
        raise UserError(f"{file.name} is a link, and links are not followed", "Put the file itself there")
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        raise UserError(
            f"The file {file.name} of the findings cannot be used now ({error})",
            "Try again, or let the dashboard write to the folder of the runs",
        ) from error
    except sqlite3.DatabaseError as error:
        raise UserError(
            f"The file {file.name} of the findings is damaged or refused the change ({error})",
            "Restore it from a copy, or move it away",
        ) from error


def _copied(file: Path, folder: Path) -> Path:
    """The file and what its log holds beyond it, as they were at one moment."""
    log, copy = file.with_name(f"{file.name}-wal"), folder / file.name
    deadline = time.monotonic() + _PATIENCE
    while True:
        before = _version(file), _version(log)
        copy.write_bytes(file.read_bytes())
        try:
            copy.with_name(log.name).write_bytes(log.read_bytes())
        except FileNotFoundError:
            copy.with_name(log.name).unlink(missing_ok=True)
        if (_version(file), _version(log)) == before:
            return copy
        if time.monotonic() > deadline:
            raise sqlite3.OperationalError("others write to it all the time")
        time.sleep(0.01)


def _version(file: Path) -> tuple[int, ...] | None:
    try:
        stat = file.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


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


def _prepare(connection: sqlite3.Connection) -> None:
    """Tables, columns and triggers that are not there yet."""
    for statement in (*_SCHEMA.split(";"), *_triggers()):
        connection.execute(statement)
    for table, column in _LATER:
        if column not in {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")


def _triggers() -> Iterator[str]:
    for table in _TABLES:
        yield (
            f"CREATE TRIGGER IF NOT EXISTS {table}_are_not_changed BEFORE UPDATE ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'what was noted is not changed'); END"
        )
        marked = "WHEN NOT EXISTS (SELECT 1 FROM deletions WHERE finding = OLD.finding) "
        yield (
            f"CREATE TRIGGER IF NOT EXISTS {table}_are_not_removed BEFORE DELETE ON {table} "
            f"{marked if table in DELETABLE else ''}"
            "BEGIN SELECT RAISE(ABORT, 'what was noted is not removed without a mark'); END"
        )
