"""Two audits of the same questions: what changed, with intervals paired by question."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialign.audit.agreement import question_measures
from trialign.audit.rows import FACTS, OPINIONS, codes
from trialign.audit.statistics import paired_interval
from trialign.errors import UserError

Change = tuple[float, float, float]


def changes(before: pd.DataFrame, after: pd.DataFrame, groups: Sequence[str]) -> dict[str, Change]:
    """Changes of the measures that are means over questions.

    Args:
        before: items of the first audit, as ``read_items`` gives them.
        after: items of the second.
        groups: the members.

    Returns:
        ``mean``, ``unanimous``, ``flip_rate``, ``consistent_wrong`` (facts) and ``preference`` (tastes), those for
        which there are questions -> (change, lower and upper end of its 95 % interval, by bootstrap over clusters).

    Raises:
        UserError: the audits asked different questions.
    """
    result: dict[str, Change] = {}
    for kinds, measure in ((FACTS, _fact_values), (OPINIONS, _taste_values)):
        tables = [_answers(items, kinds, groups) for items in (before, after)]
        if not tables[0].index.equals(tables[1].index):
            raise UserError(
                "The two audits asked different questions or groups", "Compare audits of the same data and split"
            )
        if len(tables[0]):
            clusters = tables[0]["cluster"].to_numpy()[:: len(groups)]
            old, new = (measure(table, len(groups)) for table in tables)
            result |= {name: paired_interval(old[name], new[name], clusters) for name in old}
    return result


def _answers(items: pd.DataFrame, kinds: Sequence[str], groups: Sequence[str]) -> pd.DataFrame:
    """The members' own answers, first wording, asked once: rows by question, then by group."""
    chosen = items[
        items["kind"].isin(kinds)
        & items["group"].isin(groups)
        & (items["group"] == items["profile_group"])
        & (items[["wording", "turn", "repeat"]] == 0).all(axis=1)
    ]
    first = chosen[chosen["exposure"] == chosen["exposure"].iloc[0]] if len(chosen) else chosen
    return first.set_index(["query_id", "group"]).sort_index()


def _fact_values(table: pd.DataFrame, groups: int) -> dict[str, NDArray[np.float64]]:
    correct = table["correct"].to_numpy(dtype=float).reshape(-1, groups)
    values = {"mean": correct.mean(axis=1)}
    if groups > 1:
        measures = question_measures(codes(table, groups), correct)
        values |= {
            "unanimous": measures["unanimous"],
            "flip_rate": 1 - measures["pair_agreement"],
            "consistent_wrong": measures["consistent_wrong"],
        }
    return values


def _taste_values(table: pd.DataFrame, groups: int) -> dict[str, NDArray[np.float64]]:
    return {"preference": table["reward_preference"].to_numpy(dtype=float).reshape(-1, groups).mean(axis=1)}
