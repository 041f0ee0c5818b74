"""``trialign fit``: what it prints."""

from __future__ import annotations

from rich.console import Console

from trialign import distributed
from trialign.api import fitting
from trialign.api.session import Session
from trialign.audit.files.folders import find_audit
from trialign.commands.audit import print_change
from trialign.commands.trackers import track_fitted


def fit(session: Session, *, resume: bool, overwrite: bool) -> None:
    """The whole path, and the audits before and after side by side; a finished run only prints them.

    Raises:
        UserError: see ``trialign.api.fitting.check_fit``.
        Stopped: a stop was asked for; ``--resume`` goes on.
        UnfinishedError: scores, loss, gradient or weights are not numbers.
    """
    new = overwrite or session.status != "finished"  # another configuration has no status here, and is replaced
    fitted = fitting.fit(session, resume=resume, overwrite=overwrite)
    if distributed.rank() != 0:
        return
    if fitted.audits:
        if new:
            track_fitted(session, find_audit(fitted.after.folder))
        print_change(fitted.folder.name, fitted.before, fitted.after)
    if fitted.agents is None:
        return
    following = (
        f'Ask them: trialign ask "Is the Earth flat?" --option Yes --option No --run {fitted.folder}'
        if fitted.audits
        else f"They were not audited: trialign test --run {fitted.folder}, or behind a server (docs/clusters.md)"
    )
    Console().print(
        f"Agents: {fitted.agents}\n{following}",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )
