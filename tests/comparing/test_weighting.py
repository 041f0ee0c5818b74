"""Pairs that were drawn with different chances, held against all of those that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from trialign.audit.figures.corrected import corrected_share
from trialign.comparing.calibration import Calibration, Share
from trialign.comparing.weighting import weighted_share

pytestmark = pytest.mark.unit

# Eight facts of ten are called the same, one of a hundred of them wrongly; of the other two, half wrongly not.
CALLED, WRONG = 0.8, {True: 0.01, False: 0.5}
OTHER = CALLED * WRONG[True] + (1 - CALLED) * WRONG[False]
SENSITIVITY = (1 - CALLED) * WRONG[False] / OTHER
SPECIFICITY = CALLED * (1 - WRONG[True]) / (1 - OTHER)


def drawn(rng: np.random.Generator, of_each: int, facts: int = 1000) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Equally many of those called the same and not: what each stands for, whether it is other, whether so called."""
    called = np.repeat([True, False], of_each)
    other = rng.random(2 * of_each) < np.where(called, WRONG[True], WRONG[False])
    stand_for = np.where(called, CALLED, 1 - CALLED) * facts / of_each
    return stand_for.tolist(), other, ~called


def test_every_pair_counts_as_often_as_there_are_pairs_that_it_stands_for() -> None:
    # Two that stand for four each, both right; two that stand for one each, one of them right: 9 of 10.
    found, of = weighted_share([4, 4, 1, 1], [True] * 4, [True, True, True, False])
    assert found / of == pytest.approx(0.9)
    # Those without the label change nothing but what is known of the others.
    found, of = weighted_share([4, 4, 1, 1, 4], [True] * 4 + [False], [True, True, True, False, True])
    assert found / of == pytest.approx(0.9)


def test_drawn_with_one_chance_pairs_are_worth_about_as_many_trials_as_there_are() -> None:
    chosen, right = [True] * 200 + [False] * 200, [True] * 150 + [False] * 250
    found, of = weighted_share([2.0] * 400, chosen, right)
    assert found / of == pytest.approx(0.75)
    assert of == pytest.approx(200, rel=0.02)


def test_what_was_never_seen_is_not_taken_to_be_impossible() -> None:
    """Of fifty pairs called the same, which stand for 800, none was wrong: that says little of the others missed."""
    stand_for, called = [16.0] * 50 + [4.0] * 50, np.repeat([True, False], 50)
    other = np.zeros(100, dtype=bool)
    other[50:75] = True
    share = Share(*weighted_share(stand_for, other.tolist(), (other & ~called).tolist()))
    assert share.value == 1
    # At most 3.84 / 53.84 of the 800 are missed (Wilson), beside 100 that were found: .64. Counted as they stand: .87.
    assert 0.6 < share.interval()[0] < 0.75


def test_shares_of_a_sample_in_equal_parts_are_those_of_the_whole() -> None:
    """Counted as it stands, the sample would give a specificity of .66 for one of .89, and a share of 0 for .11."""
    rng, simulations, inside, above, among = np.random.default_rng(5), 400, [0, 0], [0, 0], 0
    for _ in range(simulations):
        stand_for, other, called_other = drawn(rng, 150)
        truly = ((other, SENSITIVITY), (~other, SPECIFICITY))
        right = called_other == other
        shares = [Share(*weighted_share(stand_for, chosen.tolist(), right.tolist())) for chosen, _ in truly]
        for place, (share, (_, truth)) in enumerate(zip(shares, truly, strict=True)):
            low, high = share.interval()
            inside[place] += low <= truth <= high
            above[place] += low > truth
        counted = rng.binomial(500, 1 - CALLED)
        known = Calibration("", "", *shares, Share(1, 1), {})
        if not known.usable:
            among += 1  # nothing is corrected, and nothing said
            continue
        found = corrected_share(counted / 500, 500, known)
        assert found.low is not None
        assert found.high is not None
        among += found.low <= OTHER <= found.high
    least = binom.ppf(0.0005, simulations, 0.95)
    assert inside[0] >= least
    assert inside[1] >= least
    assert among >= least
    # What a quality is held against is the lower end.
    assert max(above) <= binom.ppf(0.9995, simulations, 0.025)
