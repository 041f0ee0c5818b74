"""Callbacks: progress, agent checkpoints, and stopping in a state that can be resumed."""

from __future__ import annotations

import csv
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.fabric.utilities.seed import _collect_rng_states, _set_rng_states
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger

from trialign import distributed
from trialign.progress import Progress
from trialign.training.states import SavedStates

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

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Closes the bar; Lightning calls no ``teardown`` after an error."""
        self.teardown(trainer, pl_module, "fit")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Closes the bar."""
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
    """Keeps the last resumable state and the one before, every so many steps and when a stop is asked for.

    Args:
        states: where they lie.
        every: optimizer steps between two states.
        validate_every: optimizer steps between two validations; 0 for none.
        stop_asked: tells whether a signal came.
    """

    def __init__(self, states: SavedStates, every: int, validate_every: int, stop_asked: Callable[[], bool]) -> None:
        self.states, self.every, self.validate_every, self.stop_asked = states, every, validate_every, stop_asked
        self._saved = 0
        self._stopping = False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves at the end of an optimizer step when it is due."""
        # Between the micro-batches of one step there are gradients that no checkpoint holds.
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        # A training that is resumed from here would leave out the validation that is due now: it comes first.
        if not self.validate_every or trainer.global_step % self.validate_every:
            self._save_when_due(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves after a step's validation when it is due."""
        self._save_when_due(trainer)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Ends a step that was saved, now that the loggers have its metrics.

        Raises:
            Stopped: a stop was asked for on any rank; the state is saved.
        """
        self._end_step(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends the last step.

        Raises:
            Stopped: see ``on_train_batch_start``.
        """
        self._end_step(trainer)

    def _save_when_due(self, trainer: Trainer) -> None:
        step = trainer.global_step
        if step == self._saved:
            return
        self._stopping = bool(trainer.strategy.reduce_boolean_decision(self.stop_asked(), all=False))
        if self._stopping or step % self.every == 0:
            self.states.write(trainer.save_checkpoint)
            self._saved = step

    def _end_step(self, trainer: Trainer) -> None:
        if trainer.global_step == self._saved:
            for logger in trainer.loggers:
                logger.save()
        if self._stopping:
            raise Stopped(f"stopped after step {self._saved}")


class RandomStates(Callback):
    """Keeps the random numbers' states of torch, NumPy and Python in resumable states, of every rank its own.

    A training that is resumed draws what it would have drawn. A rank that the writers did not have keeps its seed.
    """

    def __init__(self) -> None:
        self._loaded: list[dict[str, Any]] = []

    def state_dict(self) -> dict[str, Any]:
        """Every rank's states; all ranks call it."""
        return {"ranks": distributed.gather(random_states())}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Notes them: what is set up between here and the first step may draw numbers too."""
        self._loaded = state_dict["ranks"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Sets this rank's."""
        if distributed.rank() < len(self._loaded):
            set_random_states(self._loaded[distributed.rank()])


def random_states() -> dict[str, Any]:
    """The states of torch's generators (those of the CPU and of this rank's GPU), NumPy's and Python's."""
    states = _collect_rng_states(include_cuda=False)
    name, key, *rest = states["numpy"]
    states["numpy"] = (name, key.tolist(), *rest)  # a state on disk holds tensors and plain values alone
    if torch.cuda.is_available():
        states["gpu"] = torch.cuda.get_rng_state()
    return states


def set_random_states(states: Mapping[str, Any]) -> None:
    """Sets what `random_states` gave."""
    _set_rng_states(dict(states))
    if "gpu" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["gpu"])


class EarlierMetrics(Callback):
    """Keeps the rows of metrics.csv that a resumed training does not make again.

    Args:
        file: read now, because Lightning's logger removes it when training is set up.
    """

    def __init__(self, file: Path) -> None:
        self.rows: list[dict[str, str]] = []
        if file.is_file():
            with file.open(encoding="utf-8", newline="") as lines:
                self.rows = [{key: value for key, value in row.items() if value} for row in csv.DictReader(lines)]

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Hands the rows of the steps before the checkpoint to the logger."""
        logger = trainer.logger
        if trainer.is_global_zero and isinstance(logger, CSVLogger):
            logger.experiment.metrics.extend(row for row in self.rows if int(row["step"]) < checkpoint["global_step"])
            logger.save()


class StopSignals(Callback):
    """Turns Ctrl-C and SIGTERM into a note that is read at the end of a step; the second one acts at once."""

    def __init__(self) -> None:
        self._noted: set[int] = set()
        self._before: dict[int, Any] = {}
        self._ranks = 1

    def asked(self) -> bool:
        """Whether one of them came."""
        return bool(self._noted)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the place of Lightning's own handler, which breaks off between two micro-batches."""
        self._ranks = trainer.world_size
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Puts the former handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Puts the former handlers back; Lightning calls no ``teardown`` after an error."""
        self.teardown(trainer, pl_module, "fit")

    def _note(self, number: int, frame: FrameType | None) -> None:
        # A launcher hands a terminal's Ctrl-C on to ranks that had it already: there, only the launcher insists.
        if number in self._noted and self._ranks == 1:
            raise KeyboardInterrupt
        self._noted.add(number)
