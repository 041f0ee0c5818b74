"""Flips between groups by how far apart their values of an attribute are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialign.audit.figures.estimates import Estimate, mean_estimates
from trialign.audit.figures.statistics import Floats, Integers, in_chunks

#: Groups from which on whole groups are permuted: of fewer there are too few ways.
FEWEST = 6
_POINTS = 12  # most distances
_PERMUTATIONS = 2000
_FEWER = 499  # permutations of very many groups
_SIZE = 200_000_000  # pairs that are permuted at most, all together


@dataclass(frozen=True)
class DistancePoint:
    """Pairs of groups whose values are about as far apart.

    Attributes:
        distance: mean of their distances.
        pairs: how many.
        flips: share of questions to which two such groups give different answers.
    """

    distance: float
    pairs: int
    flips: Estimate


def flips_by_distance(
    answers: Integers, clusters: ArrayLike, numbers: Floats, *, confidence: float, seed: int
) -> tuple[tuple[DistancePoint, ...], float | None]:
    """Flips by distance, near pairs first, and the p-value of flips that do not grow with it.

    Args:
        answers: [questions, groups], codes; -1 where a reply holds none.
        clusters: [questions], labels.
        numbers: [groups], values of the attribute.
        confidence: of the intervals, by bootstrap over clusters.
        seed: of resampling and permutation.
    """
    first, second = np.triu_indices(len(numbers), k=1)
    apart = np.abs(numbers[first] - numbers[second])
    bins = _bins(apart)
    per_question, shares = flips_by(answers, bins, first, second)
    estimates = mean_estimates(per_question, clusters, confidence, seed)
    points = tuple(
        DistancePoint(float(apart[bins == place].mean()), int((bins == place).sum()), estimate)
        for place, estimate in enumerate(estimates)
    )
    return points, _mantel(shares, numbers, seed) if len(numbers) >= FEWEST else None


def _bins(apart: Floats) -> NDArray[np.int64]:
    """[pairs], the point that each pair belongs to: its distance where there are few, else of equally many pairs."""
    distinct, places = np.unique(apart, return_inverse=True)
    if len(distinct) <= _POINTS:
        return places.astype(np.int64)
    edges = np.unique(np.quantile(apart, np.linspace(0, 1, _POINTS + 1)))
    bins = np.clip(np.searchsorted(edges, apart, side="right") - 1, 0, len(edges) - 2)
    return np.unique(bins, return_inverse=True)[1].astype(np.int64)


def flips_by(answers: Integers, bins: NDArray[np.int64], first: Integers, second: Integers) -> tuple[Floats, Floats]:
    """Share of pairs whose answers differ.

    Args:
        answers: [questions, groups], codes; -1 differs from everything.
        bins: [pairs], from 0 on.
        first: [pairs], groups.
        second: [pairs], the other ones.

    Returns:
        [questions, bins], the share of each bin's pairs; and [pairs], the share of the questions.
    """
    sizes = np.bincount(bins)
    order = np.argsort(bins, kind="stable")
    starts = np.cumsum(sizes) - sizes
    one, other = first[order], second[order]
    shares, per_question = np.zeros(len(bins)), np.empty((len(answers), len(sizes)))
    for place, row in enumerate(answers):
        differ = (row[one] != row[other]) | (row[one] < 0)
        per_question[place] = np.add.reduceat(differ, starts, dtype=np.int64) / sizes
        shares[order] += differ
    return per_question, shares / len(answers)


def _mantel(shares: Floats, numbers: Floats, seed: int) -> float:
    """One-sided test: do pairs that are further apart flip more often, values being permuted over whole groups?"""
    groups = len(numbers)
    flips = np.zeros((groups, groups))
    flips[np.triu_indices(groups, k=1)] = shares - shares.mean()
    generator = np.random.default_rng(seed)

    def together(values: Floats) -> Floats:
        """[permutations, groups] -> [permutations]."""
        apart = np.abs(values[:, :, None] - values[:, None, :])
        found: Floats = apart.reshape(len(values), -1) @ flips.ravel()
        return found

    def null(count: int) -> Floats:
        return together(generator.permuted(np.broadcast_to(numbers, (count, groups)), axis=1))

    times = min(_PERMUTATIONS, max(_FEWER, _SIZE // groups**2))
    [seen] = together(numbers[None])
    return (1 + int((in_chunks(null, times, groups**2) >= seen - 1e-9).sum())) / (1 + times)
