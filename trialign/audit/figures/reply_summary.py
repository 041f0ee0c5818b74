"""The section ``replies`` of ``summary.json``: the same questions answered in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from trialign.audit.figures.estimates import Estimate
from trialign.audit.figures.noticed import TRAITS, Noticed


def summarize_replies(
    summary: Mapping[str, Any], items: pd.DataFrame, noticed: Sequence[Noticed], *, max_new_tokens: int, repeats: int
) -> dict[str, Any]:
    """What a summary holds of the replies in words.

    Args:
        summary: of these replies, as ``summarize`` makes one of any audit's rows.
        items: of ``replies.parquet``.
        noticed: of these replies.
        max_new_tokens: longest reply.
        repeats: how often each question was asked in the same words.

    Returns:
        The measures of facts under their names in ``truth``; ``refused`` by group; ``preference``; every trait's mean
        by its key, None where it is not known, and ``noticed`` with groups and intervals.
    """
    truth = dict(summary["truth"])
    del truth["jsd"]  # of probabilities, which replies do not have
    unread = truth["unread"]
    known = {one.key: one for one in noticed}
    shown = items.drop_duplicates("query_id")["options_shown"]
    return {
        **truth,
        "refused": {group: unread[group] and unread[group]["refused"] for group in summary["groups"]},
        **{trait.key: known[trait.key].mean.value if trait.key in known else None for trait in TRAITS},
        "noticed": {
            one.key: {
                "n_questions": one.n_questions,
                "mean": _ends(one.mean),
                "groups": {group: _ends(estimate) for group, estimate in one.groups.items()},
            }
            for one in noticed
        },
        "statuses": summary["statuses"],
        "preference": summary["preference"],
        "form": summary["form"],
        "control": summary["control"],
        "decoding": "greedy" if repeats == 1 else "drawn at temperature 1",
        "asked": repeats,
        "max_new_tokens": max_new_tokens,
        "n_queries": summary["n_queries"],
        "n_clusters": summary["n_clusters"],
        "n_with_options": int((shown != "hidden").sum()),
        "seconds": summary["seconds"],
    }


def _ends(estimate: Estimate) -> list[float | None]:
    return [estimate.value, estimate.low, estimate.high]
