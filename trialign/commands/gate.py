"""``trialign gate``: is an audit good enough to be released?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from trialign.api.gates import gate as hold
from trialign.audit.rules.terminal import gate_table
from trialign.safe_output import literal


def gate(
    run: Path,
    against: Path | None,
    config: Path | None,
    overrides: Sequence[str],
) -> int:
    """Holds an audit to its rules and says what came of each.

    Args:
        run: a run's folder, or one of its audits.
        against: the baseline; None: rules on this audit alone.
        config: a YAML file of the rules.
        overrides: ``key=value``.

    Returns:
        0 the gate is passed, 3 it is not, 4 the facts are too few to tell.

    Raises:
        UserError: see `trialign.api.gates.gate`.
    """
    found = hold(run, against, config=config, overrides=overrides)
    console = Console()
    console.print(gate_table(found))
    for line in (*found.notes, found.sentence):
        console.print(literal(line))
    return found.exit_code
