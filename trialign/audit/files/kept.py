"""Decoded replies that are kept: an audit that was cut off goes on where it was, and no run asks the base model again.

What an adapter had a part in is kept beside its audit until that is whole; what the base weights said alone is kept for
good, for all runs of a folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from trialign.asking import UNADAPTED, Reply
from trialign.audit.files.lines import KeptLines
from trialign.storage import LineFile


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
