"""Audit statistics on plain arrays: the same questions, asked of every group, in clusters of paraphrases.

Arrays are aligned by their caller: rows are queries, columns are groups; ``clusters`` holds one label per
query. Answers are integer codes, equal where the canonical answers are, with -1 for a reply that holds no
answer; such a reply differs from every answer, and from every other such reply.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad
from scipy.stats import entropy, norm, studentized_range
from statsmodels.stats.contingency_tables import cochrans_q
from statsmodels.stats.proportion import proportion_confint

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_CHUNK = 2_000_000  # numbers held at once by a resampling: 16 MB
_BLOCKS = 4096  # most units that a bootstrap draws from
_LIMIT = 500  # clusters from which on the permutation test takes its limit law
_SHIFTED = 50  # groups above which labels are permuted by shifts


def answer_codes(canonical: NDArray[np.object_]) -> Integers:
    """Integer codes of canonical answers.

    Args:
        canonical: texts, or None (or NaN) where a reply holds no answer; any shape.

    Returns:
        Codes of the same shape; -1 for no answer.
    """
    codes, _ = pd.factorize(canonical.ravel())
    return codes.astype(np.int64).reshape(canonical.shape)


def accuracy_interval(
    correct: ArrayLike,
    clusters: ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Interval of one group's accuracy: `share_intervals` of one column.

    Args:
        correct: [queries], 0 or 1.
        clusters: [queries], labels.
        confidence: the coverage that is aimed at.
        resamples: bootstrap resamples.
        seed: of the resampling.

    Returns:
        Lower and upper end, both in [0, 1].
    """
    column = np.asarray(correct, dtype=np.float64)[:, None]
    low, high = share_intervals(column, clusters, confidence=confidence, resamples=resamples, seed=seed)[0]
    return float(low), float(high)


def share_intervals(
    values: Floats,
    clusters: ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Floats:
    """Intervals of means of values in [0, 1], all from the same resamples.

    Wilson's for a column of zeros and ones where every cluster has one question, else the percentile bootstrap
    over clusters. Where all clusters have the same mean the bootstrap has no spread; then it is Wilson's with
    the clusters as the trials.

    Args:
        values: [queries, columns].
        clusters: [queries], labels.
        confidence: the coverage that is aimed at.
        resamples: bootstrap resamples.
        seed: of the resampling.

    Returns:
        [columns, 2], lower and upper ends.
    """
    sums, counts = cluster_sums(values, clusters)
    rates = sums / counts[:, None]
    binary = (counts == 1).all() & np.isin(sums, (0, 1)).all(axis=0)
    wilson = binary | (np.ptp(rates, axis=0) == 0)
    intervals = np.empty((values.shape[1], 2))
    low, high = proportion_confint(rates[:, wilson].sum(axis=0), len(rates), alpha=1 - confidence, method="wilson")
    intervals[wilson] = np.stack([low, high], axis=1)
    if not wilson.all():
        intervals[~wilson] = _percentiles(bootstrap_means(sums[:, ~wilson], counts, resamples, seed), confidence)
    return intervals


def gap(accuracies: ArrayLike) -> float:
    """Largest minus smallest accuracy of the groups ([groups])."""
    return float(np.ptp(np.asarray(accuracies, dtype=np.float64)))


def permutation_gap(
    correct: ArrayLike, clusters: ArrayLike, *, permutations: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Could noise alone give the gap? Group labels are permuted, whole clusters at a time.

    All queries of a cluster get the same permutation, so that paraphrases which are answered alike count as
    the one observation they are. The p-value is (1 + #{null gap >= observed}) / (1 + permutations) (Phipson
    and Smyth, 2010), never zero. Where the groups differ on more than 500 clusters, nothing is drawn: the sums
    are then normal, and the gap follows the law of the range of independent normals.

    Args:
        correct: [queries, groups], 0 or 1.
        clusters: [queries], labels.
        permutations: how many to draw.
        seed: of the drawing.

    Returns:
        The null's mean gap (what noise alone gives) and the p-value.
    """
    hits = np.asarray(correct, dtype=np.float64)
    sums, _ = cluster_sums(hits, clusters)
    observed = float(np.ptp(sums.sum(axis=0)))
    if len(sums) > _LIMIT:
        sums = sums[np.ptp(sums, axis=1) > 0]  # clusters that all groups answer alike add to no gap
    if len(sums) > _LIMIT:
        noise, p_value = _limit_gap(sums, observed)
        return noise / len(hits), p_value
    null = np.ptp(permuted_totals(sums, permutations, seed), axis=1)
    extreme = int((null >= observed - 1e-9).sum())  # an equal gap counts, whatever the rounding
    return float(null.mean() / len(hits)), (1 + extreme) / (1 + permutations)


def permuted_totals(sums: Floats, permutations: int, seed: int) -> Floats:
    """The groups' sums over clusters ([permutations, groups]) when labels are permuted, whole clusters at a time.

    Of more than 50 groups a cluster's row is shifted by a random distance along the groups, which stand in one random
    order, instead of being permuted freely. Shifts are a subgroup of the permutations: a test by them keeps its level
    as exactly (Hemerik and Goeman, 2018), and they are read from memory in a row.

    Args:
        sums: [clusters, groups].
        permutations: how many to draw.
        seed: of the drawing.
    """
    generator = np.random.default_rng(seed)
    groups = sums.shape[1]
    if groups <= _SHIFTED:

        def shuffled(count: int) -> Floats:
            drawn = generator.permuted(np.broadcast_to(sums, (count, *sums.shape)), axis=2)
            totals: Floats = drawn.sum(axis=1)
            return totals

        return in_chunks(shuffled, permutations, max(sums.size, 1))
    order = generator.permutation(groups)
    totals = np.zeros((permutations, groups))
    for cluster in sums:
        row = cluster[order]
        windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([row, row[:-1]]), groups)
        totals += windows[generator.integers(groups, size=permutations)]
    found: Floats = totals[:, np.argsort(order)]
    return found


def _limit_gap(sums: Floats, observed: float) -> tuple[float, float]:
    """Mean and p-value of the gap of ``sums`` ([clusters, groups]) under permutation, for many clusters.

    A permuted row of population variance v has the covariance v G / (G - 1) (I - 1/G). The range of the summed
    rows is that of G independent normals with the summed variances. It moves in steps of one right answer, or
    of two where what one group wins the other loses; half a step is taken off.
    """
    groups = sums.shape[1]
    half_step = 1.0 if groups == 2 else 0.5
    scale = float(np.sqrt(sums.var(axis=1).sum() * groups / (groups - 1)))
    mean_range, _ = quad(lambda x: 1 - norm.cdf(x) ** groups - norm.sf(x) ** groups, -np.inf, np.inf)
    p_value = studentized_range.sf(max(observed - half_step, 0) / scale, groups, np.inf)
    return mean_range * scale, float(np.clip(p_value, 0, 1))


def cochrans_q_p_value(correct: ArrayLike, clusters: ArrayLike) -> float | None:
    """P-value of Cochran's (1950) Q: are all groups right equally often?

    Its law is that of independent questions: with paraphrases of a fact it rejects equal groups too often, and so it
    is taken only where every cluster has one question.

    Args:
        correct: [queries, groups], 0 or 1.
        clusters: [queries], labels.

    Returns:
        The p-value; None where a cluster has several questions, or no question tells two groups apart.
    """
    sums, counts = cluster_sums(np.asarray(correct, dtype=np.float64), clusters)
    if (counts > 1).any() or not np.ptp(sums, axis=1).any():
        return None
    return float(cochrans_q(sums).pvalue)


def flip_rate(answers: Integers) -> float:
    """Share of (query, pair of groups) whose answers differ.

    Args:
        answers: [queries, groups], codes.

    Returns:
        A share; NaN with fewer than two groups.
    """
    return float(1 - pair_agreement(answers).mean())


def pair_agreement(answers: Integers) -> Floats:
    """Per query ([queries]) the share of pairs of groups that give the same answer; NaN with fewer than two groups.

    Args:
        answers: [queries, groups], codes.
    """
    queries, groups = answers.shape
    if groups < 2:
        return np.full(queries, np.nan)
    # Of n like answers n (n - 1) / 2 pairs agree: nothing is counted pair by pair.
    places = np.arange(queries)[:, None] * (int(answers.max(initial=0)) + 1) + answers
    like, times = np.unique(places[answers >= 0], return_counts=True)
    pairs = np.bincount(like // (int(answers.max(initial=0)) + 1), weights=times * (times - 1) / 2, minlength=queries)
    agreement: Floats = pairs / (groups * (groups - 1) / 2)
    return agreement


def agreed(answers: Integers) -> NDArray[np.bool_]:
    """Per query ([queries]) whether all groups give the same answer.

    Args:
        answers: [queries, groups], codes.
    """
    first = answers[:, :1]
    together: NDArray[np.bool_] = (answers == first).all(axis=1) & (first[:, 0] >= 0)
    return together


def mean_divergence(probabilities: Floats, option_counts: Integers) -> float:
    """Mean over queries of `divergences`; NaN with fewer than two groups."""
    return float(np.mean(divergences(probabilities, option_counts)))


def divergences(probabilities: Floats, option_counts: Integers) -> Floats:
    """Generalised Jensen-Shannon divergence between the groups' answer distributions, in [0, 1].

    Per query H(mean_g S_g) - mean_g H(S_g) in nats, divided by its largest value log min(G, K) (Lin, 1991).

    Args:
        probabilities: [queries, groups, options], each row summing to one; zero beyond a query's own options.
        option_counts: [queries], K of each query, at least 2.

    Returns:
        [queries]; NaN with fewer than two groups.
    """
    groups = probabilities.shape[1]
    if groups < 2:
        return np.full(len(probabilities), np.nan)
    mixture = entropy(probabilities.mean(axis=1), axis=-1)
    divergence = mixture - entropy(probabilities, axis=-1).mean(axis=-1)
    scaled: Floats = np.maximum(divergence, 0) / np.log(np.minimum(groups, option_counts))
    return scaled


def nash(utilities: ArrayLike, eps: float) -> float:
    """Nash welfare as exp of the mean of log(eps + utility).

    Args:
        utilities: in [0, 1], usually the 2G of truth and preference; any shape.
        eps: above 0; keeps a utility of zero from deciding alone.
    """
    return float(np.exp(np.log(eps + np.asarray(utilities, dtype=np.float64)).mean()))


def mean_intervals(
    values: Floats,
    clusters: ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Floats:
    """Percentile intervals of means by bootstrap over clusters, all columns from the same resamples.

    Args:
        values: [queries, columns].
        clusters: [queries], labels.
        confidence: the coverage that is aimed at.
        resamples: bootstrap resamples.
        seed: of the resampling.

    Returns:
        [columns, 2], lower and upper ends; NaN with fewer than two clusters, from which no spread can be told.
    """
    sums, counts = cluster_sums(values, clusters)
    if len(counts) < 2:
        return np.full((values.shape[1], 2), np.nan)
    return _percentiles(bootstrap_means(sums, counts, resamples, seed), confidence)


def cluster_sums(values: Floats, clusters: ArrayLike) -> tuple[Floats, Floats]:
    """Sums of ``values`` ([queries, ...]) per cluster ([clusters, ...]), and the clusters' sizes.

    Clusters come in the order of their labels.
    """
    labels: NDArray[Any] = np.asarray(clusters)
    _, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.argsort(index, kind="stable")
    starts = np.cumsum(counts) - counts
    return np.add.reduceat(values[order], starts, axis=0), counts.astype(np.float64)


def bootstrap_means(sums: Floats, counts: Floats, resamples: int, seed: int) -> Floats:
    """Means over queries ([resamples, columns]) after drawing clusters with replacement.

    Args:
        sums: [clusters, columns].
        counts: [clusters].
        resamples: how many.
        seed: of the drawing.
    """
    generator = np.random.default_rng(seed)
    sums, counts = in_blocks(sums, counts, generator)
    units = len(counts)

    def means(count: int) -> Floats:
        drawn = generator.integers(units, size=(count, units)) + units * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * units).reshape(count, units).astype(np.float64)
        result: Floats = (times @ sums) / (times @ counts)[:, None]
        return result

    return in_chunks(means, resamples, units)


def in_blocks(sums: Floats, counts: Floats, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Very many clusters ([clusters, ...] and [clusters]) put together at random; few ones stay as they are.

    Sums over blocks of independent clusters vary as the clusters do, and are much fewer.
    """
    if len(counts) <= _BLOCKS:
        return sums, counts
    block = generator.permutation(len(counts)) % _BLOCKS
    return cluster_sums(sums, block)[0], cluster_sums(counts, block)[0]


def in_chunks(draw: Callable[[int], Floats], total: int, size: int) -> Floats:
    """``draw(count)`` in pieces, so that ``count * size`` stays near `_CHUNK` numbers."""
    step = max(1, _CHUNK // size)
    return np.concatenate([draw(min(step, total - start)) for start in range(0, total, step)])


def _percentiles(draws: Floats, confidence: float) -> Floats:
    """[columns, 2] from [resamples, columns]."""
    tail = (1 - confidence) / 2
    return np.quantile(draws, [tail, 1 - tail], axis=0).T
