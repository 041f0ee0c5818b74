"""Sums from which the intervals of half a million pairs are made."""

from __future__ import annotations

import numpy as np
import pytest

from trialign.audit.figures.moments import Moments
from trialign.audit.figures.pairs import pair_differences

pytestmark = pytest.mark.unit


def test_moments_by_hand() -> None:
    # Two clusters of 1 and 3 questions; a column with 1 and -3 of them.
    moments = Moments.of(np.array([[1.0], [-3.0]]), np.array([1.0, 3.0]))
    assert (moments.totals, moments.squares, moments.sizes, moments.weighted) == (-2, 10, 4, -8)
    assert moments.means == -0.5
    # In shares of the mean size 2: 1/2 and -3/2, about the mean -1/2 times the sizes: 1/2 + 1/4 and -3/2 + 3/4.
    assert moments.variances == pytest.approx(0.75**2 + 0.75**2)
    assert moments.units == pytest.approx((10 / 4 + 1) / (4 / 2 + 1))
    assert moments.turned.means == 0.5


def test_pairs_have_the_moments_of_their_differences() -> None:
    generator = np.random.default_rng(0)
    correct, clusters = (generator.random((90, 7)) < 0.6).astype(float), generator.integers(0, 40, 90)
    pairs, columns = Moments.of_pairs(correct, clusters), Moments.of(*pair_differences(correct, clusters))
    for name in ("totals", "squares", "sizes", "weighted", "counts", "means", "variances", "units"):
        assert getattr(pairs, name) == pytest.approx(getattr(columns, name)), name
