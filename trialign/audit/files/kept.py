"""Decoded replies that are kept: an audit that was cut off goes on where it was, and no run asks the base model again.

What an adapter had a part in is kept beside its audit until that is whole; what the base weights said alone is kept for
good, for all runs of a folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from trialign.asking import UNADAPTED, Reply
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
            yield from self.read(file)

    def read(self, file: LineFile) -> Iterator[dict[str, Any]]:
        """The lines of one file that are of these weights; a torn one is passed over."""
        for line in file.lines():
            try:
                stored = json.loads(line)
            except ValueError:
                continue
            if isinstance(stored, dict) and stored.get("weights") == self._weights:
                yield stored

    def append(self, file: LineFile, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes lines to one file, each with the weights.

        Raises:
            OSError: they cannot be written.
        """
        if rows:
            file.append("".join(json.dumps({"weights": self._weights, **row}) + "\n" for row in rows))


class KeptReplies:
    """Replies by their keys.

    Args:
        folder: of the audit.
        weights: what tells the model beneath the agents from others.
        rank: of this process.
        unadapted: file of the replies that the base weights gave alone, of all runs; None: they are kept like others.
    """

    def __init__(self, folder: Path, weights: str, rank: int = 0, unadapted: Path | None = None) -> None:
        self._lines = KeptLines(folder, "replies", weights, rank)
        self._unadapted = self._lines.file if unadapted is None else LineFile(unadapted)
        self._replies: dict[str, Reply] = {}
        for stored in (*self._lines.stored(), *(self._lines.read(self._unadapted) if unadapted else ())):
            with suppress(ValueError, KeyError, TypeError):
                nats = stored["nats"]
                reply = Reply(tuple(map(int, stored["token_ids"])), None if nats is None else float(nats))
                if reply.token_ids:
                    self._replies.setdefault(str(stored["key"]), reply)

    def __len__(self) -> int:
        return len(self._replies)

    def get(self, key: str) -> Reply | None:
        """The reply that is kept under a key; None where none is."""
        return self._replies.get(key)

    def keep(self, replies: Mapping[str, Reply]) -> None:
        """Writes replies down, by their keys.

        Raises:
            OSError: they cannot be written.
        """
        rows = {key: {"key": key, "token_ids": one.token_ids, "nats": one.nats} for key, one in replies.items()}
        self._lines.append(self._lines.file, [row for key, row in rows.items() if not key.startswith(UNADAPTED)])
        self._lines.append(self._unadapted, [row for key, row in rows.items() if key.startswith(UNADAPTED)])
        self._replies.update(replies)


def forget_kept(folder: Path) -> None:
    """Removes what was kept beside it: the audit is whole, and its files hold the answers.

    Raises:
        OSError: a file cannot be removed.
    """
    for path in (path for kind in _KINDS for path in folder.glob(f".{kind}-*.jsonl")):
        path.unlink(missing_ok=True)
