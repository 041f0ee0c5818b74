"""When requests go: by a clock that the test moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialign.endpoint.pace import Pace, backoff, draw, in_parallel, spoken

pytestmark = pytest.mark.unit


class Clock:
    """Stands still but for what is slept."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def sent_at(
    per_minute: float, count: int, between: Callable[[Clock, Pace, int], None] = lambda *_: None
) -> list[float]:
    """When each of some requests went, in seconds from the first moment."""
    clock = Clock()
    pace = Pace(per_minute, clock, clock.sleep)
    times = []
    for number in range(count):
        pace.wait()
        times.append(clock.now - 100)
        between(clock, pace, number)
    return times


def test_requests_are_spaced_evenly() -> None:
    assert sent_at(30, 4) == [0, 2, 4, 6]


def test_time_that_passed_anyway_is_not_waited_for_again() -> None:
    def work(clock: Clock, pace: Pace, number: int) -> None:
        clock.now += 1.5 if number == 0 else 10

    # Time that was left unused is not made up for by a burst.
    assert sent_at(30, 4, work) == [0, 2, 12, 22]


def test_without_a_limit_nothing_waits() -> None:
    assert sent_at(0, 5) == [0] * 5


def test_a_hold_halts_every_request_and_then_the_pace_goes_on() -> None:
    def hold(clock: Clock, pace: Pace, number: int) -> None:
        if number == 1:
            pace.hold(30)

    assert sent_at(60, 4, hold) == [0, 1, 31, 32]


def test_a_shorter_hold_does_not_lift_a_longer_one() -> None:
    def hold(clock: Clock, pace: Pace, number: int) -> None:
        if number == 0:
            pace.hold(30)
            pace.hold(2)

    assert sent_at(0, 2, hold) == [0, 30]


class _Slow(float):
    """A time whose sum takes long: a thread that reads the next slot is overtaken before it has moved it on."""

    def __add__(self, other: float) -> _Slow:
        if other == 1:  # the gap between two requests
            time.sleep(0.005)
        return _Slow(float(self) + other)


def test_no_two_threads_share_a_slot() -> None:
    lock, slots = threading.Lock(), []

    def sleep(seconds: float) -> None:
        with lock:
            slots.append(round(seconds, 6))

    pace = Pace(60, lambda: _Slow(0.0), sleep)
    list(in_parallel(lambda _: pace.wait(), range(20), 8))
    assert sorted(slots) == list(range(1, 20))


def test_a_hold_is_not_lost_to_a_request_that_takes_its_slot() -> None:
    # The clock tells the time to `hold` while another thread is between reading and moving the next slot.
    slept: list[float] = []
    pace = Pace(60, lambda: _Slow(0.0), slept.append)
    waiting = threading.Thread(target=pace.wait)
    waiting.start()
    time.sleep(0.002)
    pace.hold(1000)
    waiting.join()
    pace.wait()
    assert slept == [1000]


def test_a_wait_is_said_once_for_all_threads(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    pace = Pace(0, clock, clock.sleep)
    with caplog.at_level("INFO", "trialign"):
        for _ in range(8):
            pace.hold(180)
            clock.now += 0.1
        assert caplog.messages == ["The server asks for 3 minutes without a request: waiting"]
        pace.hold(1)  # not worth a line
        pace.wait()
        pace.hold(30)
    assert caplog.messages[1:] == ["The server asks for 30 seconds without a request: waiting"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 seconds"), (90, "90 seconds"), (180, "3 minutes"), (7200, "2 hours"), (1e12, "11,574,074 days")],
)
def test_a_time_is_said_as_one_says_it(seconds: float, text: str) -> None:
    assert spoken(seconds) == text


def test_the_pause_doubles_up_to_a_minute() -> None:
    assert [backoff(failures, 0.0) for failures in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


@given(st.integers(1, 2000), st.floats(0, 1))
def test_chance_shortens_a_pause_by_no_more_than_half(failures: int, chance: float) -> None:
    assert backoff(failures, 0.0) / 2 <= backoff(failures, chance) <= backoff(failures, 0.0) <= 60


def test_chance_is_drawn_anew() -> None:
    drawn = [draw() for _ in range(20)]
    assert len(set(drawn)) == 20
    assert all(0 <= chance < 1 for chance in drawn)


def test_results_come_in_order_whatever_is_ready_first() -> None:
    last_done = threading.Event()

    def work(number: int) -> int:
        if number == 2:
            last_done.set()
        elif number == 0:
            assert last_done.wait(30)
        return number * 10

    assert list(in_parallel(work, range(3), 3)) == [0, 10, 20]
    assert list(in_parallel(work, [], 3)) == []


def test_no_more_are_under_way_than_allowed() -> None:
    lock, under_way, most = threading.Lock(), [0], [0]
    pair = threading.Barrier(2)

    def work(number: int) -> int:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        pair.wait(30)  # two are under way at once, or this breaks
        with lock:
            under_way[0] -= 1
        return number

    assert list(in_parallel(work, range(8), 2)) == list(range(8))
    assert most[0] == 2


def test_after_a_fault_nothing_more_is_begun() -> None:
    begun = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 1:
            raise ValueError("the second")
        return number

    results = in_parallel(work, range(1000), 1)
    assert next(results) == 0
    with pytest.raises(ValueError, match="the second"):
        next(results)
    assert begun == [0, 1]
