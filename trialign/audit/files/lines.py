"""Lines that are kept beside an audit while it is made, so that one that was cut off goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trialign.storage import LineFile

_KINDS = ("replies", "pressure")


class KeptLines:
    """JSON lines beside an audit while it is made, in a file for each rank; every rank reads them all.

    Args:
        folder: of the audit; it is made when the first line is kept.
        kind: of what is kept: ``replies`` or ``pressure``.
        weights: what tells the model beneath the agents from others; lines of others are left aside.
        rank: of this process.
    """

    def __init__(self, folder: Path, kind: str, weights: str, rank: int) -> None:
        self._weights = weights
        self._others = [
            path for path in sorted(folder.glob(f".{kind}-*.jsonl")) if path.name != f".{kind}-{rank}.jsonl"
        ]
        self.file = LineFile(folder / f".{kind}-{rank}.jsonl")

    def stored(self) -> Iterator[dict[str, Any]]:
        """What is kept of these weights. Reading this rank's own file tells, too, whether its last line is torn."""
        for file in (*map(LineFile, self._others), self.file):
            yield from read_lines(file, self._weights)

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes lines to this rank's file.

        Raises:
            OSError: they cannot be written.
        """
        append_lines(self.file, self._weights, rows)


def read_lines(file: LineFile, weights: str) -> Iterator[dict[str, Any]]:
    """The lines of one file that are of these weights; a torn one is passed over."""
    for line in file.lines():
        try:
            stored = json.loads(line)
        except ValueError:
            continue
        if isinstance(stored, dict) and stored.get("weights") == weights:
            yield stored


def append_lines(file: LineFile, weights: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes lines to one file, each with the weights.

    Raises:
        OSError: they cannot be written.
    """
    if rows:
        file.append("".join(json.dumps({"weights": weights, **row}) + "\n" for row in rows))


def forget_kept(folder: Path) -> None:
    """Removes what was kept beside it: the audit is whole, and its files hold the answers.

    Raises:
        OSError: a file cannot be removed.
    """
    for path in (path for kind in _KINDS for path in folder.glob(f".{kind}-*.jsonl")):
        path.unlink(missing_ok=True)
