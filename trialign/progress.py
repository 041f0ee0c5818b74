"""Progress of long work: a bar with rate and time left on a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType

log = logging.getLogger("trialign")
SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Counts units of work and shows how long the rest will take.

    Args:
        title: what is being done.
        total: units of work in all.
        unit: what is counted, in the plural.
        shown: False keeps silent (ranks other than 0).
    """

    def __init__(self, title: str, total: int, unit: str, *, shown: bool = True) -> None:
        self.title, self.total, self.unit, self.shown = title, total, unit, shown
        self.done = 0
        self._begin = self._last_line = time.monotonic()
        self._bar: _Bar | None = None

    def __enter__(self) -> Progress:
        if self.shown and sys.stderr.isatty():
            self._bar = _Bar(self.title, self.total, self.unit)
        elif self.shown:
            log.info("%s: %d %s", self.title, self.total, self.unit)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.close()
        if self.shown and error is None:
            seconds = time.monotonic() - self._begin
            log.info("%s: %d %s in %s", self.title, self.done, self.unit, duration(seconds))

    def advance(self, count: int = 1, note: str = "") -> None:
        """Counts ``count`` more units as done; ``note`` is shown beside the bar."""
        self.done += count
        if self._bar:
            self._bar.update(self.done, note)
        elif self.shown and time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES and self.done < self.total:
            self._last_line = time.monotonic()
            log.info("%s", self._line(note))

    def _line(self, note: str) -> str:
        seconds = max(time.monotonic() - self._begin, 1e-9)
        rate = self.done / seconds
        left = (self.total - self.done) / rate if rate > 0 else float("inf")
        text = f"{self.title}: {self.done}/{self.total} {self.unit}, {rate:.2f}/s, {duration(left)} left"
        return f"{text}  {note}" if note else text


class _Bar:
    def __init__(self, title: str, total: int, unit: str) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        self._progress = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit + "  {task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        self._begin = time.monotonic()
        self._task = self._progress.add_task(title, total=total, rate="", note="")
        self._progress.start()

    def update(self, done: int, note: str) -> None:
        rate = done / max(time.monotonic() - self._begin, 1e-9)
        self._progress.update(self._task, completed=done, rate=f"{rate:.2f}/s", note=note)

    def close(self) -> None:
        self._progress.stop()


def duration(seconds: float) -> str:
    """Seconds as a short text, such as 3m 20s."""
    if seconds == float("inf"):
        return "unknown time"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"
