"""``trialign report --format wandb`` and ``mlflow``: an audit handed on to a tracker of experiments."""

from __future__ import annotations

import logging
from pathlib import Path

from rich.console import Console

from trialign.api.session import Session
from trialign.api.trackers import Tracker, send
from trialign.audit.files.folders import find_audit
from trialign.errors import UserError
from trialign.runs import AuditFolder

log = logging.getLogger("trialign")


def track(run: Path, tracker: Tracker, against: Path | None, step: int | None, output: Path | None) -> None:
    """Hands one audit of a run on, and prints where it is.

    Args:
        run: a run's folder, or one of its audits.
        tracker: to what.
        against: another run or audit of the same questions; None: the run's own base model.
        step: which audit of the run; None: the last.
        output: None: a tracker keeps what it is given.

    Raises:
        UserError: there is no such audit, an output is named, or the tracker does not take it.
    """
    if output is not None:
        raise UserError(f"--format {tracker} writes to the tracker", "Leave --output out")
    audit = find_audit(run, step=step)
    earlier = find_audit(against, like=audit).path if against else None
    Console().print(send(audit, tracker, earlier), markup=False, highlight=False, soft_wrap=True)


def track_fitted(session: Session, audit: AuditFolder) -> None:
    """The last audit of a run that has just been trained, where its training's figures went to a tracker.

    What does not take it costs a warning: the run is whole.
    """
    kind = session.config.logger.kind
    if kind == "wandb" or kind == "mlflow":
        try:
            log.info("%s", send(audit, kind))
        except UserError as error:
            log.warning("%s", error)
