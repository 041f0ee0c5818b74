"""What lies where in the folder of runs, and the folder of one run: claimed once, never overwritten by accident.

This file alone knows the names of a run's files and folders; everything else asks it.

    findings.sqlite                     what people noted, of all runs
    .labels/<run>/<audit>.<hash>.jsonl  what people say of pairs of its replies; and .pairs.jsonl
    .trajectories/<hash>/               manifest.json, questions.jsonl and parts; shared by runs
    .sweeps/<when>/<number>/            the configuration of one job of a sweep
    <run>/config.yaml                   resolved
    <run>/finished.json                 there once training and its audits are
    <run>/agents/step=000200/           manifest.json, and a PEFT folder for each group
    <run>/facts.jsonl                   what a run is audited on to which groups were added
    <run>/audits/step=000200.<data>.<split>/   items, replies, pressure, ..., and last the summary
    <run>/checkpoints/last.ckpt         for going on only
    <run>/parts/facts/, parts/tastes/   agents, checkpoints and logs of what was trained apart, where it was
    <run>/logs/metrics.csv
    <run>/reports/<audit>/
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO, cast

import yaml

from trialign.errors import UserError
from trialign.group_config import configured_sets
from trialign.places import anchored
from trialign.queries.types import SPLITS, Split
from trialign.storage import write_text_atomic

Status = Literal["new", "unfinished", "finished"]
# The files of an audit. The summary is written last: where it is, the audit is whole.
ITEMS, QUESTIONS, ANALYSIS, ABOUT = "items.parquet", "questions.jsonl", "analysis.json", "about.json"
REPLIES = "replies.parquet"  # rows as in the items, of the same questions asked in words; not in every audit
PRESSURE = "pressure.parquet"  # answers under pressure; not in every audit
SUMMARY = "summary.json"
# Of agents and of trajectories: written last, with the hash of every other file.
MANIFEST = "manifest.json"
FINDINGS = "findings.sqlite"
SWEEPS = ".sweeps"
_TRAJECTORIES, _AUDITS, _AGENTS, _LABELS = ".trajectories", "audits", "agents", ".labels"
# A step is written in six digits or, from a million on, in as many as it needs: no two names are of one step.
_STEP = "step=([0-9]{6}|[1-9][0-9]{6,11})"
_STEP_NAME = re.compile(_STEP)
_AUDIT_NAME = re.compile(rf"{_STEP}\.(.+)\.({'|'.join(SPLITS)})")
_LOCK = ".lock"
_HEADER = "# Resolved; trained on the trajectories "
# Where a run lies, how many processes compute it in what shares, and who else is told of its figures do not change what
# it computes.
_PLACE_KEYS = (
    "runs",
    "trainer.devices",
    "trainer.nodes",
    "trainer.strategy",
    "trainer.activation_checkpointing",
    "trainer.compile",
    "trainer.audits",
    "trainer.sharding.offload",
    "trainer.sharding.whole_below",
    "trainer.sharding.bucket",
    "logger.kind",
    "logger.project",
    "logger.offline",
    "logger.address",
)
# What is demanded of an audit changes no answer.
_RULES = "gate."
# How an audit asks in words: a run that was audited before one did is no other run for that.
_WORDS_KEYS = ("audit.answers", "audit.replies_limit", "audit.repeats")
# Pressure stands beside what an audit asks otherwise, and changes none of its answers.
_BESIDE = (_RULES, "audit.pressure")
_ABSENT = object()
# The same as ``yaml.safe_load``, six times as fast where libyaml is there: a folder may hold many runs.
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class AuditFolder:
    """One audit on disk.

    Attributes:
        path: the folder, such as ``runs/x/audits/step=000120.embedded.test``.
        step: optimizer steps behind the agents; 0 for the base model.
        data: name of the question set.
        split: the questions that were asked.
    """

    path: Path
    step: int
    data: str
    split: Split

    @property
    def run(self) -> Path:
        """The run that it belongs to."""
        return self.path.parent.parent

    @property
    def whole(self) -> bool:
        """Whether the audit was written to its end."""
        return is_whole_audit(self.path)

    def at_step(self, step: int) -> AuditFolder | None:
        """The same questions put to another step of the same run; None if there is no such audit."""
        other = AuditFolder(RunFolder(self.run).audit(step, self.data, self.split), step, self.data, self.split)
        return other if other.whole else None


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
        return self.folder / _AGENTS

    @property
    def resume_file(self) -> Path:
        """The state from which training goes on."""
        return self.folder / "checkpoints" / "last.ckpt"

    @property
    def logs(self) -> Path:
        """Metric paths."""
        return self.folder / "logs"

    @property
    def metrics_file(self) -> Path:
        """Training's figures, a row for each time that some were written."""
        return self.logs / "metrics.csv"

    @property
    def audits_folder(self) -> Path:
        """All audits."""
        return self.folder / _AUDITS

    @property
    def finished_file(self) -> Path:
        """There once all is done."""
        return self.folder / "finished.json"

    @property
    def facts_file(self) -> Path:
        """The facts that a run is audited on to which groups were added."""
        return self.folder / "facts.jsonl"

    def agents_at(self, step: int) -> Path:
        """The agent checkpoint of one step."""
        return self.agents / _step_name(step)

    def steps(self) -> tuple[int, ...]:
        """The steps that have agents, ascending."""
        return tuple(sorted(step for path in _inside(self.agents) if (step := step_of(path)) is not None))

    def audit(self, step: int, data: str, split: str) -> Path:
        """The audit of one step on one split."""
        return self.audits_folder / f"{_step_name(step)}.{data}.{split}"

    def audits(self) -> tuple[AuditFolder, ...]:
        """The audits that are whole, by step, then data and split."""
        found = (audit for path in _inside(self.audits_folder) if (audit := audit_of(path)) and audit.whole)
        return tuple(sorted(found, key=lambda audit: (audit.step, audit.data, audit.split)))

    def report(self, audit: Path) -> Path:
        """The report of one of the run's audits."""
        return self.folder / "reports" / audit.name

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
        known = {key: value for key, value in (defaults or {}).items() if key in asked}
        stored = {**known, **{key: asked[key] for key in _WORDS_KEYS if key in asked}, **stored}
        differing = sorted(
            key
            for key in {*stored, *asked} - set(_PLACE_KEYS)
            if not key.startswith(_BESIDE) and stored.get(key, _ABSENT) != asked.get(key, _ABSENT)
        )
        if differing:
            raise UserError(
                f"The run {self.folder} exists with another configuration (it differs in {', '.join(differing)})",
                "Choose another name=..., or replace the run with --overwrite",
            )
        return "finished" if self.finished_file.is_file() else "unfinished"

    def stored_config(self) -> dict[str, Any]:
        """The configuration that the run was started with.

        Relative paths in it, which runs of earlier versions have, are looked for beside the run, then in the working
        folder.

        Raises:
            UserError: there is no run here, or its config.yaml is torn.
        """
        try:
            stored = yaml.load(self.config_file.read_text(encoding="utf-8"), Loader=_YAML)
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
        place = self._lock_file
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

    @property
    def in_training(self) -> bool:
        """Whether a process says that it trains in this folder; its lock is read, and not taken."""
        try:
            words = self._lock_file.read_text(encoding="utf-8").split()
            number, host = int(words[1]), words[3]
        except (OSError, ValueError, IndexError):
            return False
        if host != socket.gethostname():
            return True  # nothing tells from here whether it still runs
        try:
            os.kill(number, 0)
        except ProcessLookupError:  # it was killed, and left its lock
            return False
        except PermissionError:  # it runs, as somebody else
            return True
        return True

    @property
    def _lock_file(self) -> Path:
        return self.folder.with_name(f".{self.folder.name}{_LOCK}")

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
        write_text_atomic(self.finished_file, json.dumps(dict(facts), indent=2))

    def remove(self) -> None:
        """Deletes the run; shared trajectories stay."""
        if self.folder.exists():
            doomed = self.folder.with_name(f".{self.folder.name}.removed")
            # One that is there already was left by a removal that was cut off.
            shutil.rmtree(doomed, ignore_errors=True)
            self.folder.rename(doomed)
            shutil.rmtree(doomed)


def held_runs(runs: Path) -> tuple[Path, ...]:
    """Folders of the runs that a process says it trains, by name; the folder itself may not be there yet."""
    locks = sorted(path for path in runs.iterdir() if path.name.startswith(".") and path.name.endswith(_LOCK))
    folders = [lock.with_name(lock.name[1 : -len(_LOCK)]) for lock in locks if len(lock.name) > len(_LOCK) + 1]
    return tuple(folder for folder in folders if RunFolder(folder).in_training)


def trajectories_folder(runs: Path, name: str) -> Path:
    """A collection of trajectories by its name, which is the hash of what it was made from."""
    return runs / _TRAJECTORIES / name


def labels_file(runs: Path, run: str, audit: str, replies_sha256: str) -> Path:
    """What people say of pairs of an audit's replies; replies that are made anew have a file of their own.

    Args:
        runs: the folder of runs.
        run: name of the run's folder.
        audit: name of the audit's folder.
        replies_sha256: of its ``replies.parquet``.
    """
    return runs / _LABELS / run / f"{audit}.{replies_sha256[:12]}.jsonl"


def step_of(agents: Path) -> int | None:
    """The step whose agents a folder holds, by its name; None: it is no such folder."""
    match = _STEP_NAME.fullmatch(agents.name)
    return int(match[1]) if match else None


def audit_of(path: Path) -> AuditFolder | None:
    """What a folder is the audit of, by its name; None: it is no audit. It need not be whole, nor be there."""
    match = _AUDIT_NAME.fullmatch(path.name)
    return AuditFolder(path, int(match[1]), match[2], cast(Split, match[3])) if match else None


def is_whole_audit(path: Path) -> bool:
    """Whether a folder holds an audit that was written to its end."""
    return (path / SUMMARY).is_file()


def _step_name(step: int) -> str:
    return f"step={step:06d}"


def _inside(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else iter(())


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
