"""What runs hold, read by TriAlign's own readers: each version of a file once, and shared by all sessions.

What is returned is shared: nobody may change it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

from trialign.audit.figures.analysis import AuditAnalysis, read_analysis
from trialign.audit.figures.summary import read_summary
from trialign.audit.files import integrity
from trialign.audit.files.items import read_items
from trialign.audit.files.record import AuditAbout, read_about
from trialign.errors import UserError
from trialign.group_config import build_groups
from trialign.groups import SocialGroup
from trialign.queries import Query
from trialign.queries.readers import read_queries
from trialign.runs import ABOUT, ANALYSIS, ITEMS, QUESTIONS, REPLIES, SUMMARY, RunFolder
from trialign.storage import sha256_of_file

from .catalog import AuditEntry, Catalog, RunEntry, file_within

Read = TypeVar("Read")


def summary(catalog: Catalog, audit: AuditEntry) -> dict[str, Any]:
    """The audit's ``summary.json``.

    Raises:
        UserError: it is missing, damaged, or a link out of the root.
    """
    return _once(catalog, audit.folder / SUMMARY, read_summary)


def items(catalog: Catalog, audit: AuditEntry) -> pd.DataFrame:
    """The audit's ``items.parquet``, see ``trialign.audit.files.items.read_items``.

    Raises:
        UserError: it is missing, damaged, not the one whose hash the summary holds, or a link out of the root.
    """
    return _once(catalog, audit.folder / ITEMS, read_items, _digest(catalog, audit, ITEMS))


def replies(catalog: Catalog, audit: AuditEntry) -> pd.DataFrame | None:
    """The audit's ``replies.parquet``, the same questions answered in words; None where it asked for none.

    Raises:
        UserError: as for `items`.
    """
    digest = _digest(catalog, audit, REPLIES)
    if digest is None and not summary(catalog, audit).get("replies"):
        return None
    return _once(catalog, audit.folder / REPLIES, read_items, digest)


def analysis(catalog: Catalog, audit: AuditEntry) -> AuditAnalysis:
    """The audit's ``analysis.json``.

    Raises:
        UserError: as for `items`.
    """
    return _once(catalog, audit.folder / ANALYSIS, read_analysis, _digest(catalog, audit, ANALYSIS))


def questions(catalog: Catalog, audit: AuditEntry) -> Mapping[str, Query]:
    """The audited questions by id; empty for an audit of an older TriAlign, which kept none.

    Raises:
        UserError: as for `items`.
    """
    digest = _digest(catalog, audit, QUESTIONS)
    path = audit.folder / QUESTIONS
    if digest is None and not path.exists():
        return {}
    return _once(catalog, path, _queries_by_id, digest)


def labels(catalog: Catalog, run: RunEntry, audit: AuditEntry) -> dict[str, str]:
    """How groups, members and control, are shown to people: name -> label; empty where no labels are known.

    A label that several groups have is replaced by their names.

    Raises:
        UserError: the record or configuration that names them is damaged, or a link out of the root.
    """
    everyone = groups(catalog, run, audit)
    shown = [group.label for group in everyone]
    return {group.name: group.label if shown.count(group.label) == 1 else group.name for group in everyone}


def groups(catalog: Catalog, run: RunEntry, audit: AuditEntry) -> tuple[SocialGroup, ...]:
    """The groups of an audit with their profiles as they were, members and control; empty where none are known.

    Raises:
        UserError: the record or configuration that names them is damaged, or a link out of the root.
    """
    if (record := about(catalog, audit)) is not None:
        return record.groups
    return _once(catalog, run.config_file, _configured_groups) if run.config_file.exists() else ()


def about(catalog: Catalog, audit: AuditEntry) -> AuditAbout | None:
    """The system under audit; None for an audit of an older TriAlign, which kept no record of it.

    Raises:
        UserError: as for `items`.
    """
    path = audit.folder / ABOUT
    return _once(catalog, path, _read_about, _digest(catalog, audit, ABOUT)) if path.exists() else None


def finished(catalog: Catalog, audit: AuditEntry) -> str:
    """When the audit was, ISO 8601, UTC; by its file where it kept no record.

    Raises:
        UserError: as for `about`.
    """
    record = about(catalog, audit)
    return record.finished if record else changed_at(audit.folder / SUMMARY)


def changed_at(path: Path) -> str:
    """When a file was last written, ISO 8601, UTC."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")


def unverified(catalog: Catalog, audit: AuditEntry) -> tuple[str, ...]:
    """Names of the audit's files whose hash it did not keep; all others are those that it wrote.

    Raises:
        UserError: a file is missing, another than the audit wrote, or a link out of the root.
    """
    return integrity.unverified(
        audit.folder, summary(catalog, audit), lambda path: digest(file_within(catalog.root, path))
    )


def digest(path: Path) -> str:
    """The SHA-256 of a file, read once in each of its versions."""
    found: str = _hashed(str(path), version(path))
    return found


@st.cache_resource(max_entries=256, show_spinner="Verifying the audit …")
def _hashed(path: str, version: tuple[int, ...]) -> str:
    return sha256_of_file(Path(path))


def version(path: Path) -> tuple[int, ...]:
    """Tells the versions of a file apart; the time of the last change of its entry cannot be set back."""
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _once(catalog: Catalog, path: Path, read: Callable[[Path], Read], digest: str | None = None) -> Read:
    """Reads a file that has not been read in this version before."""
    result: Read = _read(str(path), version(file_within(catalog.root, path)), digest, read)
    return result


@st.cache_resource(max_entries=64, show_spinner="Reading the audit …")
def _read(path: str, version: tuple[int, ...], digest: str | None, _read_file: Callable[[Path], Any]) -> Any:
    if digest is not None and sha256_of_file(Path(path)) != digest:
        raise UserError(f"The file {path} is not the one that the audit wrote: its hash differs", "Run the audit again")
    return _read_file(Path(path))


def _digest(catalog: Catalog, audit: AuditEntry, name: str) -> str | None:
    """The hash of a file of the audit; None where the audit is of an older TriAlign, which kept none."""
    files = summary(catalog, audit).get("files", {})
    digest = files.get(name) if isinstance(files, dict) else None
    return str(digest) if digest else None


def _queries_by_id(path: Path) -> dict[str, Query]:
    return {query.query_id: query for query in read_queries(path)}


def _read_about(path: Path) -> AuditAbout | None:
    return read_about(path.parent)


def _configured_groups(path: Path) -> tuple[SocialGroup, ...]:
    return build_groups(RunFolder(path.parent).stored_config().get("groups", {})).everyone
