"""What an audit says about facts: accuracy, gap, pairs, verdict, agreement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialign.audit.agreement import Kappa, kappas, question_measures
from trialign.audit.estimates import Estimate, share_estimates
from trialign.audit.flips import ExcessFlips, flips_of
from trialign.audit.pairs import PairComparison, clusters_needed, compare_pairs, pair_differences
from trialign.audit.panel import Panel
from trialign.audit.readability import Readability, correct_if_right, readability_of
from trialign.audit.statistics import cochrans_q_p_value, divergences, permutation_gap
from trialign.audit.statistics import gap as gap_of
from trialign.audit.verdict import (
    Gap,
    Verdict,
    VerdictKind,
    dependence_reason,
    sentence,
    unjudged_sentence,
    verdict_kind,
)


@dataclass(frozen=True)
class FactAnalysis:
    """The groups' answers to the same facts; first wording, asked once, unless stated otherwise.

    What compares groups is None, or empty, with a single group.

    Attributes:
        n_questions: questions.
        n_clusters: facts; the paraphrases of one are not independent.
        accuracy: group -> share of right answers.
        mean: accuracy, mean over groups.
        gap: the largest difference, beside what chance gives.
        pairs: every pair of groups.
        verdict: the three-way answer.
        unanimous: share of questions on which all groups give the same answer.
        pair_agreement: share of (question, pair of groups) with the same answer; 1 minus the flip rate.
        right_for_all: share of questions that every group gets right.
        consistent_wrong: share on which all groups give the same wrong answer.
        no_answer: share of replies that hold no answer; they count as wrong.
        divergence: mean generalised Jensen-Shannon divergence of the groups' answer distributions, in [0, 1]; None
            where they are not known.
        kappas: agreement beyond chance, by number of options.
        excess_flips: all wordings and repeats: flips across groups beyond those across wordings.
        readability: replies without an answer, by group and reason; None in an analysis of before it was kept.
    """

    n_questions: int
    n_clusters: int
    accuracy: dict[str, Estimate]
    mean: Estimate
    gap: Gap | None
    pairs: tuple[PairComparison, ...]
    verdict: Verdict | None
    unanimous: Estimate | None
    pair_agreement: Estimate | None
    right_for_all: Estimate
    consistent_wrong: Estimate | None
    no_answer: Estimate
    divergence: Estimate | None
    kappas: tuple[Kappa, ...]
    excess_flips: ExcessFlips | None
    readability: Readability | None = None


def analyze_facts(panel: Panel, *, delta: float, alpha: float, seed: int, most_unread: float) -> FactAnalysis:
    """Everything about the facts of one panel.

    Args:
        panel: at least one row.
        delta: the largest difference in accuracy that does not matter.
        alpha: level of the tests; intervals have the confidence 1 - alpha.
        seed: of resampling and permutation.
        most_unread: the largest share of a group's replies that may hold no answer.
    """
    several = len(panel.groups) > 1
    measures = question_measures(panel.answers[:, :, 0, 0], panel.correct)
    columns = [*panel.correct.T, panel.correct.mean(axis=1), *measures.values()]
    estimates = share_estimates(np.stack(columns, axis=1), panel.clusters, 1 - alpha, seed)
    accuracy = dict(zip(panel.groups, estimates, strict=False))
    shares = dict(zip(measures, estimates[len(panel.groups) + 1 :], strict=True))
    pairs = compare_pairs(panel.correct, panel.clusters, panel.groups, delta=delta, alpha=alpha)
    gap = _gap(panel, seed) if several else None
    readability = readability_of(panel, bound=most_unread, alpha=alpha, seed=seed)
    return FactAnalysis(
        n_questions=panel.n_questions,
        n_clusters=panel.n_clusters,
        accuracy=accuracy,
        mean=estimates[len(panel.groups)],
        gap=gap,
        pairs=pairs,
        verdict=judge(panel, pairs, gap, readability, delta=delta, alpha=alpha, seed=seed) if gap else None,
        unanimous=shares["unanimous"] if several else None,
        pair_agreement=shares["pair_agreement"] if several else None,
        right_for_all=shares["right_for_all"],
        consistent_wrong=shares["consistent_wrong"] if several else None,
        no_answer=shares["no_answer"],
        divergence=_divergence(panel, 1 - alpha, seed) if several else None,
        kappas=kappas(panel.positions, panel.option_counts) if several else (),
        excess_flips=flips_of(panel.answers, panel.clusters, confidence=1 - alpha, seed=seed) if several else None,
        readability=readability,
    )


def judge(
    panel: Panel,
    pairs: tuple[PairComparison, ...],
    gap: Gap,
    readability: Readability,
    *,
    delta: float,
    alpha: float,
    seed: int,
) -> Verdict:
    """The verdict on a panel of several groups.

    Args:
        panel: the facts.
        pairs: every pair of its groups.
        gap: with the p-value that decides; that of a slice is corrected for the number of slices.
        readability: of its replies; where there is a reason in it, nothing is judged.
        delta: the largest difference that does not matter.
        alpha: the level.
        seed: of the permutations.
    """
    kind = verdict_kind(pairs, gap.p_value, alpha)
    needed = None
    if kind == "not_enough" and panel.n_clusters > 1:
        differences, counts = pair_differences(panel.correct, panel.clusters)
        needed = clusters_needed(differences, counts, len(panel.groups), delta=delta, alpha=alpha)
    accuracy = list(zip(panel.groups, panel.correct.mean(axis=0).tolist(), strict=True))
    words = sentence(kind, accuracy, gap, pairs, panel.n_clusters, needed, delta=delta, alpha=alpha)
    reasons = readability.reasons or _dependence(panel, kind, gap, delta=delta, alpha=alpha, seed=seed)
    if reasons:
        return Verdict("cannot_judge", False, None, unjudged_sentence(reasons, panel.n_clusters), reasons)
    return Verdict(kind, gap.p_value <= alpha, needed, words)


def _dependence(panel: Panel, kind: VerdictKind, gap: Gap, *, delta: float, alpha: float, seed: int) -> tuple[str, ...]:
    """Whether the verdict would be another one if every reply without an answer were right."""
    if not (panel.statuses > 0).any():
        return ()
    right = correct_if_right(panel)
    pairs = compare_pairs(right, panel.clusters, panel.groups, delta=delta, alpha=alpha)
    # A slice's p-value carries its correction over.
    uncorrected = permutation_gap(panel.correct, panel.clusters, seed=seed)[1]
    p_value = min(1.0, permutation_gap(right, panel.clusters, seed=seed)[1] * gap.p_value / uncorrected)
    other = verdict_kind(pairs, p_value, alpha)
    return () if other == kind else (dependence_reason(kind, other),)


def _gap(panel: Panel, seed: int) -> Gap:
    noise, p_value = permutation_gap(panel.correct, panel.clusters, seed=seed)
    return Gap(gap_of(panel.correct.mean(axis=0)), noise, p_value, cochrans_q_p_value(panel.correct, panel.clusters))


def _divergence(panel: Panel, confidence: float, seed: int) -> Estimate | None:
    known = panel.option_counts > 0
    if not known.any():
        return None
    values = divergences(panel.probabilities[known], panel.option_counts[known])
    return share_estimates(values[:, None], panel.clusters[known], confidence, seed)[0]
