"""Whether the files of an audit are those that it wrote: held against the hashes in its ``summary.json``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trialign.errors import UserError
from trialign.runs import ABOUT, ANALYSIS, ITEMS, PRESSURE, QUESTIONS, REPLIES
from trialign.storage import sha256_of_file

# What an audit leaves beside its summary; replies where it asked in words too, and pressure where it pushed.
AUDIT_FILES = (ITEMS, REPLIES, PRESSURE, QUESTIONS, ANALYSIS, ABOUT)


def unverified(
    folder: Path, summary: Mapping[str, Any], digest: Callable[[Path], str] = sha256_of_file
) -> tuple[str, ...]:
    """Names of the audit's files whose hash the summary does not hold; all others were verified.

    Args:
        folder: of the audit.
        summary: its ``summary.json``.
        digest: gives the SHA-256 of a file.

    Raises:
        UserError: a file is missing, or is not the one that the audit wrote.
    """
    stated = summary.get("files")
    hashes = stated if isinstance(stated, Mapping) else {}
    for name in AUDIT_FILES:
        path = folder / name
        if name not in hashes:
            continue
        if not path.is_file():
            raise UserError(f"The file {path}, which the audit wrote, is missing", "Restore it, or run the audit again")
        if digest(path) != hashes[name]:
            raise UserError(
                f"The file {path} is not the one that the audit wrote: its hash differs",
                "Restore it, or run the audit again",
            )
    return tuple(name for name in AUDIT_FILES if name not in hashes and (folder / name).is_file())


def not_verifiable(names: tuple[str, ...]) -> str:
    """What is to be said of such files, a sentence; empty without any."""
    if not names:
        return ""
    return (
        f"Cannot be verified: the audit kept no hash of {', '.join(names)}, so that nothing tells whether "
        f"{'these are' if len(names) > 1 else 'this is'} as it was written."
    )
