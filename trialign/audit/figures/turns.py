"""What hearing the other groups does to an answer: right to wrong, and wrong to right, turn by turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialign.audit.figures.estimates import Estimate, share_estimates
from trialign.audit.figures.rows import FACTS, aligned, clusters, first_asked, numbers, own_answers
from trialign.groups import Exposure


@dataclass(frozen=True)
class TurnFlips:
    """One turn, one group, against the turn before; facts, first wording, asked once.

    Attributes:
        turn: from 1; in turn 0 every agent answers alone.
        group: whose answers.
        n_questions: questions that went through this turn.
        right_before: share of them answered right in the turn before.
        right_to_wrong: share of all of them that were right and now are wrong.
        wrong_to_right: share of all of them that were wrong and now are right.
    """

    turn: int
    group: str
    n_questions: int
    right_before: Estimate
    right_to_wrong: Estimate
    wrong_to_right: Estimate


def turn_flips(
    items: pd.DataFrame, groups: Sequence[str], exposure: Exposure, *, confidence: float = 0.95, seed: int = 0
) -> tuple[TurnFlips, ...]:
    """Every turn after the first, every group.

    Args:
        items: of one audit, in any order.
        groups: the members.
        exposure: how the profile reached them.
        confidence: of the intervals, by bootstrap over clusters.
        seed: of the resampling.

    Raises:
        UserError: a group lacks an answer, or has it twice.
    """
    turns = sorted(turn for turn in items["turn"].unique().tolist() if turn > 0)
    found = [_turn(items, groups, exposure, turn, confidence, seed) for turn in turns]
    return tuple(entry for entries in found for entry in entries)


def _turn(
    items: pd.DataFrame, groups: Sequence[str], exposure: Exposure, turn: int, confidence: float, seed: int
) -> list[TurnFlips]:
    after = first_asked(own_answers(items, FACTS, exposure, turn))
    if after.empty:
        return []
    before = first_asked(own_answers(items, FACTS, exposure, turn - 1))
    before = before[before["query_id"].isin(after["query_id"])]
    table = aligned(after, groups)
    now = numbers(table, "correct", len(groups))
    then = numbers(aligned(before, groups, queries=after["query_id"]), "correct", len(groups))
    parts = np.concatenate([then, then * (1 - now), (1 - then) * now], axis=1)
    estimates = share_estimates(parts, clusters(table, len(groups)), confidence, seed)
    return [TurnFlips(turn, group, len(now), *estimates[column :: len(groups)]) for column, group in enumerate(groups)]
