"""The folder of one run: claimed once, resumed by name, never overwritten by accident."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

import yaml

from trialign.errors import UserError
from trialign.group_config import configured_sets
from trialign.places import anchored
from trialign.storage import write_text_atomic

Status = Literal["new", "unfinished", "finished"]
_HEADER = "# Resolved; trained on the trajectories "
# Where a run lies, how many processes compute it in what shares, and who else is told of its figures do not change what
# it computes.
_PLACE_KEYS = (
    "runs",
    "trainer.devices",
    "trainer.nodes",
    "trainer.strategy",
    "trainer.activation_checkpointing",
    "trainer.sharding.offload",
    "trainer.sharding.whole_below",
    "trainer.sharding.bucket",
    "logger.kind",
    "logger.project",
    "logger.offline",
    "logger.address",
)
_ABSENT = object()


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run.

    Attributes:
        folder: ``runs/<name>``.
    """

    folder: Path

    @property
    def config_file(self) -> Path:
        """The resolved configuration."""
        return self.folder / "config.yaml"

    @property
    def agents(self) -> Path:
        """Agent checkpoints, for deployment."""
        return self.folder / "agents"

    @property
    def resume_file(self) -> Path:
        """The state from which training goes on."""
        return self.folder / "checkpoints" / "last.ckpt"

    @property
    def logs(self) -> Path:
        """Metric paths."""
        return self.folder / "logs"

    def audit(self, step: int, data: str, split: str) -> Path:
        """The audit of one step on one split."""
        return self.folder / "audits" / f"step={step:06d}.{data}.{split}"

    def status(self, config: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> Status:
        """How far the run of this configuration is.

        Args:
            config: resolved.
            defaults: dotted key -> value of a key that a run of an earlier version did not know.

        Raises:
            UserError: a run of this name exists with another configuration.
        """
        if not self.config_file.is_file():
            return "new"
        asked = _leaves(_with_named_sets(anchored(_plain(config), [Path.cwd()])))
        stored = _leaves(_with_named_sets(self.stored_config()))
        stored = {**{key: value for key, value in (defaults or {}).items() if key in asked}, **stored}
        differing = sorted(
            key for key in {*stored, *asked} - set(_PLACE_KEYS) if stored.get(key, _ABSENT) != asked.get(key, _ABSENT)
        )
        if differing:
            raise UserError(
                f"The run {self.folder} exists with another configuration (it differs in {', '.join(differing)})",
                "Choose another name=..., or replace the run with --overwrite",
            )
        return "finished" if (self.folder / "finished.json").is_file() else "unfinished"

    def stored_config(self) -> dict[str, Any]:
        """The configuration that the run was started with.

        Relative paths in it, which runs of earlier versions have, are looked for beside the run, then in the working
        folder.

        Raises:
            UserError: there is no run here, or its config.yaml is torn.
        """
        try:
            stored = yaml.safe_load(self.config_file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise UserError(f"There is no run in {self.folder}", "Run 'trialign fit' first, or name another") from error
        except yaml.YAMLError as error:
            raise UserError(f"The file {self.config_file} is torn", "Train again with --overwrite") from error
        if not isinstance(stored, dict):
            raise UserError(f"The file {self.config_file} is torn", "Train again with --overwrite")
        return anchored(stored, [*self.folder.resolve().parents, Path.cwd()])

    @property
    def trajectories(self) -> str:
        """Folder name of the trajectories that the run was started with."""
        return self.config_file.read_text(encoding="utf-8").partition("\n")[0].removeprefix(_HEADER)

    def claim(self, config: Mapping[str, Any], trajectories: str) -> None:
        """Writes the resolved configuration, which names the trajectories in a comment.

        Its paths hold from any folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(anchored(_plain(config), [Path.cwd()]), sort_keys=False, allow_unicode=True, width=110)
        write_text_atomic(self.config_file, f"{_HEADER}{trajectories}\n{text}")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps every other process from training in this folder.

        The system takes the lock back when the process ends, however it ends: what a killed one leaves blocks nobody.

        Raises:
            UserError: another process has it.
        """
        place = self.folder.with_name(f".{self.folder.name}.lock")
        place.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with place.open("a+", encoding="utf-8") as file:
                self._lock(file)
                if not _names(place, file):
                    continue  # its holder removed it between the opening and the locking
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}")
                file.flush()
                try:
                    yield
                finally:
                    place.unlink(missing_ok=True)
                return

    def _lock(self, file: TextIO) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise UserError(
                f"The run {self.folder} is being trained by {file.read() or 'another process'}",
                "Wait until that is done or end it, or choose another name=...",
            ) from error

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Marks the run as finished."""
        write_text_atomic(self.folder / "finished.json", json.dumps(dict(facts), indent=2))

    def remove(self) -> None:
        """Deletes the run; shared trajectories stay."""
        if self.folder.exists():
            doomed = self.folder.with_name(f".{self.folder.name}.removed")
            # One that is there already was left by a removal that was cut off.
            shutil.rmtree(doomed, ignore_errors=True)
            self.folder.rename(doomed)
            shutil.rmtree(doomed)


def _with_named_sets(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration with its groups as a mapping of sets: one set alone is the same set under its name."""
    groups = config.get("groups")
    if not isinstance(groups, Mapping):
        return config
    return {**config, "groups": {str(name): values for name, values in configured_sets(groups)}}


def _leaves(value: Any, key: str = "") -> dict[str, Any]:
    """Dotted key -> value; an empty mapping is a value."""
    if not isinstance(value, Mapping) or not value:
        return {key: value}
    return {
        dotted: leaf
        for name, part in value.items()
        for dotted, leaf in _leaves(part, f"{key}.{name}" if key else str(name)).items()
    }


def _plain(value: Any) -> Any:
    """The value as YAML gives it back: mappings, lists and scalars."""
    return json.loads(json.dumps(value))


def _names(place: Path, file: TextIO) -> bool:
    """Whether an open file still has its name."""
    return place.exists() and os.path.samestat(place.stat(), os.fstat(file.fileno()))
