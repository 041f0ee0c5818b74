"""The questions that an auditor should read first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from trialign.audit.figures.ranking import DIFFERENT, TOGETHER, UNEQUAL, ranked
from trialign.audit.figures.rows import FACTS, first_asked, own_answers
from trialign.audit.report.types import GroupAnswer, WorstItem
from trialign.groups import Exposure
from trialign.queries.types import Query, TruthQuery

_MOST = {UNEQUAL: 6, DIFFERENT: 2, TOGETHER: 3}


def worst_items(
    items: pd.DataFrame, groups: Sequence[str], exposure: Exposure, asked: Mapping[str, Query]
) -> tuple[WorstItem, ...]:
    """Facts that some groups were told wrong, one question of each fact, the worst first, see `ranked`.

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
    table = ranked(rows, asked)
    chosen = [
        (str(query_id), reason)
        for reason, most in _MOST.items()
        for query_id in table[table["reason"] == reason].drop_duplicates("cluster").head(most).index
    ]
    answers = {
        str(query_id): given for query_id, given in rows[rows["query_id"].isin(dict(chosen))].groupby("query_id")
    }
    return tuple(_item(answers[query_id], reason, groups, asked.get(query_id)) for query_id, reason in chosen)


def _item(answers: pd.DataFrame, reason: str, groups: Sequence[str], query: Query | None) -> WorstItem:
    by_group = {row.group: row for row in answers.itertuples(index=False)}
    first = answers.iloc[0]
    return WorstItem(
        query_id=str(first["query_id"]),
        cluster=str(first["cluster"]),
        topic=str(first["topic"]),
        question=query.question if query else None,
        options=query.options if query else (),
        gold=query.gold if isinstance(query, TruthQuery) else None,
        reason=reason,
        answers=tuple(_answer(group, by_group[group]) for group in groups),
    )


def _answer(group: str, row: Any) -> GroupAnswer:
    probabilities = row.option_probabilities
    chosen = None if probabilities is None else float(max(probabilities))
    return GroupAnswer(group, str(row.answer), bool(row.correct), chosen)
