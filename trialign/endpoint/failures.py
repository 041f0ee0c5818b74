"""When a server that fails at questions is given up."""

from __future__ import annotations

import threading

IN_A_ROW = 3
LARGEST_SHARE = 0.05


class Failures:
    """Counts the questions to which a server gives no reply; for use from several threads.

    A question is one, however many groups it is put to: what breaks a server on one question does so for every group.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: set[str] = set()
        self._failed: set[str] = set()
        self._row: set[str] = set()

    def answered(self, question: str) -> None:
        """Notes a reply."""
        with self._lock:
            self._asked.add(question)
            self._row.clear()

    def failed(self, question: str) -> str | None:
        """Notes that no attempt brought a reply.

        Returns:
            Why the server is to be given up: `IN_A_ROW` questions without a reply between them, or more than
            `LARGEST_SHARE` of all (and at least so many); None: it is not.
        """
        with self._lock:
            for questions in (self._asked, self._failed, self._row):
                questions.add(question)
            failed, asked = len(self._failed), len(self._asked)
            if len(self._row) >= IN_A_ROW:
                return f"it gave no reply to {len(self._row)} questions in a row"
            if failed >= IN_A_ROW and failed > LARGEST_SHARE * asked:
                return f"it gave no reply to {failed} of {asked} questions"
            return None
