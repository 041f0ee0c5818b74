"""Which audits a run has: folders named ``step=000120.embedded.test``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from trialign.errors import UserError

_NAME = re.compile(r"step=(\d{6,})\.(.+)\.(train|validation|test)")
_SUMMARY = "summary.json"  # written last: where it is, the audit is whole


@dataclass(frozen=True)
class AuditFolder:
    """One finished audit on disk.

    Attributes:
        path: the folder.
        step: optimizer steps behind the agents; 0 for the base model.
        data: name of the question set.
        split: the questions that were asked.
    """

    path: Path
    step: int
    data: str
    split: str

    @property
    def run(self) -> Path:
        """The run that it belongs to."""
        return self.path.parent.parent

    def at_step(self, step: int) -> AuditFolder | None:
        """The same questions put to another step of the same run; None if there is no such audit."""
        path = self.path.with_name(f"step={step:06d}.{self.data}.{self.split}")
        return audit_folder(path) if (path / _SUMMARY).is_file() else None


def audit_folder(path: Path) -> AuditFolder:
    """The audit that lies in a folder.

    Raises:
        UserError: there is none.
    """
    match = _NAME.fullmatch(path.resolve().name)
    if match is None or not (path / _SUMMARY).is_file():
        raise UserError(f"There is no finished audit in {path}", "Name one such as runs/x/audits/step=000120.x.test")
    return AuditFolder(path.resolve(), int(match[1]), match[2], match[3])


def find_audit(place: Path, *, step: int | None = None, like: AuditFolder | None = None) -> AuditFolder:
    """The audit that is meant.

    Args:
        place: a run's folder, or the folder of one of its audits.
        step: of the agents; None: the last that was audited. Held-out questions go before tuning questions.
        like: an audit whose data and split are wanted.

    Raises:
        UserError: there is none, or there are several.
    """
    if (place / _SUMMARY).is_file():
        audit = audit_folder(place)
        if step not in (None, audit.step):
            raise UserError(f"{place} is the audit of step {audit.step}, and step {step} is asked for", "Leave one out")
        return audit
    found = [audit_folder(path) for path in sorted((place / "audits").glob("step=*")) if (path / _SUMMARY).is_file()]
    wanted = [audit for audit in found if like is None or (audit.data, audit.split) == (like.data, like.split)]
    chosen = [audit for audit in wanted if step is None or audit.step == step]
    if not chosen:
        which = f" of {like.data}, {like.split} questions" if like else ""
        at = "" if step is None else f" at step {step}"
        have = f"; there are {', '.join(audit.path.name for audit in found)}" if found else ""
        raise UserError(
            f"The run {place} has no finished audit{which}{at}{have}",
            f"Audit first: trialign test --run {place}" + ("" if step is None else f" --step {step}"),
        )
    splits = {audit.split for audit in chosen}
    split = next(name for name in ("test", "validation", "train") if name in splits)
    last = max(audit.step for audit in chosen if audit.split == split)
    [first, *others] = [audit for audit in chosen if (audit.step, audit.split) == (last, split)]
    if others:
        names = ", ".join(str(audit.path) for audit in (first, *others))
        raise UserError(f"The run {place} has audits of several question sets: {names}", "Name one of these folders")
    return first
