"""How far the accuracies of many groups lie apart, beyond what the choice of questions makes of equal ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2

from trialign.audit.figures.pairs import WORST, holm
from trialign.audit.figures.statistics import Floats, cluster_sums, permuted_totals

_LIMIT = 500  # clusters from which on the test takes its limit law
_PERMUTATIONS = 2000


@dataclass(frozen=True)
class GroupRank:
    """A group against the mean of all.

    Attributes:
        group: its name.
        difference: its accuracy minus the mean over groups.
        p_holm: of no difference, see `group_spread`; corrected for the number of groups (Holm, 1979).
    """

    group: str
    difference: float
    p_holm: float


@dataclass(frozen=True)
class GroupSpread:
    """The distribution of accuracy over groups, against its noise (variance components).

    Attributes:
        seen: standard deviation of the groups' accuracies.
        noise: what it would be of groups that are all alike.
        between: what is left: the standard deviation of the accuracies that the groups truly have on such questions.
        low: lower end of its interval, by the jackknife over clusters; None with fewer than three.
        high: upper end.
        p_value: of no difference between groups, by permutation of their labels, whole per cluster.
        quantiles: the 5, 25, 50, 75 and 95 % quantiles of the accuracies as seen.
        lowest: the groups with the smallest accuracies, at most 20, the smallest first.
        highest: those with the largest, the largest first.
    """

    seen: float
    noise: float
    between: float
    low: float | None
    high: float | None
    p_value: float
    quantiles: tuple[float, float, float, float, float]
    lowest: tuple[GroupRank, ...]
    highest: tuple[GroupRank, ...]


def group_spread(
    correct: Floats, clusters: ArrayLike, groups: Sequence[str], *, confidence: float, seed: int
) -> GroupSpread | None:
    """Variance components of a two-way layout, questions by groups.

    A cluster's row less its mean over groups is what the groups differ by in it. The variance of the groups' means of
    these is that between groups plus that of the noise; the noise is the variance of a group's entries about their
    mean, over the clusters (Searle, Casella and McCulloch, 1992, balanced case). Its jackknife over clusters gives
    the interval. Whether there is any difference is told by permutation of the labels; beyond 500 clusters by the
    limit law of that: (G - 1) seen^2 / noise^2 is a chi-square with G - 1 degrees of freedom.

    A group against the mean of all is held against the noise of its own row: a normal deviate.

    Args:
        correct: [questions, groups], 0 or 1.
        clusters: [questions], labels.
        groups: their names.
        confidence: of the interval.
        seed: of the permutation.

    Returns:
        None with fewer than two groups or clusters.
    """
    sums, counts = cluster_sums(correct, clusters)
    many, width = sums.shape
    if width < 2 or many < 2:
        return None
    apart = sums - sums.mean(axis=1, keepdims=True)
    means = apart.sum(axis=0) / counts.sum()
    between, noise = _components(apart, counts)
    low, high = _interval(apart, counts, confidence)
    accuracies = correct.mean(axis=0)
    five = np.quantile(accuracies, (0.05, 0.25, 0.5, 0.75, 0.95)).tolist()
    ranks = _ranks(apart, counts, means, groups)
    ordered = [ranks[place] for place in np.argsort(means, kind="stable").tolist()]
    told = min(WORST, width)
    return GroupSpread(
        seen=float(means.std(ddof=1)),
        noise=math.sqrt(noise),
        between=math.sqrt(max(between, 0)),
        low=low,
        high=high,
        p_value=_p_value(sums, apart, seed),
        quantiles=(five[0], five[1], five[2], five[3], five[4]),
        lowest=tuple(ordered[:told]),
        highest=tuple(reversed(ordered[-told:])),
    )


def _components(apart: Floats, counts: Floats) -> tuple[float, float]:
    """Variance between groups (below 0 where less than noise was seen) and that of the noise in a group's accuracy.

    Args:
        apart: [clusters, groups], sums less their row's mean.
        counts: [clusters], sizes.
    """
    clusters, groups = apart.shape
    means = apart.sum(axis=0) / counts.sum()
    about = ((apart - counts[:, None] * means) ** 2).sum(axis=0) * clusters / (clusters - 1) / counts.sum() ** 2
    noise = float(about.mean()) * groups / (groups - 1)  # rows without their mean vary less, by 1 of their groups
    return float(means.var(ddof=1)) - noise, noise


def _interval(apart: Floats, counts: Floats, confidence: float) -> tuple[float | None, float | None]:
    """Ends for the standard deviation between groups: the variance jackknifed, leaving out one cluster at a time."""
    clusters = len(counts)
    if clusters < 3:
        return None, None
    totals, whole = apart.sum(axis=0), counts.sum()
    squares, weighted, sizes = (apart**2).sum(axis=0), counts @ apart, (counts**2).sum()
    groups, left = apart.shape[1], clusters - 1
    kept = np.empty(clusters)
    for place, (row, size) in enumerate(zip(apart, counts, strict=True)):
        means = (totals - row) / (whole - size)
        about = squares - row**2 - 2 * means * (weighted - size * row) + means**2 * (sizes - size**2)
        noise = about.mean() * left / (left - 1) / (whole - size) ** 2 * groups / (groups - 1)
        kept[place] = means.var(ddof=1) - noise
    estimate, _ = _components(apart, counts)
    error = math.sqrt(left / clusters * ((kept - kept.mean()) ** 2).sum())
    margin = _deviate(confidence) * error
    return math.sqrt(max(estimate - margin, 0)), math.sqrt(max(estimate + margin, 0))


def _deviate(confidence: float) -> float:
    return math.sqrt(float(chi2.ppf(confidence, 1)))


def _p_value(sums: Floats, apart: Floats, seed: int) -> float:
    """Chance of so large a spread where labels mean nothing; never 0."""
    varied = (apart != 0).any(axis=1)
    sums, apart = sums[varied], apart[varied]
    if not len(sums):
        return 1.0
    seen = float((apart.sum(axis=0) ** 2).sum())
    groups = apart.shape[1]
    if len(sums) > _LIMIT:
        variance = float((apart**2).sum()) / (groups - 1)  # of a group's total: rows of covariance v (I - 1 / G)
        return max(float(chi2.sf(seen / variance, groups - 1)), 1e-15)
    totals = permuted_totals(sums, _PERMUTATIONS, seed)
    null = ((totals - totals.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return (1 + int((null >= seen - 1e-9).sum())) / (1 + _PERMUTATIONS)


def _ranks(apart: Floats, counts: Floats, means: Floats, groups: Sequence[str]) -> list[GroupRank]:
    """Every group with its test against the mean of all.

    One change of a full answer is added to the spread, as in ``pairs.difference_intervals``: a group that never
    differed from the mean has not shown that it never would.
    """
    clusters = len(counts)
    about = ((apart - counts[:, None] * means) ** 2).sum(axis=0) * clusters / (clusters - 1)
    errors = np.sqrt(about + counts.mean() ** 2) / counts.sum()
    p_values = np.maximum(chi2.sf((means / errors) ** 2, 1), 1e-15)
    corrected = holm(p_values)
    return [
        GroupRank(name, float(mean), float(p)) for name, mean, p in zip(groups, means, corrected.tolist(), strict=True)
    ]
