"""Flips as a comparer of replies counts them, corrected for what it gets wrong.

A comparer with sensitivity Se (flips that it sees) and specificity Sp (sameness that it sees) counts, of a true share P
of flips, P Se + (1 - P) (1 - Sp). With J = Se + Sp - 1 (Youden, 1950) that is P J + 1 - Sp: the true share is found by
turning it round, and of a difference of two shares 1 - Sp falls out, so that it is J times the true one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from trialign.audit.figures.estimates import Estimate, mean_estimates, share_estimates
from trialign.audit.figures.statistics import Floats, Integers, cluster_sums
from trialign.comparing.calibration import Calibration

_NOT_ABOVE_CHANCE = "The comparer was not shown to be better than chance, so nothing can be corrected for its errors."


@dataclass(frozen=True)
class Corrected:
    """A figure as it was counted, and as it would be without the comparer's errors.

    Attributes:
        raw: as counted.
        corrected: None in all parts where the comparer was not shown to be better than chance.
    """

    raw: Estimate
    corrected: Estimate


@dataclass(frozen=True)
class ComparedFlips:
    """Flips between replies that a comparer held against each other.

    Attributes:
        across: share of pairs of replies of two groups that are not the same, in different wordings where there are
            several.
        within: share of pairs of replies of one group, in two wordings; with one wording, of two askings; None where
            there is one reply of each group.
        excess: ``across - within``. Its raw interval excludes zero exactly where the corrected one does: the test for
            zero needs no calibration where the comparer errs alike between and within groups.
        sensitivity: of the comparer, with Wilson's interval.
        specificity: the same.
        n_questions: questions of which a pair across groups, and one within where there are such, was compared.
        n_clusters: facts that these ask.
        trials: how many independent trials ``across`` is worth, see `independent_trials`.
        note: why nothing was corrected; empty where it was.
    """

    across: Corrected
    within: Corrected | None
    excess: Corrected | None
    sensitivity: Estimate
    specificity: Estimate
    n_questions: int
    n_clusters: int
    trials: float
    note: str


def compared_flips(
    flips: Floats,
    groups: Sequence[int],
    wordings: Sequence[int],
    cluster: Integers,
    calibration: Calibration,
    *,
    confidence: float = 0.95,
    seed: int = 0,
) -> ComparedFlips | None:
    """Flips across groups and within them, and what across has beyond within.

    Args:
        flips: [questions, replies, replies], 1 where two replies to a question are not the same, 0 where they are, NaN
            where one gives nothing to compare, as `trialign.comparing.compare.flip_matrix` gives it; the upper
            triangle is read. Refusals and other replies without an answer are counted apart, not here.
        groups: [replies], the group of each.
        wordings: [replies], the wording of each; replies of one group in one wording are askings in the same words.
        cluster: [questions], the facts that paraphrases share.
        calibration: of the comparer.
        confidence: of all intervals.
        seed: of the resampling.

    Returns:
        The figures; None where of no question two replies of two groups (and two of one, with several) were compared.
    """
    across, within = pairs_of_replies(groups, wordings)
    between, inside = _means(flips, across), _means(flips, within) if len(within) else None
    known = ~np.isnan(between) if inside is None else ~np.isnan(between + inside)
    if not known.any():
        return None
    between, inside, cluster = between[known], None if inside is None else inside[known], cluster[known]
    excess = None
    if inside is not None:
        raw = mean_estimates((between - inside)[:, None], cluster, confidence, seed)[0]
        excess = Corrected(raw, corrected_difference(raw, calibration, confidence))
    return ComparedFlips(
        across=_share(between, cluster, calibration, confidence, seed),
        within=None if inside is None else _share(inside, cluster, calibration, confidence, seed),
        excess=excess,
        sensitivity=Estimate(calibration.sensitivity.value, *calibration.sensitivity.interval(confidence)),
        specificity=Estimate(calibration.specificity.value, *calibration.specificity.interval(confidence)),
        n_questions=int(known.sum()),
        n_clusters=len(np.unique(cluster)),
        trials=independent_trials(between, cluster),
        note="" if calibration.usable else _NOT_ABOVE_CHANCE,
    )


def corrected_share(raw: float, trials: float, calibration: Calibration, confidence: float = 0.95) -> Estimate:
    """The true share behind a counted one: (p + Sp - 1) / (Se + Sp - 1), held to [0, 1] (Rogan and Gladen, 1978).

    The interval takes in that Se and Sp were themselves estimated from samples: Lang and Reiczigel (2014, Preventive
    Veterinary Medicine 113, 13-22, their equations 4, 6, 7, 16 and 17), with pseudo-counts as there.

    Args:
        raw: the counted share p.
        trials: how many independent trials p is worth.
        calibration: of the comparer.
        confidence: of the interval.
    """
    if not calibration.usable:
        return Estimate(None, None, None)
    z = float(norm.ppf((1 + confidence) / 2))
    se, n_se = _with_pseudo_counts(calibration.sensitivity.found, calibration.sensitivity.of)
    sp, n_sp = _with_pseudo_counts(calibration.specificity.found, calibration.specificity.of)
    n = trials + z**2
    p = (trials * raw + z**2 / 2) / n
    youden = se + sp - 1
    share = (p + sp - 1) / youden
    of_se, of_sp = se * (1 - se) / n_se, sp * (1 - sp) / n_sp
    shift = 2 * z**2 * (share * of_se - (1 - share) * of_sp)
    spread = math.sqrt(p * (1 - p) / n + share**2 * of_se + (1 - share) ** 2 * of_sp) / youden
    value = (raw + calibration.specificity.value - 1) / _youden(calibration)
    middle = share + shift
    return Estimate(*(min(max(x, 0.0), 1.0) for x in (value, middle - z * spread, middle + z * spread)))


def corrected_difference(raw: Estimate, calibration: Calibration, confidence: float = 0.95) -> Estimate:
    """The true difference of two shares behind a counted one, which is J = Se + Sp - 1 times the true one.

    That holds where the comparer errs alike in both. The interval of the quotient is made of those of the difference
    and of J (Donner and Zou, 2012, Statistical Methods in Medical Research 21, 347-359); it has zero inside exactly
    where the difference's own has.

    Args:
        raw: the difference, with its interval.
        calibration: of the comparer.
        confidence: of the intervals.
    """
    if not calibration.usable or raw.value is None:
        return Estimate(None, None, None)
    youden = _youden(calibration)
    value = raw.value / youden
    least, most = _youden_interval(calibration, confidence)
    if raw.low is None or raw.high is None or least <= 0:
        return Estimate(value, None, None)
    product = raw.value * youden
    low = math.sqrt(max(product**2 - raw.low * most * (2 * raw.value - raw.low) * (2 * youden - most), 0.0))
    high = math.sqrt(max(product**2 - raw.high * least * (2 * raw.value - raw.high) * (2 * youden - least), 0.0))
    return Estimate(
        value, (product - low) / (most * (2 * youden - most)), (product + high) / (least * (2 * youden - least))
    )


def _means(flips: Floats, pairs: NDArray[np.int64]) -> Floats:
    """Mean over the pairs that were compared, question by question ([questions]); NaN without any."""
    chosen = flips[:, pairs[:, 0], pairs[:, 1]]
    counts = (~np.isnan(chosen)).sum(axis=1)
    means: Floats = np.where(counts > 0, np.nansum(chosen, axis=1) / np.maximum(counts, 1), np.nan)
    return means


def _youden(calibration: Calibration) -> float:
    return calibration.sensitivity.value + calibration.specificity.value - 1


def _youden_interval(calibration: Calibration, confidence: float) -> tuple[float, float]:
    """Of a sum of two estimates from samples of their own (Newcombe, 1998; his square-and-add)."""
    youden = _youden(calibration)
    shares = (calibration.sensitivity, calibration.specificity)
    ends = [(share.value, *share.interval(confidence)) for share in shares]
    below = math.hypot(*(value - low for value, low, _ in ends))
    above = math.hypot(*(high - value for value, _, high in ends))
    return youden - below, youden + above


def _with_pseudo_counts(found: float, of: float) -> tuple[float, float]:
    return (found + 1) / (of + 2), of + 2


def _share(flips: Floats, cluster: Integers, calibration: Calibration, confidence: float, seed: int) -> Corrected:
    raw = share_estimates(flips[:, None], cluster, confidence, seed)[0]
    assert raw.value is not None
    return Corrected(raw, corrected_share(raw.value, independent_trials(flips, cluster), calibration, confidence))


def independent_trials(shares: Floats, cluster: Integers) -> float:
    """How many independent trials the mean of shares is worth: p (1 - p) over its variance between clusters.

    Several pairs of replies to one question, and several questions about one fact, repeat each other; this is the
    effective size of Kish (1965). Where the clusters are all alike, it is their number.

    Args:
        shares: [questions], in [0, 1].
        cluster: [questions].
    """
    sums, counts = cluster_sums(shares, cluster)
    clusters, mean = len(counts), float(shares.mean())
    if clusters < 2:
        return 1.0
    residual = sums - mean * counts
    variance = float((residual**2).sum()) * clusters / (clusters - 1) / float(counts.sum()) ** 2
    inner = mean * (1 - mean)
    return max(inner / variance, 1.0) if variance > 0 and inner > 0 else float(clusters)


def pairs_of_replies(groups: Sequence[int], wordings: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of the pairs of replies between groups, and within one ([pairs, 2] each); see `compared_flips`."""
    several = len(set(wordings)) > 1
    pairs = [
        (one, other, groups[one] == groups[other])
        for one, other in combinations(range(len(groups)), 2)
        if not several or wordings[one] != wordings[other]
    ]
    parts = [[(one, other) for one, other, alike in pairs if alike == inside] for inside in (False, True)]
    across, within = (np.array(part, dtype=np.int64).reshape(-1, 2) for part in parts)
    return across, within
