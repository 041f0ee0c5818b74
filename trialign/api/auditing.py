"""One audit, of the base model or of a checkpoint."""

from __future__ import annotations

from typing import Literal

from trialign.api.audit_files import about_model, run_audit
from trialign.api.pressing import check_pressure
from trialign.api.results import Audit
from trialign.api.session import Session
from trialign.audit.figures.summary import read_summary
from trialign.errors import UserError
from trialign.runs import SUMMARY, is_whole_audit

Audited = Literal["validation", "test"]


def check_audit(session: Session, split: Audited, *, trained: bool) -> None:
    """Everything that can be wrong with an audit before weights are loaded.

    Raises:
        UserError: the configuration is at fault, or a run of this name exists with another one.
    """
    session.require_split(split)
    if not trained:
        # An audit of the base model is filed under the run's name: not under that of another configuration.
        _ = session.status
    session.check_audit()
    check_pressure(session, split)
    if not trained:
        _refuse_other_model(session, split)


def audit(session: Session, split: Audited, *, trained: bool, step: int | None) -> Audit:
    """Audits one split.

    Args:
        session: the run, or a configuration without one.
        split: the tuning or the held-out questions.
        trained: audit the run's agents; otherwise the base model.
        step: which checkpoint; None: the last.

    Raises:
        UserError: a run of this name exists with another configuration, or has no such checkpoint.
    """
    check_audit(session, split, trained=trained)
    instructed = trained and not session.has_agents
    if instructed and step is not None:
        raise UserError(
            f"--step was given, and objective={session.config.objective.name} trains no agents", "Leave --step out"
        )
    if not trained:
        session.renew_policy()  # an adapter that was loaded or trained before is not the base model
    checkpoint = session.load_agents(step) if trained and session.has_agents else None
    made = run_audit(session, split, checkpoint, instructed=instructed)
    return Audit(session.run.audit(made["step"], session.config.data.name, split))


def _refuse_other_model(session: Session, split: Audited) -> None:
    """An audit made again takes the place of the old one, but not of one of another model."""
    folder = session.run.audit(0, session.config.data.name, split)
    if not is_whole_audit(folder):
        return
    audited, now = read_summary(folder / SUMMARY).get("model"), about_model(session)
    if audited is not None and audited != now:
        raise UserError(
            f"The audit in {folder} is of another model ({audited.get('name')}, or asked otherwise)",
            "Choose another name=... for this one",
        )
