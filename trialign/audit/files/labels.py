"""What people say of pairs of replies: lines in a file beside the runs, to which any number of people add at once."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from trialign.comparing.pairs import Verdict
from trialign.errors import UserError
from trialign.runs import labels_file
from trialign.storage import LineFile, write_text_atomic

LABELS: tuple[Verdict, ...] = get_args(Verdict)
LONGEST_NAME = 80  # characters


@dataclass(frozen=True)
class GivenLabel:
    """What somebody said of one pair.

    Attributes:
        time: ISO 8601, UTC.
        user: as the dashboard knows the person.
        name: as the person wrote it; who labels is told apart by it, without regard to case and blanks.
        pair: its key in the queue.
        label: ``same``, ``other`` or ``cannot tell``.
        settles: whether it was said of a pair on which others differ, and holds for all.
    """

    time: str
    user: str
    name: str
    pair: str
    label: Verdict
    settles: bool = False


@dataclass(frozen=True)
class LabelStore:
    """The labels of one audit's replies.

    Attributes:
        root: folder of the runs.
        run: name of the run's folder.
        audit: name of the audit's folder.
        replies_sha256: of the replies.
    """

    root: Path
    run: str
    audit: str
    replies_sha256: str

    @property
    def file(self) -> Path:
        """The labels; made with the first."""
        return labels_file(self.root, self.run, self.audit, self.replies_sha256)

    @property
    def pairs_file(self) -> Path:
        """The pairs whose label is settled, in the form of ``trialign.comparing.calibration.labelled_pairs``."""
        return self.file.with_suffix(".pairs.jsonl")

    def given(self) -> tuple[GivenLabel, ...]:
        """All labels, the oldest first; a line that is torn is passed over.

        Raises:
            UserError: the file is behind a link, or cannot be read.
        """
        self._check_place()
        try:
            lines = LineFile(self.file).lines()
        except OSError as error:
            raise UserError(f"The labels {self.file.name} cannot be read ({error.strerror})", "Try again") from error
        return tuple(found for line in lines if (found := _read(line)) is not None)

    def add(self, *, user: str, name: str, pair: str, label: Verdict, settles: bool = False) -> None:
        """Adds a label; a later one of the same person on the same pair stands for the earlier, and both are kept.

        Raises:
            UserError: no name, one that is too long, no such label, or the file cannot be written.
        """
        name = " ".join(name.split())
        if not name:
            raise UserError("Nobody is named who says so", "Write your name first")
        if len(name) > LONGEST_NAME:
            raise UserError(f"The name has {len(name):,} characters", f"Write at most {LONGEST_NAME}")
        if label not in LABELS:
            raise UserError(f"There is no label {label[:40]!r}", f"Choose one of: {', '.join(LABELS)}")
        when = datetime.now(UTC).isoformat(timespec="seconds")
        row = asdict(GivenLabel(when, user, name, pair, label, settles))
        self._check_place()
        file = LineFile(self.file)
        with self._said():
            file.lines()  # tells whether the last line is torn
            file.append(json.dumps(row) + "\n")

    def write_pairs(self, text: str) -> None:
        """Writes the settled pairs, whole or not at all; to be called while it is `held`.

        Raises:
            UserError: the file cannot be written.
        """
        with self._said():
            write_text_atomic(self.pairs_file, text)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps others from writing until the block ends: what is written in it follows from all labels.

        Raises:
            UserError: the file cannot be written.
        """
        self._check_place()
        with self._said():
            self.file.parent.mkdir(parents=True, exist_ok=True)
            lock = self.file.open("a+b")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _check_place(self) -> None:
        """Refuses what a link leads out of the folder of runs."""
        for place in (self.file, self.pairs_file):
            if place.is_symlink() or not place.resolve().is_relative_to(self.root.resolve()):
                raise UserError(f"The labels {place.name} lie behind a link", "Put the folder itself there")

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                f"The labels {self.file.name} cannot be written ({error.strerror})",
                "Let the dashboard write to the folder of the runs",
            ) from error


def _read(line: bytes) -> GivenLabel | None:
    try:
        row = json.loads(line)
        found = GivenLabel(**{**row, "settles": bool(row.get("settles"))})
    except (ValueError, TypeError, AttributeError):
        return None
    return found if found.label in LABELS else None
