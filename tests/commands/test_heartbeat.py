"""Heartbeats through a real store and real processes, with seconds in place of the minute."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from torch.distributed import TCPStore

from trialign.commands.heartbeat import Heartbeat, end_soon

pytestmark = pytest.mark.integration
WAIT = 60.0


class Told:
    """Takes the sentence of a rank that gives up."""

    def __init__(self) -> None:
        self.sentence = ""
        self.done = threading.Event()

    def __call__(self, sentence: str) -> None:
        self.sentence = sentence
        self.done.set()


@pytest.fixture
def store() -> TCPStore:
    return TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


@pytest.fixture
def beating(store: TCPStore) -> Callable[[int], tuple[Heartbeat, Told]]:
    def begin(rank: int) -> tuple[Heartbeat, Told]:
        told = Told()
        heartbeat = Heartbeat(rank, 2, "127.0.0.1", store.port, interval=0.05, patience=2.0, give_up=told)
        heartbeat.start()
        return heartbeat, told

    return begin


def test_a_rank_that_falls_silent_is_named_with_its_machine(
    beating: Callable[[int], tuple[Heartbeat, Told]], store: TCPStore
) -> None:
    (first, told), (second, _) = beating(0), beating(1)
    store.wait(["trialign/beat/1"])
    while 1 not in first._beats:
        assert not told.done.wait(0.02)
    second.stop()
    assert told.done.wait(WAIT)
    assert told.sentence == f"Rank 1 on {socket.gethostname()} has not been heard for 2 s."


def test_a_rank_that_never_came_is_named_too(beating: Callable[[int], tuple[Heartbeat, Told]]) -> None:
    _, told = beating(0)
    assert told.done.wait(WAIT)
    assert told.sentence == "Rank 1 on its machine has not been heard for 2 s."


def test_a_store_that_does_not_answer_is_told() -> None:
    # A socket that takes the connection and never says a word.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        told = Told()
        Heartbeat(1, 2, "127.0.0.1", silent.getsockname()[1], interval=0.05, patience=1.0, give_up=told).start()
        assert told.done.wait(WAIT)
    assert told.sentence == "The machine 127.0.0.1, where the ranks meet, has not answered for 1 s."


def test_ranks_that_stop_in_good_order_say_nothing(beating: Callable[[int], tuple[Heartbeat, Told]]) -> None:
    pairs = [beating(0), beating(1)]
    for heartbeat, _ in pairs:
        heartbeat.stop()
    assert not any(told.done.wait(3.0) for _, told in pairs)


def test_a_launcher_that_hears_no_request_is_ended_all_the_same() -> None:
    deaf = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); sys.stdin.read()"
    launcher = subprocess.Popen([sys.executable, "-c", deaf], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert launcher.stdout
    assert launcher.stdout.readline()
    end_soon(launcher.pid)
    assert launcher.wait(timeout=WAIT) == -signal.SIGKILL
