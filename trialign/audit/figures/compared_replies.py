"""The replies of an audit held against each other by what they say: flips as a comparer counts them, and corrected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from trialign.audit.figures.corrected import Corrected, compared_flips
from trialign.audit.figures.estimates import Estimate
from trialign.audit.figures.rows import FACTS, aligned, clusters, own_answers, shared
from trialign.comparing.compare import flip_matrix
from trialign.comparing.opening import Comparer
from trialign.comparing.pairs import NOTHING_SAID
from trialign.groups import Exposure
from trialign.queries.types import Query

_NOTHING_COMPARED = "No question has replies of two groups that say anything."


def compared_replies(
    comparer: Comparer,
    queries: Sequence[Query],
    items: pd.DataFrame,
    groups: Sequence[str],
    *,
    exposure: Exposure,
    confidence: float = 0.95,
) -> dict[str, Any] | None:
    """What a summary holds of replies to facts that were compared; None with one group, or without facts.

    Args:
        comparer: with its calibration.
        queries: the questions.
        items: of replies in words.
        groups: the members.
        exposure: how the profile reached them.
        confidence: of the intervals.

    Returns:
        ``comparer``; ``sensitivity`` and ``specificity`` with their intervals; ``flips``, ``within`` and ``excess``,
        each ``raw`` and ``corrected`` as [value, low, high]; ``told``: pairs by what told; ``n_questions``, ``note``.
    """
    rows = own_answers(items, FACTS, exposure)
    rows = rows[rows["group"].isin(groups)]
    if rows.empty or len(groups) < 2:
        return None
    wordings, repeats = shared(rows, "wording"), shared(rows, "repeat")
    width = len(groups) * wordings * repeats
    table = aligned(rows, groups, wordings=wordings, repeats=repeats)
    said = np.where(table["parse_status"].isin(NOTHING_SAID), "", table["answer"].fillna("")).reshape(-1, width)
    by_id = {query.query_id: query for query in queries}
    asked = [by_id[name] for name in table["query_id"].to_numpy(dtype=object)[::width]]
    flips, told = flip_matrix(asked, said.tolist(), nli=comparer.nli, judge=comparer.judge)
    known = comparer.calibration
    about = {
        "comparer": known.comparer,
        "sensitivity": [known.sensitivity.value, *known.sensitivity.interval(confidence)],
        "specificity": [known.specificity.value, *known.specificity.interval(confidence)],
        "told": told,
    }
    of_group, of_wording, _ = np.indices((len(groups), wordings, repeats)).reshape(3, -1)
    places = (of_group.tolist(), of_wording.tolist(), clusters(table, width))
    found = compared_flips(flips, *places, known, confidence=confidence)
    if found is None:
        return {**about, **dict.fromkeys(("flips", "within", "excess")), "n_questions": 0, "note": _NOTHING_COMPARED}
    return {
        **about,
        "flips": _both(found.across),
        "within": _both(found.within),
        "excess": _both(found.excess),
        "n_questions": found.n_questions,
        "note": found.note,
    }


def _both(figure: Corrected | None) -> dict[str, list[float | None]] | None:
    return {"raw": _ends(figure.raw), "corrected": _ends(figure.corrected)} if figure else None


def _ends(one: Estimate) -> list[float | None]:
    return [one.value, one.low, one.high]
