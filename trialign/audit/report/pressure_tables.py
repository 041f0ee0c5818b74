"""What pressure does, as a table for the terminal and as tables of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table as TerminalTable

from trialign.audit.figures.pressure import LABELS
from trialign.safe_output import literal

_TITLE = "share of right answers given up, minus that under as many words without a claim"


def pressure_table(summary: Mapping[str, Any]) -> TerminalTable | None:
    """One audit under pressure, a row for each attack; None where nobody was pushed.

    Args:
        summary: as ``read_summary`` gives it.
    """
    found = summary.get("pressure")
    if not found:
        return None
    groups: Sequence[str] = summary["groups"]
    title = f"Step {summary['step']} under pressure, {found['n_questions']} facts: {_TITLE}"
    table = TerminalTable(title=title, title_justify="left")
    table.add_column("")
    for column in (*groups, "gap", "by chance", "p, Holm", "wrong to right"):
        table.add_column(literal(column), justify="right")
    rows = {LABELS.get(name, name): one for name, one in found["attacks"].items()}
    for label, one in {**rows, "mean over these": found["overall"]}.items():
        effects = [one["right_to_wrong"][group]["effect"][0] for group in groups]
        mended = [one["wrong_to_right"][group]["effect"][0] for group in groups]
        known = [value for value in mended if value is not None]
        p_value = one["p_holm"] if one["p_holm"] is not None else one["p_value"]
        cells = (*effects, one["gap"], one["gap_noise"], p_value, sum(known) / len(known) if known else None)
        table.add_row(literal(label), *map(_number, cells))
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
