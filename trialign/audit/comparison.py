"""Two audits of the same questions: what changed, with intervals paired by question."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialign.audit.statistics import answer_codes, paired_interval
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
    for kinds, measure in ((("truth", "mixed"), _fact_values), (("preference",), _taste_values)):
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
        codes = answer_codes(table["canonical"].to_numpy(dtype=object).reshape(-1, groups))
        pairs = list(combinations(range(groups), 2))
        # An answer that could not be read (-1) agrees with nothing.
        differ = np.stack([(codes[:, i] != codes[:, j]) | (codes[:, i] < 0) for i, j in pairs], axis=1)
        unanimous = ~differ.any(axis=1)
        values |= {
            "unanimous": unanimous.astype(float),
            "flip_rate": differ.mean(axis=1),
            "consistent_wrong": (unanimous & (correct[:, 0] == 0)).astype(float),
        }
    return values


def _taste_values(table: pd.DataFrame, groups: int) -> dict[str, NDArray[np.float64]]:
    return {"preference": table["reward_preference"].to_numpy(dtype=float).reshape(-1, groups).mean(axis=1)}
