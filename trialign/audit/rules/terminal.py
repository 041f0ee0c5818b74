"""A gate's outcome for people at a terminal."""

from __future__ import annotations

from rich.table import Table

from trialign.audit.rules.result import GateResult
from trialign.audit.rules.words import SIGNS, WORDS
from trialign.safe_output import literal


def gate_table(result: GateResult) -> Table:
    """One row a rule."""
    against = f", against {result.against}" if result.against else ""
    title = literal(f"Gate of {result.audit}{against} (alpha {result.alpha:g})")
    table = Table(title=title, title_justify="left")
    for name in ("", "rule", "", "what was seen"):
        table.add_column(name, overflow="fold")
    for one in result.rules:
        table.add_row(SIGNS[one.outcome], literal(one.name), WORDS[one.outcome], literal(one.sentence))
    return table
