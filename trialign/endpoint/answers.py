"""Answers kept on disk, by the whole request: an audit that was cut off goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trialign.endpoint.client import Reply


class AnswerFile:
    """An append-only file of JSON lines, each with a request and its reply; for use from several threads.

    A line that is torn (the process or the machine went down) is passed over: its request is sent again.

    Args:
        path: of the file; its folder is made when the first answer is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._replies: dict[str, Reply] = {}
        self._lock = threading.Lock()
        self._torn = False
        if path.is_file():
            self._read(path.read_bytes())

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
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                # In one call, so that lines of two processes do not mix.
                os.write(file, (("\n" if self._torn else "") + line).encode())
            finally:
                os.close(file)
            self._torn = False
            self._replies[key] = reply
        return reply

    def _read(self, content: bytes) -> None:
        self._torn = bool(content) and not content.endswith(b"\n")
        for line in content.split(b"\n"):
            try:
                stored = json.loads(line)
                reply = Reply(*(str(stored[name]) for name in ("text", "finish", "model")))
                self._replies.setdefault(str(stored["key"]), reply)
            except (ValueError, KeyError, TypeError):
                continue


def request_key(base_url: str, body: Mapping[str, Any], repeat: int) -> str:
    """Names a request by all that it says and to whom, and which asking of it this is."""
    whole = json.dumps([base_url, body, repeat], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()
