"""Sums over clusters from which intervals and tests of many means are made without holding a column for each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import pdist

from trialign.audit.figures.statistics import Floats, cluster_sums


@dataclass(frozen=True)
class Moments:
    """Of values per cluster ([clusters, columns]), the sums over clusters.

    Attributes:
        totals: [columns], of the values.
        squares: [columns], of their squares.
        sizes: [columns], of their distances from zero.
        weighted: [columns], of value times cluster size.
        counts: [clusters], the clusters' sizes.
    """

    totals: Floats
    squares: Floats
    sizes: Floats
    weighted: Floats
    counts: Floats

    @classmethod
    def of(cls, sums: Floats, counts: Floats) -> Moments:
        """Of sums per cluster ([clusters, columns]) and the clusters' sizes ([clusters])."""
        return cls(sums.sum(axis=0), (sums**2).sum(axis=0), np.abs(sums).sum(axis=0), counts @ sums, counts)

    @classmethod
    def of_pairs(cls, correct: Floats, clusters: ArrayLike) -> Moments:
        """Of the differences of every two groups: a column a pair, in the order of ``np.triu_indices(groups, k=1)``.

        Memory is one number a pair, not one a cluster and pair: of 1,000 groups the half million pairs take 16 MB.

        Args:
            correct: [questions, groups], 0 or 1.
            clusters: [questions], labels.
        """
        sums, counts = cluster_sums(correct, clusters)
        first, second = np.triu_indices(correct.shape[1], k=1)
        totals, weighted = sums.sum(axis=0), counts @ sums
        columns = np.ascontiguousarray(sums.T)
        return cls(
            totals=totals[first] - totals[second],
            squares=pdist(columns, "sqeuclidean"),
            sizes=pdist(columns, "cityblock"),
            weighted=weighted[first] - weighted[second],
            counts=counts,
        )

    @property
    def means(self) -> Floats:
        """[columns], over questions."""
        means: Floats = self.totals / self.counts.sum()
        return means

    @property
    def turned(self) -> Moments:
        """Of the values with the other sign."""
        return replace(self, totals=-self.totals, weighted=-self.weighted)

    @property
    def variances(self) -> Floats:
        """[columns], of a cluster's value in shares of a question, about the mean."""
        size, clusters = self.counts.mean(), len(self.counts)
        mean = self.totals / size / self.counts.sum()
        squared = self.squares / size**2 - 2 * mean * self.weighted / size + mean**2 * (self.counts**2).sum()
        variances: Floats = np.maximum(squared, 0) / (clusters - 1)
        return variances

    @property
    def units(self) -> Floats:
        """[columns], the typical size of a value that is not zero, in shares of a question."""
        size = self.counts.mean()
        units: Floats = (self.squares / size**2 + 1) / (self.sizes / size + 1)
        return units
