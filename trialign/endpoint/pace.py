"""When to send: the rate limit, the waiting after a failure, several requests at a time."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TypeVar

LONGEST_BACKOFF = 60.0
_NOTICED = 5.0  # seconds

log = logging.getLogger("trialign")

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Pace:
    """Spaces requests evenly, and halts them all when the server asks for it; for use from several threads.

    Args:
        per_minute: requests a minute at most; 0: no limit.
        clock: seconds from any origin.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        per_minute: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap = 60 / per_minute if per_minute else 0.0
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._next = clock()

    def wait(self) -> None:
        """Returns when the next request may go."""
        with self._lock:
            now = self._clock()
            slot = max(now, self._next)
            self._next = slot + self._gap
        if slot > now:
            self._sleep(slot - now)

    def hold(self, seconds: float) -> None:
        """Lets no further request go for so long; a wait that can be noticed is said, once for all threads."""
        with self._lock:
            before, until = self._next, self._clock() + seconds
            self._next = max(before, until)
        if seconds >= _NOTICED and until - before >= _NOTICED:
            log.info("The server asks for %s without a request: waiting", spoken(seconds))

    def pause(self, seconds: float) -> None:
        """Waits in this thread alone."""
        self._sleep(seconds)


def backoff(failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row: 1, 2, 4, ... up to a minute, shortened by up to a half.

    Args:
        failures: at least 1.
        chance: from 0 to 1, drawn anew each time, so that many clients do not come back at once.
    """
    return min(2.0 ** min(failures - 1, 10), LONGEST_BACKOFF) * (1 - chance / 2)


def spoken(seconds: float) -> str:
    """A time as one says it: 90 seconds, 3 minutes, 5 hours, 12 days."""
    for name, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {name}"
    return f"{seconds:.0f} seconds"


def in_parallel(function: Callable[[_Item], _Result], items: Sequence[_Item], at_once: int) -> Iterator[_Result]:
    """``map`` with several items at a time; results in order, each as soon as it and those before it are there.

    The threads are daemons: an interrupt does not wait for a server's reply. After an exception no further item is
    begun.
    """
    futures: list[Future[_Result]] = [Future() for _ in items]
    pending = iter(list(zip(items, futures, strict=True)))
    lock = threading.Lock()
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            with lock:
                item, future = next(pending, (None, None))
            if future is None:
                return
            try:
                future.set_result(function(item))  # type: ignore[arg-type]
            except BaseException as error:
                stopped.set()
                future.set_exception(error)

    for _ in range(min(at_once, len(items))):
        threading.Thread(target=work, daemon=True).start()
    try:
        for future in futures:
            yield future.result()
    finally:
        stopped.set()


def draw() -> float:
    """A number between 0 and 1 that no seed of the run fixes."""
    return random.SystemRandom().random()
