"""Decoded replies that are kept: an audit that was cut off goes on where it was, and no run asks the base model again.

What an adapter had a part in is kept beside its audit until that is whole; what the base weights said alone is kept for
good, for all runs of a folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from trialign.asking import UNADAPTED, Reply
from trialign.storage import LineFile

_NAMES = ".replies-*.jsonl"


class KeptReplies:
    """Replies by their keys, in a file of JSON lines for each rank; every rank reads them all.

    Args:
        folder: of the audit; it is made when the first reply is kept.
        weights: what tells the model beneath the agents from others; replies of others are left aside.
        rank: of this process.
        unadapted: file of the replies that the base weights gave alone, of all runs; None: they are kept like others.
    """

    def __init__(self, folder: Path, weights: str, rank: int = 0, unadapted: Path | None = None) -> None:
        self._weights = weights
        self._file = LineFile(folder / _NAMES.replace("*", str(rank)))
        self._unadapted = self._file if unadapted is None else LineFile(unadapted)
        self._replies: dict[str, Reply] = {}
        for path in sorted(folder.glob(_NAMES)):
            # Of this rank's own file the reading also tells whether its last line is torn.
            self._read(self._file if path == self._file.path else LineFile(path))
        if unadapted is not None:
            self._read(self._unadapted)

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
        own = {key: reply for key, reply in replies.items() if not key.startswith(UNADAPTED)}
        self._append(self._file, own)
        self._append(self._unadapted, {key: reply for key, reply in replies.items() if key not in own})
        self._replies.update(replies)

    def _append(self, file: LineFile, replies: Mapping[str, Reply]) -> None:
        lines = [
            {"weights": self._weights, "key": key, "token_ids": reply.token_ids, "nats": reply.nats}
            for key, reply in replies.items()
        ]
        if lines:
            file.append("".join(json.dumps(line) + "\n" for line in lines))

    def _read(self, file: LineFile) -> None:
        for line in file.lines():
            try:
                stored = json.loads(line)
                nats = stored["nats"]
                reply = Reply(tuple(map(int, stored["token_ids"])), None if nats is None else float(nats))
                if stored["weights"] == self._weights and reply.token_ids:
                    self._replies.setdefault(str(stored["key"]), reply)
            except (ValueError, KeyError, TypeError):
                continue


def forget_replies(folder: Path) -> None:
    """Removes what was kept beside it: the audit is whole, and its files hold the replies.

    Raises:
        OSError: a file cannot be removed.
    """
    for path in folder.glob(_NAMES):
        path.unlink(missing_ok=True)
