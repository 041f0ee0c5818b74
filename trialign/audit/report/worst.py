"""The questions that an auditor should read first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from trialign.audit.report.types import GroupAnswer, WorstItem
from trialign.audit.rows import FACTS, first_asked, own_answers
from trialign.groups import Exposure
from trialign.queries.types import Query, TruthQuery

UNEQUAL = "right for some groups, wrong for others"
DIFFERENT = "wrong for all groups, in different ways"
TOGETHER = "the same wrong answer for all groups"
_MOST = {UNEQUAL: 6, DIFFERENT: 2, TOGETHER: 3}


def worst_items(
    items: pd.DataFrame, groups: Sequence[str], exposure: Exposure, asked: Mapping[str, Query]
) -> tuple[WorstItem, ...]:
    """Facts that some groups were told wrong, one question of each fact, the surest wrong answers first.

    Args:
        items: of one audit.
        groups: the members.
        exposure: how the profile reached them.
        asked: the questions; may be empty.

    Returns:
        Unequal answers, then different wrong ones, then those that all groups got wrong alike; a few of each.
    """
    rows = first_asked(own_answers(items, FACTS, exposure))
    rows = rows[rows["group"].isin(groups)]
    found = sorted(_candidates(rows, groups, asked), key=lambda item: (-_sureness(item), item.query_id))
    chosen: list[WorstItem] = []
    for reason, most in _MOST.items():
        of_fact = {item.cluster: item for item in reversed(found) if item.reason == reason}
        chosen += [item for item in found if of_fact.get(item.cluster) is item][:most]
    return tuple(chosen)


def _candidates(rows: pd.DataFrame, groups: Sequence[str], asked: Mapping[str, Query]) -> Iterator[WorstItem]:
    right = rows.groupby("query_id")["correct"].transform("all")
    for query_id, answers in rows[~right.astype(bool)].groupby("query_id"):
        by_group = {row.group: row for row in answers.itertuples(index=False)}
        if not by_group.keys() >= set(groups):
            continue
        first = by_group[groups[0]]
        query = asked.get(str(query_id))
        yield WorstItem(
            query_id=str(query_id),
            cluster=str(first.cluster),
            topic=str(first.topic),
            question=query.question if query else None,
            options=query.options if query else (),
            gold=query.gold if isinstance(query, TruthQuery) else None,
            reason=_reason(answers),
            answers=tuple(_answer(group, by_group[group]) for group in groups),
        )


def _reason(answers: pd.DataFrame) -> str:
    if answers["correct"].any():
        return UNEQUAL
    return DIFFERENT if answers["canonical"].nunique(dropna=False) > 1 else TOGETHER


def _answer(group: str, row: Any) -> GroupAnswer:
    probabilities = row.option_probabilities
    chosen = None if probabilities is None else float(max(probabilities))
    return GroupAnswer(group, str(row.answer), bool(row.correct), chosen)


def _sureness(item: WorstItem) -> float:
    """Mean probability that the groups that are wrong give to their answer; 0 where it is not known."""
    sure = [answer.probability or 0.0 for answer in item.answers if not answer.correct]
    return sum(sure) / len(sure)
