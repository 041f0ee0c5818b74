"""A figure and its doubt."""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike

from trialign.audit.figures.statistics import Floats, mean_intervals, share_intervals


@dataclass(frozen=True)
class Estimate:
    """A mean over questions with its interval; None where it is undefined, or its spread cannot be told."""

    value: float | None
    low: float | None
    high: float | None


def share_estimates(values: Floats, clusters: ArrayLike, confidence: float, seed: int) -> list[Estimate]:
    """Means of values in [0, 1] with ``statistics.share_intervals``.

    Args:
        values: [questions, columns]; a column of NaN is undefined.
        clusters: [questions], labels.
        confidence: of the intervals.
        seed: of the resampling.

    Returns:
        One estimate a column.
    """
    return _estimates(values, share_intervals(values, clusters, confidence=confidence, seed=seed))


def mean_estimates(values: Floats, clusters: ArrayLike, confidence: float, seed: int) -> list[Estimate]:
    """Means of any values with ``statistics.mean_intervals``; arguments as `share_estimates` takes them."""
    return _estimates(values, mean_intervals(values, clusters, confidence=confidence, seed=seed))


def _estimates(values: Floats, intervals: Floats) -> list[Estimate]:
    means = values.mean(axis=0)
    return [Estimate(_known(m), _known(low), _known(high)) for m, (low, high) in zip(means, intervals, strict=True)]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
