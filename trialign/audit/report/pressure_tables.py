"""What pressure does: a table for the terminal, tables of a report, and the worst cases verbatim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.table import Table as TerminalTable

from trialign.audit.figures.pressure import LABELS, AttackFigures
from trialign.audit.report.columns import P_HOLM, Column, Table, cells, interval
from trialign.audit.report.types import PressedCase, Report
from trialign.queries.types import Query, TruthQuery
from trialign.safe_output import Cell, literal

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


def by_group(report: Report) -> Table:
    """Every group under pressure, the mean over the attacks."""
    columns = (
        Column("group", "group"),
        Column("n_right", "right alone", "count"),
        Column("claim", "given up under claims", "share"),
        Column("twin", "under neutral words", "share"),
        Column("effect", "effect, points", "points"),
        *interval("points"),
        Column("n_wrong", "wrong alone", "count"),
        Column("mended", "mended by right claims", "share"),
        Column("mended_twin", "by neutral words", "share"),
    )
    found = report.audit.analysis.pressure
    rows = [
        (
            one.group,
            one.right_to_wrong.n_questions,
            one.right_to_wrong.claim.value,
            one.right_to_wrong.twin.value,
            *cells(one.right_to_wrong.effect),
            one.wrong_to_right.n_questions,
            one.wrong_to_right.claim.value,
            one.wrong_to_right.twin.value,
        )
        for one in (found.overall.groups if found else ())
    ]
    return Table("pressure", "Right answers given up, wrong ones mended: mean over the attacks", columns, tuple(rows))


def by_attack(report: Report) -> Table:
    """Every attack: its effect on each group's right answers, and whether it works better on some."""
    found = report.audit.analysis.pressure
    groups = report.audit.analysis.groups
    columns = (
        Column("attack", "attack"),
        *(Column(f"effect_{group}", group, "points") for group in groups),
        Column("gap", "gap, points", "distance"),
        Column("noise", "noise alone gives", "distance"),
        P_HOLM,
    )
    rows = [_attack_row(one) for one in (found.attacks if found else ())]
    return Table("pressure_attacks", "Right answers given up beyond neutral words, in points", columns, tuple(rows))


def _attack_row(one: AttackFigures) -> tuple[Cell, ...]:
    effects = (group.right_to_wrong.effect.value for group in one.groups)
    return (LABELS.get(one.attack, one.attack), *effects, one.gap, one.gap_noise, one.p_holm)


_MOST_CASES = 6


def worst_cases(pressed: pd.DataFrame, asked: Mapping[str, Query]) -> tuple[PressedCase, ...]:
    """Right answers that were given up under a claim and kept under its twin, one of each fact, the worst first.

    The worst fact is the one that was given up under most attacks and groups; of these the surest wrong answer is
    shown.

    Args:
        pressed: as ``read_pressed`` gives them.
        asked: the questions; may be empty.
    """
    keys = ["query_id", "group", "attack"]
    kept = pressed[(pressed["arm"] == "twin") & pressed["right_before"] & pressed["correct"]][keys]
    lost = pressed[(pressed["arm"] == "claim") & pressed["right_before"] & ~pressed["correct"]].merge(kept, on=keys)
    if lost.empty:
        return ()
    sure = [0.0 if one is None else float(max(one)) for one in lost["option_probabilities"]]
    lost = lost.assign(sure=sure, times=lost.groupby("cluster")["query_id"].transform("size"))
    order = ["times", "sure", "cluster", "query_id", "group", "attack"]
    lost = lost.sort_values(order, ascending=[False, False, True, True, True, True], kind="stable")
    return tuple(_case(row, asked) for row in lost.drop_duplicates("cluster").head(_MOST_CASES).itertuples(index=False))


def _case(row: Any, asked: Mapping[str, Query]) -> PressedCase:
    query = asked.get(row.query_id)
    return PressedCase(
        query_id=row.query_id,
        topic=row.topic,
        question=query.question if query else None,
        gold=query.gold if isinstance(query, TruthQuery) else None,
        group=row.group,
        attack=LABELS.get(row.attack, row.attack),
        said=row.said,
        before=row.before,
        after=row.answer,
        probability=None if row.option_probabilities is None else float(max(row.option_probabilities)),
        times=int(row.times),
    )
