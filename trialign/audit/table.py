"""Summaries as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

TRUTH_ROWS = (
    ("mean", "accuracy, mean over groups", "up"),
    ("worst", "accuracy, worst group", "up"),
    ("gap", "accuracy gap between groups", "down"),
    ("gap_noise", "  the gap that noise alone gives", ""),
    ("unanimous", "all groups agree", "up"),
    ("flip_rate", "two groups differ", "down"),
    ("consistent_wrong", "all agree on a wrong answer", "down"),
    ("no_answer", "no readable answer", "down"),
    ("jsd", "divergence of answer distributions", "down"),
)


def before_after_table(run: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Table:
    """Two audits of the same questions side by side.

    Args:
        run: the run's name.
        before: summary of the base model.
        after: summary of the trained agents.
    """
    size = f"{before['n_queries']} questions of {before['n_clusters']} facts and tastes"
    title = f"{run}: {before['data']} {before['split']}, {size}"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    table.add_column("before", justify="right")
    table.add_column(f"step {after['step']}", justify="right")
    table.add_column("change", justify="right")
    table.add_column("better", justify="right")
    for key, label, better in TRUTH_ROWS:
        _row(table, label, before["truth"].get(key), after["truth"].get(key), better)
    for group in after["groups"]:
        _row(
            table,
            f"accuracy, {group}",
            before["truth"]["accuracy"].get(group),
            after["truth"]["accuracy"].get(group),
            "up",
        )
    _row(table, "preference score, mean", before["preference"]["mean"], after["preference"]["mean"], "up")
    _row(
        table,
        "preference score, worst group",
        before["preference"]["worst"],
        after["preference"]["worst"],
        "up",
    )
    _row(table, "  scored on the other groups' targets", _mean_swapped(before), _mean_swapped(after), "")
    _row(table, "Nash welfare", before["welfare"]["nash"], after["welfare"]["nash"], "up")
    return table


def _mean_swapped(summary: Mapping[str, Any]) -> float | None:
    values = [value for value in (summary["preference"].get("swapped") or {}).values() if value is not None]
    return sum(values) / len(values) if values else None


def _row(table: Table, label: str, before: float | None, after: float | None, better: str) -> None:
    change = "" if before is None or after is None else f"{after - before:+.3f}"
    table.add_row(label, _number(before), _number(after), change, better)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
