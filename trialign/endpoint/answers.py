"""Answers kept on disk, by the whole request: an audit that was cut off goes on where it was."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trialign.endpoint.replies import Reply
from trialign.storage import LineFile


class AnswerFile:
    """An append-only file of JSON lines, each with a request and its reply; for use from several threads.

    An answer is on the disk when `keep` returns: a power failure costs only what was on its way. A line that is torn
    (the process or the machine went down) is passed over, and its request is sent again.

    Args:
        path: of the file; its folder is made when the first answer is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._replies: dict[str, Reply] = {}
        self._lock = threading.Lock()
        self._file = LineFile(path)
        self._read(self._file.lines())

    def __len__(self) -> int:
        return len(self._replies)

    def get(self, key: str) -> Reply | None:
        """The reply to a request; None where none is kept."""
        return self._replies.get(key)

    def keep(self, key: str, request: Mapping[str, Any], reply: Reply) -> Reply:
        """Writes a reply down; of two replies to one request the first is kept.

        Returns:
            The reply that is kept.

        Raises:
            OSError: it cannot be written.
        """
        line = json.dumps({"key": key, "request": request, **asdict(reply)}) + "\n"
        with self._lock:
            if key in self._replies:
                return self._replies[key]
            self._file.append(line)
            self._replies[key] = reply
        return reply

    def _read(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            try:
                stored = json.loads(line)
                text, finish, model = (str(stored[name]) for name in ("text", "finish", "model"))
                scores = tuple(map(float, stored.get("scores", ())))
                reply = Reply(text, finish, model, scores, stored.get("prompt_tokens"), stored.get("reply_tokens"))
                self._replies.setdefault(str(stored["key"]), reply)
            except (ValueError, KeyError, TypeError):
                continue


def request_key(base_url: str, body: Mapping[str, Any], repeat: int) -> str:
    """Names a request by all that it says and to whom, and which asking of it this is."""
    whole = json.dumps([base_url, body, repeat], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()
