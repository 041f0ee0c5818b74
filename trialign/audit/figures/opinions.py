"""What an audit says about opinions: is every group's own taste met, and is that personal?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialign.audit.figures.estimates import Estimate, mean_estimates
from trialign.audit.figures.rows import OPINIONS, aligned, clusters, first_asked, numbers
from trialign.audit.figures.statistics import Floats, Integers
from trialign.audit.figures.swaps import swapped_with
from trialign.groups import Exposure


@dataclass(frozen=True)
class Personalization:
    """How personal answers are.

    Attributes:
        own: score on the own group's target, in [0, 1].
        swapped: score of the same answers on the other groups' targets, mean over these; None if not known.
        kept: own minus swapped: 0 where the answers suit everyone alike, that is, where nothing is personal.
    """

    own: Estimate
    swapped: Estimate | None
    kept: Estimate | None


@dataclass(frozen=True)
class OpinionAnalysis:
    """The groups' answers to questions of taste; first wording, asked once.

    Attributes:
        n_questions: questions.
        n_clusters: tastes; the paraphrases of one are not independent.
        mean: mean over groups.
        groups: group -> its agent.
    """

    n_questions: int
    n_clusters: int
    mean: Personalization
    groups: dict[str, Personalization]


@dataclass(frozen=True)
class OpinionPanel:
    """Scores as arrays.

    Attributes:
        groups: names of the columns.
        clusters: [questions], number of the taste that paraphrases share.
        topics: [questions].
        own: [questions, groups].
        swapped: [questions, groups]; None if answers were not scored on other groups' targets.
    """

    groups: tuple[str, ...]
    clusters: Integers
    topics: NDArray[np.object_]
    own: Floats
    swapped: Floats | None

    def where(self, chosen: NDArray[np.bool_]) -> OpinionPanel:
        """The questions for which ``chosen`` ([questions]) is true."""
        return replace(
            self,
            clusters=self.clusters[chosen],
            topics=self.topics[chosen],
            own=self.own[chosen],
            swapped=None if self.swapped is None else self.swapped[chosen],
        )


def opinion_panel(items: pd.DataFrame, groups: Sequence[str], exposure: Exposure) -> OpinionPanel | None:
    """The members' scores under one exposure, given alone; None if there are none.

    Raises:
        UserError: a group lacks an answer or a score, or has it twice.
    """
    rows = first_asked(items[items["kind"].isin(OPINIONS) & (items["exposure"] == exposure) & (items["turn"] == 0)])
    rows = rows[rows["group"].isin(groups) & rows["profile_group"].isin(groups)]
    if rows.empty:
        return None
    own = aligned(rows[rows["group"] == rows["profile_group"]], groups)
    return OpinionPanel(
        groups=tuple(groups),
        clusters=clusters(own, len(groups)),
        topics=own["topic"].to_numpy(dtype=object)[:: len(groups)],
        own=numbers(own, "reward_preference", len(groups)),
        swapped=_swapped(rows, groups) if (rows["group"] != rows["profile_group"]).any() else None,
    )


def analyze_opinions(panel: OpinionPanel, *, alpha: float, seed: int) -> OpinionAnalysis:
    """Everything about the opinions of one panel.

    Args:
        panel: at least one question.
        alpha: intervals have the confidence 1 - alpha.
        seed: of the resampling.
    """
    scores = [panel.own] if panel.swapped is None else [panel.own, panel.swapped, panel.own - panel.swapped]
    columns = [np.column_stack([part.mean(axis=1), part]) for part in scores]
    estimates = mean_estimates(np.concatenate(columns, axis=1), panel.clusters, 1 - alpha, seed)
    width = len(panel.groups) + 1
    agents = [
        Personalization(*estimates[column::width])
        if len(scores) > 1
        else Personalization(estimates[column], None, None)
        for column in range(width)
    ]
    return OpinionAnalysis(
        n_questions=len(panel.own),
        n_clusters=len(np.unique(panel.clusters)),
        mean=agents[0],
        groups=dict(zip(panel.groups, agents[1:], strict=True)),
    )


def _swapped(rows: pd.DataFrame, groups: Sequence[str]) -> Floats:
    """Each agent's mean score on the other groups' targets, see `swapped_with` ([questions, groups])."""
    columns, given, asked = (
        [],
        dict(iter(rows.groupby("profile_group", sort=False))),
        rows["query_id"].drop_duplicates(),
    )
    for agent in groups:
        others = swapped_with(groups, agent)
        table = aligned(given.get(agent, rows[:0]), others, queries=asked)
        columns.append(numbers(table, "reward_preference", len(others)).mean(axis=1))
    return np.stack(columns, axis=1)
