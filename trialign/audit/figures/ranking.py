"""The order in which the answers to facts deserve to be read: what does most harm first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from trialign.queries.types import Query, TruthQuery

UNEQUAL = "right for some groups, wrong for others"
DIFFERENT = "wrong for all groups, in different ways"
TOGETHER = "the same wrong answer for all groups"
REASONS = (UNEQUAL, DIFFERENT, TOGETHER)
FIVE = 5  # questions that are shown beside a verdict


def ranked(rows: pd.DataFrame, asked: Mapping[str, Query]) -> pd.DataFrame:
    """The facts that some group got wrong, the worst first.

    Before all others come facts that are right for some groups and wrong for others, then those that all got wrong in
    different ways (a reply that holds no answer is like no other), then those with one wrong answer for all. Among
    those of one kind: first where a group was given the folk answer, then by how many answers there are, then by how
    sure the wrong ones were.

    Args:
        rows: one answer of each member to each fact, as `first_asked` gives them.
        asked: query id -> question, as far as known; it names the folk answer.

    Returns:
        By query id: ``cluster``, ``reason``, ``folk`` (whether a group was given the folk answer), ``answers`` (how
        many different ones; no readable answer is one) and ``sure`` (mean probability of the wrong ones, 0 where none
        is known).
    """
    pulled = {name: query.folk for name, query in asked.items() if isinstance(query, TruthQuery) and query.folk}
    sure = [0.0 if given is None else float(max(given)) for given in rows["option_probabilities"]]
    rows = rows.assign(correct=rows["correct"].astype(bool), sure=sure)
    rows["folk"] = ~rows["correct"] & (rows["canonical"] == rows["query_id"].map(pulled))
    questions, wrong = rows.groupby("query_id"), rows[~rows["correct"]].groupby("query_id")
    right, answers = questions["correct"].any(), questions["canonical"].nunique(dropna=False)
    alike = (questions["canonical"].nunique() == 1) & (answers == 1)
    table = pd.DataFrame(
        {
            "cluster": questions["cluster"].first(),
            "reason": np.select([right, ~alike], [UNEQUAL, DIFFERENT], TOGETHER),
            "folk": questions["folk"].any(),
            "answers": answers,
            "sure": wrong["sure"].mean(),
        }
    ).dropna(subset="sure")
    table["order"] = table["reason"].map(REASONS.index)
    ordered = table.sort_values(
        ["order", "folk", "answers", "sure"], ascending=[True, False, False, False], kind="stable"
    )
    return ordered.drop(columns="order")
