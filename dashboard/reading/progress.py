"""How far a run is: in training, and at which step, finished, stopped, audited only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trialign.errors import UserError
from trialign.runs import RunFolder

from .catalog import Catalog, RunEntry, file_within

State = Literal["finished", "training", "stopped", "audited", "damaged"]
_TAIL = 1 << 16  # bytes at the end of a log in which its last row stands


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        state: ``audited`` is a run that was never to be trained.
        sentence: in words, without a full stop.
        share: of its optimizer steps that are done, from 0 to 1; None where nothing is known of them.
    """

    state: State
    sentence: str
    share: float | None = None


def progress(catalog: Catalog, run: RunEntry, config: Mapping[str, Any]) -> Progress:
    """How far a run is; reads the end of its log at most.

    Args:
        catalog: all runs.
        run: one of them.
        config: its configuration; empty where it has none.
    """
    folder = RunFolder(run.folder)
    if folder.in_training:
        return _training(_steps_done(catalog, folder), _steps(config), prepared=run.config_file.is_file())
    if run.damaged:
        return Progress("damaged", run.fault.rstrip("."))
    if run.finished:
        return Progress("finished", "finished")
    if not run.config_file.is_file():
        return Progress("audited", "audited, not trained here")
    return _stopped(_steps_done(catalog, folder), _steps(config))


def _training(done: int, steps: int | None, *, prepared: bool) -> Progress:
    if not done:
        what = "the base model is audited first" if prepared else "its data are being collected"
        return Progress("training", f"in training: {what}", 0.0)
    if steps and done >= steps:
        return Progress("training", f"in training: all {steps:,} steps are done, its agents are being audited", 1.0)
    return Progress("training", f"in training: {_of(done, steps)}", done / steps if steps else None)


def _stopped(done: int, steps: int | None) -> Progress:
    if not done:
        return Progress("stopped", "stopped before training began", 0.0)
    if steps and done >= steps:
        return Progress("stopped", f"stopped after all {steps:,} steps, before its agents were audited", 1.0)
    return Progress("stopped", f"stopped: {_of(done, steps)}", done / steps if steps else None)


def _of(done: int, steps: int | None) -> str:
    return f"step {done:,} of {steps:,} ({100 * done // steps} %)" if steps else f"step {done:,}"


def _steps(config: Mapping[str, Any]) -> int | None:
    trainer = config.get("trainer")
    steps = trainer.get("steps") if isinstance(trainer, Mapping) else None
    return steps if isinstance(steps, int) and steps > 0 else None


def _steps_done(catalog: Catalog, run: RunFolder) -> int:
    """Optimizer steps by the log, whose rows count from 0; 0 where there is none, or it is just being written."""
    try:
        head, rows = _ends(file_within(catalog.root, run.metrics_file))
        place = head.split(",").index("step")
        return max(int(cells[place]) for row in rows if len(cells := row.split(",")) == head.count(",") + 1) + 1
    except (UserError, OSError, ValueError, IndexError):
        return 0


def _ends(path: Path) -> tuple[str, list[str]]:
    """The head of a log, and its last row; one without an end is still being written."""
    with path.open("rb") as file:
        head = file.readline()
        begin = max(len(head), path.stat().st_size - _TAIL)
        file.seek(begin)
        rows = file.read().decode("utf-8", "replace").split("\n")[:-1]
    if begin > len(head):  # the first of these begins in the middle of a row
        rows = rows[1:]
    return head.decode("utf-8", "replace").strip(), rows[-1:]
