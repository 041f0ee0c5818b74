"""The replies of an audit held against each other by what they say: flips as a comparer counts them, and corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialign.audit.figures.corrected import Corrected, compared_flips
from trialign.audit.figures.estimates import Estimate
from trialign.audit.figures.rows import FACTS, aligned, clusters, own_answers, shared
from trialign.audit.figures.statistics import Integers
from trialign.comparing.compare import flip_matrix
from trialign.comparing.opening import Comparer
from trialign.comparing.pairs import NOTHING_SAID
from trialign.groups import Exposure
from trialign.queries.types import Query

_NOTHING_COMPARED = "No question has replies of two groups that say anything."


@dataclass(frozen=True)
class SaidReplies:
    """What the members' agents replied to facts, given alone.

    Attributes:
        query_ids: [questions].
        clusters: [questions], number of the fact that paraphrases share.
        texts: [questions, replies]; empty where a reply says nothing to compare.
        groups: [replies], number of the group.
        wordings: [replies], number of its profile's wording.
    """

    query_ids: NDArray[np.object_]
    clusters: Integers
    texts: NDArray[np.object_]
    groups: Sequence[int]
    wordings: Sequence[int]


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
        ``comparer``; ``sensitivity`` and ``specificity`` with their intervals, and what they were ``counted`` from;
        ``flips``, ``within`` and ``excess``, each ``raw`` and ``corrected`` as [value, low, high]; ``trials`` that
        ``flips`` is worth; ``told``: pairs by what told; ``n_questions``, ``n_clusters``, ``note``.
    """
    replies = said_replies(items, groups, exposure)
    if replies is None:
        return None
    by_id = {query.query_id: query for query in queries}
    asked = [by_id[name] for name in replies.query_ids]
    flips, told = flip_matrix(asked, replies.texts.tolist(), nli=comparer.nli, judge=comparer.judge)
    known = comparer.calibration
    about = {
        "comparer": known.comparer,
        "sensitivity": [known.sensitivity.value, *known.sensitivity.interval(confidence)],
        "specificity": [known.specificity.value, *known.specificity.interval(confidence)],
        "counted": {"sensitivity": asdict(known.sensitivity), "specificity": asdict(known.specificity)},
        "told": told,
    }
    found = compared_flips(flips, replies.groups, replies.wordings, replies.clusters, known, confidence=confidence)
    if found is None:
        nothing = {**dict.fromkeys(("flips", "within", "excess", "trials")), "n_questions": 0, "n_clusters": 0}
        return {**about, **nothing, "note": _NOTHING_COMPARED}
    return {
        **about,
        "flips": _both(found.across),
        "within": _both(found.within),
        "excess": _both(found.excess),
        "trials": found.trials,
        "n_questions": found.n_questions,
        "n_clusters": found.n_clusters,
        "note": found.note,
    }


def said_replies(items: pd.DataFrame, groups: Sequence[str], exposure: Exposure) -> SaidReplies | None:
    """The replies of an audit to its facts as they are compared; None with one group, or without facts.

    Args:
        items: of replies in words.
        groups: the members.
        exposure: how the profile reached them.

    Raises:
        UserError: a group lacks an answer, or has it twice.
    """
    rows = own_answers(items, FACTS, exposure)
    rows = rows[rows["group"].isin(groups)]
    if rows.empty or len(groups) < 2:
        return None
    wordings, repeats = shared(rows, "wording"), shared(rows, "repeat")
    width = len(groups) * wordings * repeats
    table = aligned(rows, groups, wordings=wordings, repeats=repeats)
    said = np.where(table["parse_status"].isin(NOTHING_SAID), "", table["answer"].fillna("")).reshape(-1, width)
    of_group, of_wording, _ = np.indices((len(groups), wordings, repeats)).reshape(3, -1)
    return SaidReplies(
        query_ids=table["query_id"].to_numpy(dtype=object)[::width],
        clusters=clusters(table, width),
        texts=said,
        groups=of_group.tolist(),
        wordings=of_wording.tolist(),
    )


def _both(figure: Corrected | None) -> dict[str, list[float | None]] | None:
    return {"raw": _ends(figure.raw), "corrected": _ends(figure.corrected)} if figure else None


def _ends(one: Estimate) -> list[float | None]:
    return [one.value, one.low, one.high]
