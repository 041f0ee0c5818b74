"""Callbacks against a trainer that only counts; the whole path is tested through the command line."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trialign.training.callbacks import AgentCheckpoints, ResumeCheckpoint, Stopped, StopSignals, TrainingProgress
from trialign.training.states import SavedStates

pytestmark = pytest.mark.unit


class Counter:
    """A trainer at some optimizer step, which writes the step instead of a state."""

    is_global_zero = True
    world_size = 1
    strategy = SimpleNamespace(reduce_boolean_decision=lambda decision, all: decision)

    def __init__(self, accumulate: int = 1) -> None:
        self.global_step = self.batches = 0
        self.accumulate_grad_batches = accumulate
        self.loggers: list[Any] = []
        self.callback_metrics: dict[str, float] = {"train/loss": 1.5}

    def save_checkpoint(self, path: Path) -> None:
        path.write_text(str(self.global_step))


def train(callback: Any, trainer: Any, steps: int, validate_every: int = 0) -> list[str]:
    """Runs the hooks in Lightning's order; returns what the state file held after every step."""
    held, file = [], callback.states.last
    for batch_idx in range(steps * trainer.accumulate_grad_batches):
        callback.on_train_batch_start(trainer, None, None, batch_idx)
        trainer.batches = batch_idx + 1
        trainer.global_step = trainer.batches // trainer.accumulate_grad_batches
        callback.on_train_batch_end(trainer, None, None, None, batch_idx)
        if (batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            if validate_every and trainer.global_step % validate_every == 0:
                held.append(file.read_text() if file.is_file() else "")
                callback.on_validation_end(trainer, None)
            held.append(file.read_text() if file.is_file() else "")
    callback.on_train_end(trainer, None)
    return held


def test_the_state_is_kept_every_so_many_steps(tmp_path: Path) -> None:
    callback = ResumeCheckpoint(SavedStates(tmp_path / "checkpoints" / "last.ckpt"), 2, 0, lambda: False)
    assert train(callback, Counter(), 5) == ["", "2", "2", "4", "4"]
    kept = {path.name: path.read_text() for path in (tmp_path / "checkpoints").iterdir()}
    assert kept == {"last.ckpt": "4", "previous.ckpt": "2"}


def test_the_state_waits_for_the_validation_of_its_step(tmp_path: Path) -> None:
    callback = ResumeCheckpoint(SavedStates(tmp_path / "last.ckpt"), 2, 4, lambda: False)
    # Steps 1, 2, 3, then 4 before and after its validation.
    assert train(callback, Counter(), 4, validate_every=4) == ["", "2", "2", "2", "4"]


def test_a_stop_is_taken_at_the_end_of_the_whole_step(tmp_path: Path) -> None:
    trainer = Counter(accumulate=2)
    seen: list[tuple[int, int]] = []

    def asked() -> bool:
        seen.append((trainer.global_step, trainer.batches))
        return trainer.global_step == 3

    callback = ResumeCheckpoint(SavedStates(tmp_path / "last.ckpt"), 100, 0, asked)
    with pytest.raises(Stopped, match="stopped after step 3"):
        train(callback, trainer, 5)
    assert (tmp_path / "last.ckpt").read_text() == "3"
    assert seen == [(1, 2), (2, 4), (3, 6)]


@pytest.mark.parametrize(("here", "elsewhere"), [(True, False), (False, True)])
def test_a_signal_to_one_rank_alone_stops_all(tmp_path: Path, here: bool, elsewhere: bool) -> None:
    trainer: Any = Counter()
    trainer.strategy = SimpleNamespace(
        reduce_boolean_decision=lambda decision, all: (decision and elsewhere) if all else (decision or elsewhere)
    )
    callback = ResumeCheckpoint(SavedStates(tmp_path / "last.ckpt"), 100, 0, lambda: here)
    with pytest.raises(Stopped, match="stopped after step 1"):
        train(callback, trainer, 5)
    assert (tmp_path / "last.ckpt").read_text() == "1"


def test_a_stop_after_the_last_step_is_taken_too(tmp_path: Path) -> None:
    callback = ResumeCheckpoint(SavedStates(tmp_path / "last.ckpt"), 100, 0, lambda: True)
    with pytest.raises(Stopped, match="stopped after step 1"):
        train(callback, Counter(), 1)


def test_agents_are_due_at_the_interval_and_at_the_end_once_each() -> None:
    written: list[int] = []
    callback = AgentCheckpoints(written.append, every=2, steps=5)
    trainer: Any = Counter()
    for step in (1, 1, 2, 2, 3, 4, 5, 5):
        trainer.global_step = step
        callback.on_train_batch_end(trainer, None, None, None, 0)  # type: ignore[arg-type]
    assert written == [2, 4, 5]


@pytest.fixture
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted_and_the_second_acts(number: signal.Signals) -> None:
    callback, trainer = StopSignals(), Counter()
    callback.on_train_start(trainer, None)  # type: ignore[arg-type]
    assert not callback.asked()
    os.kill(os.getpid(), number)
    assert callback.asked()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


@pytest.mark.usefixtures("handlers")
def test_a_rank_leaves_insisting_to_its_launcher() -> None:
    callback, trainer = StopSignals(), Counter()
    trainer.world_size = 2
    callback.on_train_start(trainer, None)  # type: ignore[arg-type]
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGTERM):
        os.kill(os.getpid(), number)
    assert callback.asked()


@pytest.mark.usefixtures("handlers")
def test_former_handlers_come_back_however_training_ends() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    for end in ("teardown", "on_exception"):
        callback: Any = StopSignals()
        callback.on_train_start(Counter(), None)
        assert signal.getsignal(signal.SIGINT) not in before
        getattr(callback, end)(None, None, None)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("end", ["teardown", "on_exception"])
def test_the_bar_is_closed_however_training_ends(end: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "trialign")
    callback, trainer = TrainingProgress(3), Counter()
    callback.on_train_start(trainer, None)  # type: ignore[arg-type]
    trainer.global_step = 2
    callback.on_train_batch_end(trainer, None, None, None, 0)  # type: ignore[arg-type]
    getattr(callback, end)(trainer, None, None)
    assert caplog.messages == ["Training: 3 steps", "Training: 2 steps in 0s"]
    assert callback._progress is None
