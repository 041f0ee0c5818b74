"""Replies and scores that are kept: a cut-off audit goes on where it was, and no run asks the base model again.

What an adapter had a part in is kept beside its audit until that is whole; what the base weights said alone is kept for
good, for all runs of a folder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from trialign.audit.files.lines import KeptLines, append_lines, read_lines
from trialign.keeping import UNADAPTED, Reply
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
        self._weights, self._lines = weights, KeptLines(folder, "replies", weights, rank)
        self._unadapted = self._lines.file if unadapted is None else LineFile(unadapted)
        self._replies: dict[str, Reply] = {}
        for stored in (*self._lines.stored(), *(read_lines(self._unadapted, weights) if unadapted else ())):
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
        self._lines.append([row for key, row in rows.items() if not key.startswith(UNADAPTED)])
        unadapted = [row for key, row in rows.items() if key.startswith(UNADAPTED)]
        append_lines(self._unadapted, self._weights, unadapted)
        self._replies.update(replies)


class KeptBaseScores:
    """Scores that the base weights alone gave to options, by their keys, for all runs of a folder.

    Args:
        file: where they are, a JSON line each.
        weights: what tells the base model from others; lines of others are left aside.
    """

    def __init__(self, file: Path, weights: str) -> None:
        self._file, self._weights = LineFile(file), weights
        self._scores: dict[str, tuple[float, ...]] = {}
        for stored in read_lines(self._file, weights):
            with suppress(ValueError, KeyError, TypeError):
                scores = tuple(map(float, stored["scores"]))
                if scores and all(map(math.isfinite, scores)):
                    self._scores.setdefault(str(stored["key"]), scores)

    def get(self, key: str) -> tuple[float, ...] | None:
        """The scores that are kept under a key, in nats; None where none are."""
        return self._scores.get(key)

    def keep(self, scores: Mapping[str, tuple[float, ...]]) -> None:
        """Writes scores down, by their keys.

        Raises:
            OSError: they cannot be written.
        """
        append_lines(self._file, self._weights, [{"key": key, "scores": own} for key, own in scores.items()])
        self._scores.update(scores)
