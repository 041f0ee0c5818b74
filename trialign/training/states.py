"""Resumable states on disk: the last one and the one before, each whole or not there."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch.strategies import Strategy
from torch import Tensor

from trialign import distributed
from trialign.errors import UserError
from trialign.storage import sync

log = logging.getLogger("trialign")


@dataclass(frozen=True)
class SavedStates:
    """The states of one run; a state is one file, and says nothing of how many ranks wrote it.

    Attributes:
        last: the newest, ``checkpoints/last.ckpt``.
    """

    last: Path

    @property
    def previous(self) -> Path:
        """The one before."""
        return self.last.with_name("previous.ckpt")

    @property
    def draft(self) -> Path:
        """Where a new one is written. What a cut-off leaves there is never read."""
        return self.last.with_name(f".{self.last.name}.tmp")

    def write(self, save: Callable[[Path], None]) -> None:
        """Replaces the last state; the one that it was becomes the one before. All ranks call it.

        Args:
            save: writes a file of this name on rank 0, with the help of all ranks.
        """
        first = distributed.rank() == 0
        if first:
            self.last.parent.mkdir(parents=True, exist_ok=True)
            self.draft.unlink(missing_ok=True)
        try:
            save(self.draft)
            if first:
                sync(self.draft)
        except OSError:
            self.draft.unlink(missing_ok=True)  # a full disk needs the room
            raise
        if first:
            if self.last.exists():
                self.last.replace(self.previous)
            self.draft.rename(self.last)
            sync(self.last.parent)
        distributed.barrier()

    def newest(self) -> Path | None:
        """The newest state that is whole; None when nothing was saved.

        Raises:
            UserError: states are there, and none of them is whole.
        """
        there = [path for path in (self.last, self.previous) if path.exists()]
        for path in there:
            if _is_whole(path):
                return path
            log.warning("The state %s is torn, and is left out", path)
        if there:
            raise UserError(
                f"No state in {self.last.parent} is whole",
                "Begin again with --overwrite",
            )
        return None


class OneFile(Strategy):
    """What strategies share that keep weights in shares and states whole.

    A state says nothing of shares: rank 0 writes it, and any number of ranks goes on from it, under any strategy.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any = None) -> None:
        """One file, written by rank 0."""
        Strategy.save_checkpoint(self, checkpoint, filepath, storage_options)

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """As one process reads it."""
        return Strategy.load_checkpoint(self, checkpoint_path, weights_only)

    @property
    def lightning_restore_optimizer(self) -> bool:
        """Lightning hands over the optimizer's state too; no strategy's own checkpoints are used."""
        return True


def on_first_rank(value: Tensor) -> Tensor | None:
    """A whole tensor as it is written: on rank 0 alone, in the CPU's memory."""
    return value.cpu() if distributed.rank() == 0 else None


def _is_whole(state: Path) -> bool:
    """Whether a state is what was written, by the checksums of its parts."""
    try:
        with zipfile.ZipFile(state) as archive:
            return archive.testzip() is None
    except (OSError, ValueError, zipfile.BadZipFile):
        return False
