"""``trialign validate`` and ``trialign test``: one audit of the base model or of a checkpoint."""

from __future__ import annotations

from typing import Literal

from rich.console import Console

from trialign import distributed
from trialign.audit.summary import read_summary
from trialign.audit.table import before_after_table
from trialign.commands.session import Session


def audit(session: Session, split: Literal["validation", "test"], *, trained: bool, step: int | None) -> None:
    """Audits one split and prints it, beside the base model's audit where there is one.

    Args:
        session: the run, or a configuration without one.
        split: the tuning or the held-out questions.
        trained: audit the run's agents; otherwise the base model.
        step: which checkpoint; None: the last.

    Raises:
        UserError: a run of this name exists with another configuration, or has no such checkpoint.
    """
    session.check()
    session.require_split(split)
    if not trained:
        # An audit of the base model is filed under the run's name: not under that of another configuration.
        session.run.status(session.composed)
    checkpoint = session.load_agents(step) if trained else None
    after = session.audit(split, checkpoint)
    if distributed.rank() != 0:
        return
    base = session.run.audit(0, session.config.data.name, split) / "summary.json"
    before = read_summary(base) if checkpoint and base.is_file() else after
    Console().print(before_after_table(session.config.name, before, after))
    folder = session.run.audit(after["step"], session.config.data.name, split)
    Console().print(f"Audit: {folder}", markup=False, highlight=False, soft_wrap=True)
