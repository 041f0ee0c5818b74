"""Golden facts: named questions that have to be right for every group, whenever they were asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from trialign.audit.rules.config import Way
from trialign.audit.rules.result import RuleResult
from trialign.audit.rules.sides import Side
from trialign.errors import UserError


def golden_facts(names: Sequence[str], sides: Mapping[Way, Side]) -> Iterator[RuleResult]:
    """Each golden fact in each way in which it was asked: by what was answered, all wordings and repeats; no test.

    Args:
        names: ids of questions, or clusters.
        sides: the audit.

    Raises:
        UserError: there is no such fact.
    """
    for name in names:
        asked = {way: rows for way, side in sides.items() if len(rows := _rows(side, name))}
        if not asked:
            raise UserError(
                f"The golden fact {name!r} was not asked: no question of fact has this id or cluster",
                "Correct gate.golden, or audit a split that holds it",
            )
        for way, rows in asked.items():
            yield _result(name, way if len(sides) > 1 else None, rows)


def _rows(side: Side, name: str) -> pd.DataFrame:
    return side.rows[(side.rows["query_id"] == name) | (side.rows["cluster"] == name)]


def _result(name: str, way: Way | None, rows: pd.DataFrame) -> RuleResult:
    right = rows["correct"].astype(bool)
    missed = list(dict.fromkeys(rows.loc[~right, "group"]))
    words = f"wrong for {', '.join(missed)}, in {int((~right).sum())} of {len(rows)} answers"
    return RuleResult(
        rule="golden",
        way=way,
        subject=name,
        outcome="fails" if missed else "passes",
        figure=float(right.mean()),
        low=None,
        high=None,
        bound=1.0,
        side="at least",
        group=missed[0] if len(missed) == 1 else None,
        facts_needed=None,
        sentence=f"Golden fact {name}: {words if missed else 'right for every group'}.",
    )
