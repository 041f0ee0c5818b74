"""Which groups differ, and which are the same: every pair of groups on the same questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, next_fast_len
from scipy.special import rel_entr
from scipy.stats import norm, studentized_range
from scipy.stats import t as student_t
from statsmodels.stats.contingency_tables import mcnemar

from trialign.audit.figures.estimates import Estimate, share_estimates
from trialign.audit.figures.moments import Moments
from trialign.audit.figures.statistics import Floats, Integers, cluster_sums

POWER = 0.8
#: Up to so many groups every pair is told; of more, the ``WORST`` alone.
MOST_GROUPS = 50
WORST = 20
_SMALLEST_P = 1e-15


@dataclass(frozen=True)
class PairComparison:
    """Two groups on the same questions.

    Attributes:
        first: a group.
        second: another.
        difference: accuracy of the first minus that of the second.
        low: lower end of the interval of confidence 1 - 2 alpha (90 % where alpha is .05), see `difference_intervals`.
        high: its upper end.
        equivalent: whether the interval lies inside +-delta.
        p_value: of the hypothesis that the two are exchangeable, see `paired_p_values`.
        p_holm: the same, corrected for the number of pairs (Holm, 1979); where the worst pairs alone are told, for the
            number of all (Bonferroni).
        differ: share of questions to which the two give different answers, with its interval; a reply that holds no
            answer differs from every other. None in analyses that were made before it was counted.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    equivalent: bool
    p_value: float
    p_holm: float
    differ: Estimate | None = None


def compare_pairs(
    correct: Floats, clusters: ArrayLike, groups: Sequence[str], *, delta: float, alpha: float
) -> tuple[PairComparison, ...]:
    """Every pair of groups; of more than ``MOST_GROUPS`` groups the ``WORST`` pairs.

    These are the ones with the largest differences as seen, largest first. They were chosen for it, so their p-values
    are corrected for all pairs there are.

    Args:
        correct: [questions, groups], 0 or 1.
        clusters: [questions], labels.
        groups: their names.
        delta: the largest difference that does not matter.
        alpha: the level of each of the two one-sided tests behind ``equivalent``.

    Returns:
        The pairs in the order of ``groups``, or the worst; none with a single group.
    """
    first, second = np.triu_indices(len(groups), k=1)
    if not len(first):
        return ()
    moments = Moments.of_pairs(correct, clusters)
    means, lows, highs = difference_intervals(moments, alpha)
    few = len(groups) <= MOST_GROUPS
    told = np.arange(len(means)) if few else np.argsort(-np.abs(means), kind="stable")[:WORST]
    p_values = paired_p_values(*pair_differences(correct, clusters, (first[told], second[told])))
    corrected = holm(p_values) if few else np.minimum(p_values * len(means), 1)
    return tuple(
        PairComparison(
            first=groups[first[pair]],
            second=groups[second[pair]],
            difference=float(means[pair]),
            low=float(lows[pair]),
            high=float(highs[pair]),
            equivalent=bool(lows[pair] > -delta and highs[pair] < delta),
            p_value=float(p_values[place]),
            p_holm=float(corrected[place]),
        )
        for place, pair in enumerate(told.tolist())
    )


def with_differing(
    pairs: Sequence[PairComparison],
    groups: Sequence[str],
    answers: Integers,
    clusters: ArrayLike,
    *,
    confidence: float,
    seed: int,
) -> tuple[PairComparison, ...]:
    """The pairs with the share of questions to which they give different answers.

    Args:
        pairs: as `compare_pairs` gives them.
        groups: names of the columns.
        answers: [questions, groups], codes; -1 where a reply holds none.
        clusters: [questions], labels.
        confidence: of the intervals.
        seed: of the resampling.
    """
    if not pairs:
        return ()
    column = {group: place for place, group in enumerate(groups)}
    first, second = ([column[getattr(pair, side)] for pair in pairs] for side in ("first", "second"))
    differ = (answers[:, first] != answers[:, second]) | (answers[:, first] < 0)
    shares = share_estimates(differ.astype(np.float64), clusters, confidence, seed)
    return tuple(replace(pair, differ=share) for pair, share in zip(pairs, shares, strict=True))


def pair_differences(
    correct: Floats, clusters: ArrayLike, pairs: tuple[Integers, Integers] | None = None
) -> tuple[Floats, Floats]:
    """Right answers of the first group minus those of the second, per cluster.

    Args:
        correct: [questions, groups], 0 or 1.
        clusters: [questions], labels.
        pairs: places of first and second groups; None: all pairs.

    Returns:
        [clusters, pairs], and the clusters' sizes ([clusters]).
    """
    sums, counts = cluster_sums(correct, clusters)
    first, second = np.triu_indices(correct.shape[1], k=1) if pairs is None else pairs
    return sums[:, first] - sums[:, second], counts


def paired_p_values(differences: Floats, counts: Floats) -> Floats:
    """Two-sided exact tests of no difference: McNemar's for single questions, else the cluster sign-flip test.

    Args:
        differences: [clusters, pairs], whole numbers, see `pair_differences`.
        counts: [clusters], sizes.

    Returns:
        [pairs].
    """
    whole = np.rint(differences).astype(np.int64)
    test = _mcnemar if (counts == 1).all() else sign_flip_p_value
    return np.array([test(column) for column in whole.T])


def holm(p_values: ArrayLike) -> Floats:
    """Holm's (1979) correction of p-values ([tests]).

    What statsmodels' ``multipletests(method="holm")`` gives. That one collects garbage at every call, which takes a
    tenth of a second beside a large audit, and is called for every slice.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = values.argsort()
    corrected = np.empty_like(values)
    corrected[order] = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    return np.minimum(corrected, 1)


def _mcnemar(differences: NDArray[np.int64]) -> float:
    table = [[0, (differences > 0).sum()], [(differences < 0).sum(), 0]]
    return float(mcnemar(table, exact=True).pvalue)


def sign_flip_p_value(differences: NDArray[np.int64]) -> float:
    """Exact two-sided sign-flip test: are the differences symmetric about zero?

    If two groups are exchangeable, every cluster's difference is as likely with the other sign. The law of the
    sum over all 2^clusters ways is the product of the clusters' own; it is taken by the inverse Fourier transform
    of prod_i cos(t d_i), so nothing is drawn. Where all differences are 0 or +-1 it is McNemar's exact test.

    Args:
        differences: [clusters], whole numbers.

    Returns:
        The share of ways whose sum is as far from zero; below 1e-12 it is rounding.
    """
    observed = abs(int(differences.sum()))
    if observed == 0:
        return 1.0
    sizes, times = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    unit = int(np.gcd.reduce(sizes))
    sizes, observed = sizes // unit, observed // unit
    largest = int(sizes @ times)
    length = next_fast_len(2 * largest + 1, real=True)
    frequencies = np.arange(length // 2 + 1)
    spectrum = np.ones(len(frequencies))
    for size, count in zip(sizes, times, strict=True):
        spectrum *= np.cos(2 * np.pi / length * (frequencies * size % length)) ** count
    law = irfft(spectrum, length)
    return float(np.clip(2 * law[observed : largest + 1].sum(), _SMALLEST_P, 1))


def difference_intervals(moments: Moments, alpha: float) -> tuple[Floats, Floats, Floats]:
    """Paired intervals of confidence 1 - 2 alpha, clusters being the observations.

    The interval inverts a score test, as Tango's (1998) for matched pairs does: the variance at a distance u from
    the observed difference is the observed one plus u times the size of a single change, since a difference that
    is larger needs more answers that differ. So it does not collapse where the groups never differed: even then it
    excludes a difference of .05 only from 72 clusters on. One more change of full size is added to the
    variance; with it the chance to exclude a true difference stays below alpha for all shares of discordant answers
    (enumerated for single questions), which Tango's and Wald's intervals exceed where few answers differ.

    Args:
        moments: of the differences, a column a pair.
        alpha: chance to miss on each side.

    Returns:
        Mean differences, lower ends, upper ends: [pairs] each. With one cluster the ends are -1 and 1.
    """
    means, clusters = moments.means, len(moments.counts)
    if clusters < 2:
        return means, np.full_like(means, -1), np.full_like(means, 1)
    deviate = float(student_t.ppf(1 - alpha, clusters - 1))
    half = half_width(deviate, moments.variances, moments.units, clusters)
    return means, np.maximum(means - half, -1), np.minimum(means + half, 1)


def above_p_values(moments: Moments, bound: float, low: float, high: float) -> Floats:
    """Is a mean above a bound? By Hoeffding's (1963) inequality, which holds for any number of clusters.

    For few clusters on which values lie at an end of their range, where `difference_intervals` are wide. With y the
    cluster's sum minus bound times its size, in units of the largest size, and so in [low - bound, high - bound], the
    chance that the mean of C independent y reaches what was seen is at most exp(-C KL(q, p)), q and p being the places
    in that range of the mean seen and of zero.

    Args:
        moments: of sums of values in [low, high].
        bound: of the means, between low and high.
        low: the smallest value possible.
        high: the largest.

    Returns:
        [columns], of the hypothesis that the mean is at most the bound.
    """
    counts = moments.counts
    scaled = (moments.totals - bound * counts.sum()) / (counts.max() * len(counts))
    zero = (bound - low) / (high - low)
    seen = np.clip(zero + scaled / (high - low), zero, 1)
    distance = rel_entr(seen, zero) + rel_entr(1 - seen, 1 - zero)
    p_values: Floats = np.exp(-len(counts) * distance)
    return p_values


def clusters_needed(moments: Moments, groups: int, *, delta: float, alpha: float) -> int:
    """How many clusters would be enough for a verdict, where those there are were not.

    `clusters_enough`, times four until it exceeds the clusters there are: with as many as are enough for equal groups,
    groups that do not look alike need more, and each step halves the distance to delta at which a true difference
    can lie.

    Args:
        moments: of the differences, a column a pair; at least two clusters.
        groups: how many, at least two.
        delta: the largest difference that does not matter.
        alpha: the level of the equivalence tests.
    """
    needed = clusters_enough(moments, groups, delta=delta, alpha=alpha)
    while needed <= len(moments.counts):
        needed *= 4
    return needed


def clusters_enough(moments: Moments, groups: int, *, delta: float, alpha: float) -> int:
    """With how many clusters equal groups are called consistent four times out of five.

    Every pair's interval then lies inside +-delta with a chance of 80 %, given the spread seen now: that of the pair
    that spreads most. The range of the means of equal groups follows the studentized range. Arguments as for
    `clusters_needed`.
    """
    widest = int(moments.variances.argmax())
    variance, unit = moments.variances[widest], moments.units[widest]
    deviate = float(norm.ppf(1 - alpha))
    apart = float(studentized_range.ppf(POWER, groups, np.inf)) / np.sqrt(2)

    def enough(clusters: int) -> bool:
        margin = apart * np.sqrt((variance + 1 / clusters) / clusters)
        return bool(half_width(deviate, variance, unit, clusters) + margin <= delta)

    high = 2
    while not enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def half_width(deviate: float, variances: Floats, units: Floats, clusters: int) -> Floats:
    """The u that solves u^2 = deviate^2 (variance + 1/clusters + units u) / clusters."""
    linear = deviate**2 * units / clusters
    root: Floats = np.sqrt(linear**2 / 4 + deviate**2 * (variances + 1 / clusters) / clusters)
    return linear / 2 + root
