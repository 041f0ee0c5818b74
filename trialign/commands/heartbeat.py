"""Between machines: a rank that is gone takes the others down, by name; they would wait for it for half an hour."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from torch.distributed import DistError, TCPStore  # type: ignore[attr-defined]

# Both sides of a cut link stop within a minute, launchers included.
INTERVAL, PATIENCE, GRACE = 5.0, 40.0, 3


def stop_at_once(sentence: str) -> None:
    """Ends this process, whatever its other threads wait for; the last saved state stays."""
    print(f"trialign: {sentence} This rank stops; go on with --resume.", file=sys.stderr, flush=True)
    if "TORCHELASTIC_RUN_ID" in os.environ:
        end_soon(os.getppid())
    os._exit(1)


def end_soon(launcher: int) -> None:
    """Ends torchrun's agent, unless it ends by itself.

    It sees that this rank is gone, and would first tell the store where the ranks meet, for minutes if that does not
    answer. In such a call it hears no signal but SIGKILL.
    """
    ends = f"sleep {GRACE}; kill -TERM {launcher} && sleep 1 && kill -KILL {launcher}"
    subprocess.Popen(["/bin/sh", "-c", ends], stderr=subprocess.DEVNULL, start_new_session=True)


class Heartbeat:
    """Says through the ranks' store that this rank lives, and listens for the others, in two threads.

    One thread talks to the store and may hang in it; the other only looks at the time.

    Args:
        rank: this process.
        ranks: number of all.
        host: of the store.
        port: of the store.
        interval: seconds between two beats.
        patience: seconds without a beat after which a rank counts as gone.
        give_up: is told, in one sentence, who is gone.
    """

    def __init__(
        self,
        rank: int,
        ranks: int,
        host: str,
        port: int,
        interval: float = INTERVAL,
        patience: float = PATIENCE,
        give_up: Callable[[str], None] = stop_at_once,
    ) -> None:
        self.rank, self.others = rank, [other for other in range(ranks) if other != rank]
        self.host, self.port = host, port
        self.interval, self.patience, self.give_up = interval, patience, give_up
        now = time.monotonic()
        self._answered, self._heard = now, dict.fromkeys(self.others, now)
        self._beats: dict[int, str] = {}
        self._over = threading.Event()

    def start(self) -> None:
        """Begins to beat and to listen."""
        for task in (self._beat, self._watch):
            threading.Thread(target=task, name=f"heartbeat{task.__name__}", daemon=True).start()

    def stop(self) -> None:
        """Ends both threads, before this rank leaves in good order."""
        self._over.set()

    def _beat(self) -> None:
        try:
            store = TCPStore(
                self.host, self.port, is_master=False, wait_for_workers=False, timeout=timedelta(seconds=self.patience)
            )
            count = 0
            while not self._over.wait(self.interval):
                count += 1
                store.set(_key(self.rank), f"{socket.gethostname()} {count}")
                for other in self.others:
                    self._listen(store, other)
                self._answered = time.monotonic()
        except (DistError, RuntimeError):
            return  # the other thread tells who is gone, when patience is over

    def _listen(self, store: TCPStore, other: int) -> None:
        if not store.check([_key(other)]):
            return
        beat = store.get(_key(other)).decode()
        if beat != self._beats.get(other):
            self._beats[other], self._heard[other] = beat, time.monotonic()

    def _watch(self) -> None:
        while not self._over.wait(self.interval / 2):
            now = time.monotonic()
            if now - self._answered > self.patience:
                self._give_up(f"The machine {self.host}, where the ranks meet, has not answered")
                return
            for other, heard in self._heard.items():
                if now - heard > self.patience:
                    host = self._beats[other].split()[0] if other in self._beats else "its machine"
                    self._give_up(f"Rank {other} on {host} has not been heard")
                    return

    def _give_up(self, sentence: str) -> None:
        self.give_up(f"{sentence} for {self.patience:g} s.")


def _key(rank: int) -> str:
    return f"trialign/beat/{rank}"
