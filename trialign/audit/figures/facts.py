"""What an audit says about facts: accuracy, gap, pairs, agreement, and how the replies were read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialign.audit.figures.agreement import Kappa, kappas
from trialign.audit.figures.estimates import Estimate, share_estimates
from trialign.audit.figures.flips import ExcessFlips, flips_of
from trialign.audit.figures.lengths import ByLength
from trialign.audit.figures.measures import question_measures
from trialign.audit.figures.pairs import PairComparison, with_differing
from trialign.audit.figures.panel import Panel
from trialign.audit.figures.parts import Evidence, Gap
from trialign.audit.figures.replies import GroupReplies, group_replies
from trialign.audit.figures.statistics import divergences


@dataclass(frozen=True)
class FactAnalysis:
    """The groups' answers to the same facts; first wording, asked once, unless stated otherwise.

    What compares groups is None, or empty, with a single group.

    Attributes:
        n_questions: questions.
        n_clusters: facts; the paraphrases of one are not independent.
        accuracy: group -> share of right answers.
        mean: accuracy, mean over groups.
        chance: accuracy of guessing on the questions with options, mean of 1 / options; None without any.
        n_choices: questions with options, as far as they are known.
        replies: group -> how its replies were read, and its accuracy at both extremes.
        gap: the largest difference, beside what chance gives.
        pairs: every pair of groups; of very many the worst, see ``pairs.compare_pairs`` and ``n_pairs``.
        unanimous: share of questions on which all groups give the same answer.
        pair_agreement: share of (question, pair of groups) with the same answer; 1 minus the flip rate.
        right_for_all: share of questions that every group gets right.
        consistent_wrong: share on which all groups give the same wrong answer.
        no_answer: share of replies that hold no answer.
        divergence: mean generalised Jensen-Shannon divergence of the groups' answer distributions, in [0, 1]; None
            where they are not known.
        kappas: agreement beyond chance, by number of options.
        excess_flips: all wordings and repeats: flips across groups beyond those across wordings.
        by_length: how far answers to choices go by the options' length; None where that is not known.
    """

    n_questions: int
    n_clusters: int
    accuracy: dict[str, Estimate]
    mean: Estimate
    chance: float | None
    n_choices: int
    replies: dict[str, GroupReplies]
    gap: Gap | None
    pairs: tuple[PairComparison, ...]
    unanimous: Estimate | None
    pair_agreement: Estimate | None
    right_for_all: Estimate
    consistent_wrong: Estimate | None
    no_answer: Estimate
    divergence: Estimate | None
    kappas: tuple[Kappa, ...]
    excess_flips: ExcessFlips | None
    by_length: ByLength | None = None

    @property
    def n_pairs(self) -> int:
        """How many pairs of groups there are, told in ``pairs`` or not."""
        return len(self.accuracy) * (len(self.accuracy) - 1) // 2


def analyze_facts(found: Evidence, *, alpha: float, seed: int) -> FactAnalysis:
    """Everything about the facts of one panel.

    Args:
        found: the panel, unread replies being wrong, with what compares its groups.
        alpha: intervals have the confidence 1 - alpha.
        seed: of resampling.
    """
    panel, several = found.panel, len(found.panel.groups) > 1
    answers = panel.answers[:, :, 0, 0]
    measures = question_measures(answers, panel.correct)
    columns = [*panel.correct.T, panel.correct.mean(axis=1), *measures.values()]
    estimates = share_estimates(np.stack(columns, axis=1), panel.clusters, 1 - alpha, seed)
    shares = dict(zip(measures, estimates[len(panel.groups) + 1 :], strict=True))
    choices = panel.choices[panel.choices > 0]
    return FactAnalysis(
        n_questions=panel.n_questions,
        n_clusters=panel.n_clusters,
        accuracy=dict(zip(panel.groups, estimates, strict=False)),
        mean=estimates[len(panel.groups)],
        chance=float((1 / choices).mean()) if len(choices) else None,
        n_choices=len(np.unique(panel.questions[panel.choices > 0])),
        replies=dict(zip(panel.groups, group_replies(panel.replies, panel.correct), strict=True)),
        gap=found.gap,
        pairs=with_differing(found.pairs, panel.groups, answers, panel.clusters, confidence=1 - alpha, seed=seed),
        unanimous=shares["unanimous"] if several else None,
        pair_agreement=shares["pair_agreement"] if several else None,
        right_for_all=shares["right_for_all"],
        consistent_wrong=shares["consistent_wrong"] if several else None,
        no_answer=shares["no_answer"],
        divergence=_divergence(panel, 1 - alpha, seed) if several else None,
        kappas=kappas(panel.positions, panel.option_counts) if several else (),
        excess_flips=flips_of(panel.answers, panel.clusters, confidence=1 - alpha, seed=seed) if several else None,
    )


def _divergence(panel: Panel, confidence: float, seed: int) -> Estimate | None:
    known = panel.option_counts > 0
    if not known.any():
        return None
    values = divergences(panel.probabilities[known], panel.option_counts[known])
    return share_estimates(values[:, None], panel.clusters[known], confidence, seed)[0]
