from __future__ import annotations

import logging

import pytest

from trialign import distributed, progress
from trialign.progress import Progress, duration

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0s"),
        (59.4, "59s"),
        (59.6, "1m 00s"),
        (200, "3m 20s"),
        (3600, "1h 00m"),
        (7384, "2h 03m"),
        (float("inf"), "unknown time"),
    ],
)
def test_durations_are_short_texts(seconds: float, text: str) -> None:
    assert duration(seconds) == text


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_without_a_terminal_lines_come_at_intervals(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    caplog.set_level(logging.INFO, "trialign")
    with Progress("Collecting", 10, "questions") as shown:
        for _ in range(4):
            clock.now += 5
            shown.advance(2, "loss 1")
        clock.now += 5
        shown.advance(2)
    # 8 of 10 in 20 s: 0.4 a second, so 2 more take 5 s. The last ones are told by the closing line.
    assert caplog.messages == [
        "Collecting: 10 questions",
        "Collecting: 4/10 questions, 0.40/s, 15s left  loss 1",
        "Collecting: 8/10 questions, 0.40/s, 5s left  loss 1",
        "Collecting: 10 questions in 25s",
    ]


def test_other_ranks_and_failures_are_silent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trialign")
    with Progress("Collecting", 1, "questions", shown=False) as hidden:
        hidden.advance()
    assert caplog.messages == []

    def fails() -> None:
        with Progress("Collecting", 1, "questions"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert caplog.messages == ["Collecting: 1 questions"]


def test_without_a_process_group_there_is_one_rank() -> None:
    assert (distributed.rank(), distributed.world_size()) == (0, 1)
    assert distributed.gather("mine") == ["mine"]
    distributed.barrier()
