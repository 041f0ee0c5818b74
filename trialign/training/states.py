"""Resumable states on disk: the last one and the one before, each whole or not there."""

from __future__ import annotations

import json
import logging
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trialign import distributed
from trialign.errors import UserError
from trialign.storage import sha256_of_file, sync, write_text_atomic

log = logging.getLogger("trialign")
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class SavedStates:
    """The states of one run; a state is one file, or a folder to which every rank has written its share.

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
            save: writes a file or a folder of this name, on every rank.
        """
        if distributed.rank() == 0:
            self.last.parent.mkdir(parents=True, exist_ok=True)
            _remove(self.draft)
        distributed.barrier()
        try:
            self._write_draft(save)
        except OSError:
            _remove(self.draft)  # a full disk needs the room
            raise
        distributed.barrier()
        if distributed.rank() == 0:
            self._name_draft()
        distributed.barrier()

    def _write_draft(self, save: Callable[[Path], None]) -> None:
        save(self.draft)
        # Every machine syncs what its own ranks wrote before the state is given its name.
        if self.draft.is_dir():
            for path in self.draft.rglob("*"):
                sync(path)
        elif self.draft.is_file():
            sync(self.draft)

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

    def _name_draft(self) -> None:
        if self.draft.is_dir():
            files = {
                path.relative_to(self.draft).as_posix(): sha256_of_file(path)
                for path in sorted(self.draft.rglob("*"))
                if path.is_file()
            }
            manifest = {"ranks": distributed.world_size(), "files": files}
            write_text_atomic(self.draft / MANIFEST, json.dumps(manifest, indent=2))
        _remove(self.previous)
        if self.last.exists():
            self.last.rename(self.previous)
        self.draft.rename(self.last)
        sync(self.last.parent)


def ranks_of(state: Path) -> int | None:
    """How many ranks wrote a folder of shares; None for a state that does not depend on it."""
    return int(json.loads((state / MANIFEST).read_text(encoding="utf-8"))["ranks"]) if state.is_dir() else None


def _is_whole(state: Path) -> bool:
    """Whether a state is what was written: a folder by its hashes, a file by the checksums of its parts."""
    try:
        if state.is_dir():
            files = json.loads((state / MANIFEST).read_text(encoding="utf-8"))["files"]
            return all(sha256_of_file(state / name) == digest for name, digest in files.items())
        with zipfile.ZipFile(state) as archive:
            return archive.testzip() is None
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return False


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
