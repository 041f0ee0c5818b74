"""Which runs and audits there are: a scan of the runs root, and safe ways to their files.

The browser only ever names a run or an audit by its id, which is looked up among those that the scan found; no path
is made from what a browser sends. A link that leads out of the root is refused wherever it stands, in the folder of
a run or in place of one of its files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trialign.errors import UserError
from trialign.runs import RunFolder, audit_of, held_runs, step_of

# Far beyond what TriAlign writes for the largest audits; a file above is not read into a shared server's memory.
LARGEST_FILE = 1 << 30
_NO_AUDIT = "It has no complete audit yet."
_OUT = "out of the folder of runs"


@dataclass(frozen=True)
class AuditEntry:
    """One audit of a run.

    Attributes:
        id: name of its folder.
        folder: ``audits/step=000120.embedded.test``.
        step: optimizer steps behind the audited agents; 0 for the base model.
        data: name of the question set.
        split: of the questions.
    """

    id: str
    folder: Path
    step: int
    data: str
    split: str

    @property
    def label(self) -> str:
        """How the audit is named in a list and in the URL; unique within a run."""
        return f"{self.split}, {f'step {self.step}' if self.step else 'before training'} ({self.data})"

    @property
    def sentence(self) -> str:
        """What was audited, in words."""
        agents = f"agents after step {self.step}" if self.step else "agents before training"
        return f"{self.split} questions of {self.data}, {agents}"


@dataclass(frozen=True)
class RunEntry:
    """One run.

    Attributes:
        id: name of its folder, which is unique under the root.
        folder: below the root.
        audits: complete ones, by data and split, then by step.
        steps: of its agent checkpoints, ascending.
        fault: why the run is not shown, a sentence; empty where it is.
        finished: whether its training and audits are.
        damaged: whether its folder cannot be read, or lies elsewhere.
    """

    id: str
    folder: Path
    audits: tuple[AuditEntry, ...]
    steps: tuple[int, ...]
    fault: str = ""
    finished: bool = False
    damaged: bool = False

    @property
    def config_file(self) -> Path:
        """The resolved configuration."""
        return RunFolder(self.folder).config_file

    @property
    def metrics_file(self) -> Path:
        """Training's figures."""
        return RunFolder(self.folder).metrics_file

    def agents(self, step: int) -> Path:
        """Folder of one checkpoint; ``trialign.checkpoints.read_agents`` verifies its hashes.

        Raises:
            UserError: the run has no such step.
        """
        if step not in self.steps:
            raise UserError(f"The run '{self.id}' has no agents of step {step}", "Choose one of its steps")
        return RunFolder(self.folder).agents_at(step)


@dataclass(frozen=True)
class Catalog:
    """All runs under a root.

    Attributes:
        root: folder of all runs.
        runs: the finished ones first, then by name.
    """

    root: Path
    runs: tuple[RunEntry, ...]

    @property
    def audited(self) -> tuple[RunEntry, ...]:
        """The runs that have an audit to show."""
        return tuple(run for run in self.runs if run.audits)


def scan(root: Path) -> Catalog:
    """The runs under a root; reads names only, and never fails on what it finds.

    A run is a folder with a configuration or with audits, or one that a process says it trains. An audit counts where
    it was written to its end.
    """
    try:
        folders = sorted(path for path in root.iterdir() if not path.name.startswith("."))
        held = held_runs(root)
    except OSError:
        return Catalog(root, ())
    entries = [entry for folder in folders if (entry := _run(root, folder)) is not None]
    known = {entry.id for entry in entries}
    entries += [RunEntry(folder.name, folder, (), (), _NO_AUDIT) for folder in held if folder.name not in known]
    return Catalog(root, tuple(sorted(entries, key=lambda run: (not run.finished, run.id))))


def file_within(root: Path, path: Path) -> Path:
    """The path, if it is a file of tolerable size that lies within the root with all links followed.

    Raises:
        UserError: it is missing, no file, too large, or a link leads out of the root.
    """
    if not _lies_within(root, path):
        raise UserError(
            f"The file {path} is a link that leads {_OUT}, and is not read",
            "Put the file itself there",
        )
    if not path.is_file():
        raise UserError(f"The file {path} is missing", "Run the audit again, or choose another one")
    if path.stat().st_size > LARGEST_FILE:
        raise UserError(f"The file {path} is larger than {LARGEST_FILE >> 30} GiB", "Choose another audit")
    return path


def _run(root: Path, folder: Path) -> RunEntry | None:
    if not folder.is_dir():
        return None
    if not _lies_within(root, folder):
        return RunEntry(folder.name, folder, (), (), f"It is a link that leads {_OUT}.", damaged=True)
    run = RunFolder(folder)
    try:
        audits = sorted(_audits(root, run.audits_folder), key=lambda audit: (audit.data, audit.split, audit.step))
        steps = sorted(_steps(root, run.agents))
    except OSError:
        return RunEntry(folder.name, folder, (), (), "Its folder cannot be read.", damaged=True)
    if not audits and not run.config_file.is_file():
        return None
    fault = "" if audits else _NO_AUDIT
    return RunEntry(folder.name, folder, tuple(audits), tuple(steps), fault, finished=run.finished_file.is_file())


def _audits(root: Path, audits: Path) -> list[AuditEntry]:
    return [
        AuditEntry(folder.name, folder, audit.step, audit.data, audit.split)
        for folder in _folders(root, audits)
        if (audit := audit_of(folder)) and audit.whole
    ]


def _steps(root: Path, agents: Path) -> list[int]:
    return [step for folder in _folders(root, agents) if (step := step_of(folder)) is not None]


def _folders(root: Path, parent: Path) -> Sequence[Path]:
    if not parent.is_dir():
        return ()
    return [path for path in parent.iterdir() if path.is_dir() and _lies_within(root, path)]


def _lies_within(root: Path, path: Path) -> bool:
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # a loop of links
        return False
