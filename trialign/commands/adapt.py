"""``trialign adapt``: what it prints."""

from __future__ import annotations

import math
from pathlib import Path

from rich.console import Console
from rich.table import Table

from trialign.api import adapting
from trialign.api.adapting import Adapted
from trialign.api.session import Session
from trialign.audit.report.terminal import audit_table
from trialign.commands.audit import print_verdict
from trialign.safe_output import literal


def adapt(session: Session, groups: Path, data: Path | None, *, step: int | None, name: str | None) -> None:
    """Adds groups to a run's agents and prints what was learned, and the audit of all groups.

    Raises:
        UserError: see `trialign.api.adapting.adapt`.
    """
    made = adapting.adapt(session, groups, data, step=step, name=name)
    console = Console()
    console.print(learned(made), markup=False, highlight=False)
    console.print(adapted_table(made))
    if made.audit is None:
        console.print("Nobody was audited: the run has trainer.audits=false.", markup=False, highlight=False)
    else:
        console.print(audit_table(made.folder.name, made.audit.summary))
        print_verdict("All groups, on facts", made.audit)
    console.print(
        f"Agents: {made.folder}\n"
        f'Ask them: trialign ask "Is the Earth flat?" --option Yes --option No --run {made.folder}',
        soft_wrap=True,
        markup=False,
        highlight=False,
    )


def learned(made: Adapted) -> str:
    """What the new groups were learned from, and how well."""
    if made.before is None or made.after is None:
        said = "what the run learned of their attributes" if made.mapped else "0, the agent of an unknown group"
        return f"The new groups answered no question: z = {said}."
    return (
        f"Learned from {made.questions} answered questions in {made.seconds:.1f} s; surprise at the answers, in nats a "
        f"question: {made.before:.3f} before, {made.after:.3f} after."
    )


def adapted_table(made: Adapted) -> Table:
    """A row for each new group."""
    table = Table()
    table.add_column("group")
    table.add_column("|z|", justify="right")
    for group, z in made.z.items():
        table.add_row(literal(group), f"{math.hypot(*z):.2f}")
    return table
