"""Callbacks: progress, agent checkpoints, and stopping in a state that can be resumed."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from trialign.progress import Progress
from trialign.storage import atomic_write

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):  # noqa: N818 - a request, not an error
    """Training stopped on request at the end of a step; its state is saved."""


class TrainingProgress(Callback):
    """Shows optimizer steps done, their rate, the time left and the loss."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._progress: Progress | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begins where a resumed training stands."""
        self._progress = Progress(
            "Training", self.steps - trainer.global_step, "steps", shown=trainer.is_global_zero
        ).__enter__()
        self._seen = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Counts the optimizer steps since the last call."""
        if self._progress and trainer.global_step > self._seen:
            loss = float(trainer.callback_metrics.get("train/loss", float("nan")))
            self._progress.advance(trainer.global_step - self._seen, f"loss {loss:.3f}")
            self._seen = trainer.global_step

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Closes the bar, however training ended."""
        if self._progress:
            self._progress.__exit__(None, None, None)
            self._progress = None


class AgentCheckpoints(Callback):
    """Writes the agents for deployment every so many steps and after the last one.

    Args:
        write: writes the agents of the given step; called on every rank.
        every: optimizer steps between two checkpoints; 0 writes only the last one.
        steps: the last step.
    """

    def __init__(self, write: Callable[[int], object], every: int, steps: int) -> None:
        self.write, self.every, self.steps = write, every, steps
        self._written = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Writes when the step is due and was not written already."""
        step = trainer.global_step
        due = step == self.steps or (self.every > 0 and step % self.every == 0)
        if due and step != self._written:
            self.write(step)
            self._written = step


class ResumeCheckpoint(Callback):
    """Keeps one resumable state, replaced whole every so many steps and when a stop is asked for.

    Args:
        file: ``checkpoints/last.ckpt``.
        every: optimizer steps between two states.
        stop_asked: tells whether a signal came.
    """

    def __init__(self, file: Path, every: int, stop_asked: Callable[[], bool]) -> None:
        self.file, self.every, self.stop_asked = file, every, stop_asked
        self._saved = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves at the end of an optimizer step when it is due.

        Raises:
            Stopped: a stop was asked for on any rank; the state is saved.
        """
        step = trainer.global_step
        # Between the micro-batches of one step there are gradients that no checkpoint holds.
        if (batch_idx + 1) % trainer.accumulate_grad_batches or step == self._saved:
            return
        stopping = bool(trainer.strategy.reduce_boolean_decision(self.stop_asked(), all=False))
        if stopping or step % self.every == 0:
            self._save(trainer)
            self._saved = step
        if stopping:
            raise Stopped(f"stopped after step {step}")

    def _save(self, trainer: Trainer) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        if trainer.is_global_zero:
            with atomic_write(self.file) as temporary:
                trainer.save_checkpoint(temporary)
        else:
            trainer.save_checkpoint(self.file)


@contextmanager
def noted_signals() -> Iterator[Callable[[], bool]]:
    """Turns Ctrl-C and SIGTERM into a note that is read at the end of a step; a second one acts at once.

    Yields:
        A function that tells whether one of them came.
    """
    asked: list[int] = []
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        signal.signal(number, before[signal.Signals(number)])

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield lambda: bool(asked)
    finally:
        for number in SIGNALS:
            signal.signal(number, before[number])
