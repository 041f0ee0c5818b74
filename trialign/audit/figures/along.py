"""Accuracy along an attribute of the groups, such as their age: a curve with its band, a trend, flips by distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from statsmodels.stats.proportion import proportion_confint

from trialign.attributes import Attribute, Value
from trialign.audit.figures.distance import FEWEST, DistancePoint, flips_by_distance
from trialign.audit.figures.statistics import Floats, Integers, bootstrap_means, cluster_sums, permuted_totals

_POINTS = 12  # most points of a curve
_RESAMPLES = 2000
_PERMUTATIONS = 2000
_LIMIT = 500  # clusters from which on the test within them takes its limit law
_SMALLEST_P = 1e-15


@dataclass(frozen=True)
class CurvePoint:
    """One place on a curve.

    Attributes:
        value: of the attribute: a number (the mean, where several groups are put together), or a category.
        label: how it is shown.
        groups: how many groups are there.
        accuracy: their mean share of right answers.
        low: lower end of the band, which holds at all points of the curve at once.
        high: upper end.
    """

    value: Value
    label: str
    groups: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Trend:
    """Whether accuracy rises or falls with a number.

    Attributes:
        change: of the line through all groups, from the smallest value to the largest.
        low: lower end of its interval, by bootstrap over clusters: for these groups, on such questions.
        high: upper end.
        p_value: of no difference between the groups, against a trend: their values are permuted within each cluster.
        p_groups: of no trend, whatever else tells the groups apart: values are permuted over whole groups. None with
            fewer than 6 groups.
    """

    change: float
    low: float | None
    high: float | None
    p_value: float
    p_groups: float | None


@dataclass(frozen=True)
class AlongAttribute:
    """The facts of an audit along one attribute.

    Attributes:
        name: of the attribute.
        label: how it is called.
        numeric: whether it is a number.
        curve: accuracy by value; equal numbers of groups are put together where there are more than 12 values.
        trend: None for categories, and where all values are alike.
        p_any: for categories: of no difference between them, whole groups being permuted; None with fewer than 6
            groups or a single category.
        flips: by distance, near pairs first; empty for categories.
        p_flips: of flips that do not grow with distance, values being permuted over whole groups (Mantel, 1967); None
            with fewer than 6 groups, or for categories.
    """

    name: str
    label: str
    numeric: bool
    curve: tuple[CurvePoint, ...]
    trend: Trend | None
    p_any: float | None
    flips: tuple[DistancePoint, ...]
    p_flips: float | None


def along_attributes(
    correct: Floats,
    answers: Integers,
    clusters: ArrayLike,
    values: Sequence[Mapping[str, Value]],
    attributes: Sequence[Attribute],
    *,
    confidence: float,
    seed: int,
) -> tuple[AlongAttribute, ...]:
    """Every attribute of the groups; none of one that is alike in all groups.

    Args:
        correct: [questions, groups], 0 or 1.
        answers: [questions, groups], codes; -1 where a reply holds none.
        clusters: [questions], labels.
        values: of every group, attribute -> value.
        attributes: in the order of the result.
        confidence: of bands and intervals.
        seed: of resampling and permutation.
    """
    sums, counts = cluster_sums(correct, clusters)
    found = []
    for one in attributes:
        given = [group[one.name] for group in values]
        if len(set(given)) < 2:
            continue
        points, places = _points(one, given)
        numbers = np.array([one.number(value) for value in given]) if one.numeric else None
        distances, p_flips = (
            flips_by_distance(answers, clusters, numbers, confidence=confidence, seed=seed)
            if numbers is not None
            else ((), None)
        )
        found.append(
            AlongAttribute(
                name=one.name,
                label=one.label,
                numeric=one.numeric,
                curve=_curve(sums, counts, points, places, confidence, seed),
                trend=_trend(sums, counts, numbers, confidence, seed) if numbers is not None else None,
                p_any=_between_places(sums, places, seed) if numbers is None else None,
                flips=distances,
                p_flips=p_flips,
            )
        )
    return tuple(found)


def _points(attribute: Attribute, given: Sequence[Value]) -> tuple[list[tuple[Value, str]], NDArray[np.int64]]:
    """Values and labels of a curve's points, and the point that each group belongs to."""
    if not attribute.numeric:
        names = [one.name for one in attribute.categories if one.name in set(given)]
        return [(name, attribute.shown(name)) for name in names], np.array([names.index(str(one)) for one in given])
    numbers = np.array([attribute.number(value) for value in given])
    distinct, places = np.unique(numbers, return_inverse=True)
    if len(distinct) > _POINTS:
        # Values that are equal stay together: a value belongs where the middle of its groups does.
        middle = np.cumsum(np.bincount(places)) - np.bincount(places) / 2
        binned = np.minimum((middle * _POINTS / len(numbers)).astype(int), _POINTS - 1)
        places = np.unique(binned, return_inverse=True)[1][places]
    points: list[tuple[Value, str]] = []
    for place in range(int(places.max()) + 1):
        own = numbers[places == place]
        same = own.min() == own.max()
        points.append((float(own.mean()), f"{own[0]:g}" if same else f"{own.min():g} to {own.max():g}"))
    return points, places.astype(np.int64)


def _shares(places: NDArray[np.int64]) -> Floats:
    """[groups, points], what each group counts in the mean of its point."""
    shares = (places[:, None] == np.arange(int(places.max()) + 1)).astype(np.float64)
    weights: Floats = shares / shares.sum(axis=0)
    return weights


def _curve(
    sums: Floats,
    counts: Floats,
    points: Sequence[tuple[Value, str]],
    places: NDArray[np.int64],
    confidence: float,
    seed: int,
) -> tuple[CurvePoint, ...]:
    columns = sums @ _shares(places)
    means = columns.sum(axis=0) / counts.sum()
    lows, highs = simultaneous_band(columns, counts, confidence=confidence, seed=seed)
    groups = np.bincount(places)
    return tuple(
        CurvePoint(value, label, int(groups[at]), float(means[at]), float(lows[at]), float(highs[at]))
        for at, (value, label) in enumerate(points)
    )


def simultaneous_band(sums: Floats, counts: Floats, *, confidence: float, seed: int) -> tuple[Floats, Floats]:
    """A band that holds all of several means at once, by bootstrap over clusters.

    Its half width at a point is the point's standard error times one number: the quantile of the largest standardised
    distance of a resample from what was seen. Where all clusters are alike at a point there is no error to tell; it is
    Wilson's interval with the clusters as the trials, at the level of one of so many points (Bonferroni).

    Args:
        sums: [clusters, points], of shares in [0, 1].
        counts: [clusters], sizes.
        confidence: that the whole curve is inside.
        seed: of the resampling.

    Returns:
        Lower and upper ends ([points] each), in [0, 1].
    """
    means = sums.sum(axis=0) / counts.sum()
    draws = bootstrap_means(sums, counts, _RESAMPLES, seed)
    errors = draws.std(axis=0, ddof=1)
    known = errors > 1e-12
    lows, highs = np.empty_like(means), np.empty_like(means)
    if known.any():
        largest = (np.abs(draws[:, known] - means[known]) / errors[known]).max(axis=1)
        # Resamples spread by (C - 1) / C of the variance, and tails of few clusters are longer: both are made up for.
        many = len(counts)
        times = float(np.quantile(largest, confidence)) * np.sqrt(many / max(many - 1, 1))
        lows[known], highs[known] = means[known] - times * errors[known], means[known] + times * errors[known]
    if not known.all():
        low, high = proportion_confint(
            means[~known] * len(counts), len(counts), alpha=(1 - confidence) / len(means), method="wilson"
        )
        lows[~known], highs[~known] = low, high
    return np.clip(lows, 0, 1), np.clip(highs, 0, 1)


def _trend(sums: Floats, counts: Floats, numbers: Floats, confidence: float, seed: int) -> Trend:
    centred = numbers - numbers.mean()
    weights = centred / (centred**2).sum() * np.ptp(numbers)
    slopes = sums @ weights
    low, high = None, None
    if len(counts) > 1:
        draws = bootstrap_means(slopes[:, None], counts, _RESAMPLES, seed)[:, 0]
        low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return Trend(
        change=float(slopes.sum() / counts.sum()),
        low=low,
        high=high,
        p_value=trend_within(sums, weights, seed),
        p_groups=trend_over_groups(sums.sum(axis=0), weights, seed) if len(numbers) >= FEWEST else None,
    )


def trend_within(sums: Floats, weights: Floats, seed: int) -> float:
    """Two-sided test: groups are exchangeable in every cluster, against a trend; values permuted within clusters.

    Beyond 500 clusters that differ the sum is normal, with the variance that the permutations give it.

    Args:
        sums: [clusters, groups].
        weights: [groups], the values about their mean, to any scale.
        seed: of the permutation.
    """
    varied = sums[np.ptp(sums, axis=1) > 0]
    if not len(varied):
        return 1.0
    seen = float(np.abs(varied.sum(axis=0) @ weights))
    if len(varied) > _LIMIT:
        variance = (weights**2).sum() * varied.var(axis=1, ddof=1).sum()
        return max(2 * float(norm.sf(seen / np.sqrt(variance))), _SMALLEST_P)
    null = np.abs(permuted_totals(varied, _PERMUTATIONS, seed) @ weights)
    return (1 + int((null >= seen - 1e-9).sum())) / (1 + _PERMUTATIONS)


def trend_over_groups(totals: Floats, weights: Floats, seed: int) -> float:
    """Two-sided test: values are assigned to whole groups at random, against a trend.

    It keeps its level where groups differ in other ways than by this attribute, if those have nothing to do with it.

    Args:
        totals: [groups], right answers.
        weights: [groups], the values about their mean.
        seed: of the permutation.
    """
    generator = np.random.default_rng(seed)
    shuffled = generator.permuted(np.broadcast_to(weights, (_PERMUTATIONS, len(weights))), axis=1)
    null, seen = np.abs(shuffled @ totals), abs(float(weights @ totals))
    return (1 + int((null >= seen - 1e-9).sum())) / (1 + _PERMUTATIONS)


def _between_places(sums: Floats, places: NDArray[np.int64], seed: int) -> float | None:
    """Test of no difference between categories: the variance of their means, whole groups being permuted."""
    if len(places) < FEWEST:
        return None
    generator = np.random.default_rng(seed)
    totals, shares, sizes = sums.sum(axis=0), _shares(places), np.bincount(places)
    shuffled = generator.permuted(np.broadcast_to(totals, (_PERMUTATIONS, len(totals))), axis=1)
    null, seen = ((part @ shares - totals.mean()) ** 2 @ sizes for part in (shuffled, totals))
    return (1 + int((null >= seen - 1e-9).sum())) / (1 + _PERMUTATIONS)
