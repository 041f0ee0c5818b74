"""Which audit of a run is meant."""

from __future__ import annotations

from pathlib import Path

from trialign.errors import UserError
from trialign.runs import AuditFolder, RunFolder, audit_of, is_whole_audit


def audit_folder(path: Path) -> AuditFolder:
    """The audit that lies in a folder.

    Raises:
        UserError: there is none.
    """
    audit = audit_of(path.resolve())
    if audit is None or not audit.whole:
        raise UserError(f"There is no finished audit in {path}", "Name one such as runs/x/audits/step=000120.x.test")
    return audit


def find_audit(place: Path, *, step: int | None = None, like: AuditFolder | None = None) -> AuditFolder:
    """The audit that is meant.

    Args:
        place: a run's folder, or the folder of one of its audits.
        step: of the agents; None: the last that was audited. Held-out questions go before tuning questions.
        like: an audit whose data and split are wanted.

    Raises:
        UserError: there is none, or there are several.
    """
    if is_whole_audit(place):
        audit = audit_folder(place)
        if step not in (None, audit.step):
            raise UserError(f"{place} is the audit of step {audit.step}, and step {step} is asked for", "Leave one out")
        return audit
    found = RunFolder(place.resolve()).audits()
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
