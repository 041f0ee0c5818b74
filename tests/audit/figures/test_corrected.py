from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from trialign.audit.figures.corrected import (
    ComparedFlips,
    compared_flips,
    corrected_difference,
    corrected_share,
    independent_trials,
)
from trialign.audit.figures.estimates import Estimate
from trialign.comparing.calibration import Calibration, Share

pytestmark = pytest.mark.unit

GROUPS, WORDINGS = (0, 0, 1, 1), (0, 1, 0, 1)
KNOWN = 10**9  # labelled pairs, so many that nothing is left to doubt


def calibration(sensitivity: float, specificity: float, pairs: int = KNOWN) -> Calibration:
    shares = (Share(round(share * pairs), pairs) for share in (sensitivity, specificity))
    return Calibration("planted", "", *shares, Share(1, 1), {})


def flips_between(*values: Any) -> ComparedFlips:
    """`compared_flips`, where there is something to compare."""
    found = compared_flips(*values)
    assert found is not None
    return found


def test_a_share_by_hand() -> None:
    # Rogan and Gladen: (.3 + .9 - 1) / (.8 + .9 - 1) = 2/7.
    assert corrected_share(0.3, 200, calibration(0.8, 0.9)).value == pytest.approx(2 / 7)
    assert corrected_share(0.05, 200, calibration(0.8, 0.9)).value == 0.0  # fewer than errors alone would make
    assert corrected_share(0.95, 200, calibration(0.8, 0.9)).value == 1.0


def test_a_comparer_that_never_errs_leaves_agresti_and_coulls_interval() -> None:
    """Lang and Reiczigel's interval is Agresti and Coull's (1998) where the comparer is known never to err."""
    found = corrected_share(0.3, 200, calibration(1, 1))
    low, high = proportion_confint(60, 200, method="agresti_coull")
    assert (found.value, found.low, found.high) == pytest.approx((0.3, low, high), abs=1e-6)


def test_the_interval_by_hand() -> None:
    """Lang and Reiczigel's equations, reckoned step by step for 30 of 100 with 45/50 and 57/60."""
    known = Calibration("planted", "", Share(45, 50), Share(57, 60), Share(1, 1), {})
    z2 = 1.959963984540054**2
    se, sp, p = 46 / 52, 58 / 62, (30 + z2 / 2) / (100 + z2)
    share = (p + sp - 1) / (se + sp - 1)
    shift = 2 * z2 * (share * se * (1 - se) / 52 - (1 - share) * sp * (1 - sp) / 62)
    variance = p * (1 - p) / (100 + z2) + share**2 * se * (1 - se) / 52 + (1 - share) ** 2 * sp * (1 - sp) / 62
    half = (z2 * variance) ** 0.5 / (se + sp - 1)
    found = corrected_share(0.3, 100, known)
    assert (found.low, found.high) == pytest.approx((share + shift - half, share + shift + half))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7])
def test_the_interval_of_a_share_covers(share: float) -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(600):
        seen, same = rng.binomial(117, 0.85), rng.binomial(117, 0.8)
        counted = rng.binomial(300, share * 0.85 + (1 - share) * 0.2) / 300
        known = Calibration("planted", "", Share(int(seen), 117), Share(int(same), 117), Share(1, 1), {})
        found = corrected_share(counted, 300, known)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= share <= found.high
    assert covered / 600 >= 0.93


def test_a_difference_is_divided_and_keeps_its_sign() -> None:
    known = calibration(0.9, 0.8)
    for low, value, high in ((0.07, 0.14, 0.21), (-0.07, 0.0, 0.07), (-0.21, -0.14, -0.07), (-0.02, 0.05, 0.12)):
        found = corrected_difference(Estimate(value, low, high), known)
        assert (found.low, found.value, found.high) == pytest.approx((low / 0.7, value / 0.7, high / 0.7), abs=1e-4)


@pytest.mark.parametrize("ends", [(0.001, 0.1, 0.2), (-0.001, 0.1, 0.2), (-0.2, -0.1, -0.001), (-0.2, -0.1, 0.001)])
def test_zero_is_outside_exactly_where_it_was(ends: tuple[float, float, float]) -> None:
    """However few the labelled pairs: the test for zero needs no calibration."""
    low, value, high = ends
    for pairs in (20, 117, 1000):
        found = corrected_difference(Estimate(value, low, high), calibration(0.9, 0.85, pairs))
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.high
        assert (found.low > 0, found.high < 0) == (low > 0, high < 0)


def test_the_doubt_of_youdens_index_by_hand() -> None:
    """Of a difference that is known, the ends are those of Se + Sp - 1, each by square and add of Wilson's."""
    known = calibration(0.9, 0.8, 100)
    (se_low, se_high), (sp_low, sp_high) = Share(90, 100).interval(), Share(80, 100).interval()
    least = 0.7 - ((0.9 - se_low) ** 2 + (0.8 - sp_low) ** 2) ** 0.5
    most = 0.7 + ((se_high - 0.9) ** 2 + (sp_high - 0.8) ** 2) ** 0.5
    found = corrected_difference(Estimate(0.2, 0.2, 0.2), known)
    assert (found.low, found.high) == pytest.approx((0.2 / most, 0.2 / least))


def test_few_labelled_pairs_widen() -> None:
    raw = Estimate(0.2, 0.15, 0.25)
    widths = []
    for pairs in (20, 100, KNOWN):
        found = corrected_difference(raw, calibration(0.9, 0.8, pairs))
        assert found.low is not None
        assert found.high is not None
        widths.append(found.high - found.low)
    assert widths[0] > widths[1] > widths[2]


@pytest.mark.parametrize(("sensitivity", "specificity"), [(0.5, 0.5), (0.3, 0.6), (1.0, 0.0), (0.6, 0.5)])
def test_what_chance_does_is_not_corrected(sensitivity: float, specificity: float) -> None:
    called = np.random.default_rng(0).integers(2, size=(50, 4, 4)).astype(float)
    found = flips_between(called, GROUPS, WORDINGS, np.arange(50), calibration(sensitivity, specificity, 100))
    assert found.across.corrected == Estimate(None, None, None)
    assert found.excess is not None
    assert found.excess.corrected == Estimate(None, None, None)
    assert found.across.raw.value is not None
    assert "not shown to be better than chance" in found.note


def test_replies_with_nothing_to_compare_are_no_flips() -> None:
    flips = np.zeros((3, 4, 4))
    flips[0, 0, 3] = np.nan  # of the pairs across, in different wordings, one
    flips[1] = np.nan
    flips[2, 0, 3] = flips[2, 1, 2] = 1.0
    found = flips_between(flips, GROUPS, WORDINGS, np.arange(3), calibration(1, 1))
    assert found.n_questions == 2
    assert found.across.raw.value == pytest.approx(0.5)
    assert found.within is not None
    assert found.within.raw.value == 0.0
    assert compared_flips(flips[1:2], GROUPS, WORDINGS, np.arange(1), calibration(1, 1)) is None


def test_pairs_are_of_different_wordings_where_there_are_several() -> None:
    flips = np.zeros((2, 4, 4))
    flips[:, 0, 2] = flips[:, 1, 3] = 1.0  # across groups in the same wording: not looked at
    found = flips_between(flips, GROUPS, WORDINGS, np.arange(2), calibration(1, 1))
    assert found.across.raw.value == 0.0
    asked_again = flips_between(flips, GROUPS, (0, 0, 0, 0), np.arange(2), calibration(1, 1))
    assert asked_again.across.raw.value == 0.5
    alone = flips_between(flips[:, ::2, ::2], (0, 1), (0, 0), np.arange(2), calibration(1, 1))
    assert alone.across.raw.value == 1.0
    assert alone.within is None
    assert alone.excess is None


def test_flips_between_equal_codes_are_those_of_flips_of() -> None:
    """Of answers that are equal or not, the figures are those of the audit's own excess flips."""
    from trialign.audit.figures.flips import flips_of as of_codes

    rng = np.random.default_rng(3)
    answers = rng.integers(3, size=(80, 3, 2, 2))
    rows = answers.reshape(80, -1)
    flips = (rows[:, :, None] != rows[:, None, :]).astype(float)
    places = np.indices((3, 2, 2)).reshape(3, -1)
    found = flips_between(flips, places[0].tolist(), places[1].tolist(), np.arange(80), calibration(1, 1))
    wanted = of_codes(answers, np.arange(80))
    assert found.excess is not None
    assert found.within is not None
    assert found.across.raw.value == pytest.approx(wanted.across)
    assert found.within.raw.value == pytest.approx(wanted.wordings)
    got = (found.excess.raw.value, found.excess.raw.low, found.excess.raw.high)
    assert got == pytest.approx((wanted.excess, wanted.low, wanted.high))


def test_independent_trials() -> None:
    assert independent_trials(np.arange(10) % 2, np.arange(10)) == pytest.approx(9)  # p (1 - p) over s^2 / n
    rng = np.random.default_rng(4)
    single = (rng.random(400) < 0.3).astype(float)
    assert independent_trials(single, np.arange(400)) == pytest.approx(400, rel=0.01)
    assert independent_trials(single.repeat(5), np.arange(400).repeat(5)) == pytest.approx(400, rel=0.01)
    assert independent_trials(np.zeros(30), np.arange(30) // 3) == 10  # all alike: the clusters count
    assert independent_trials(np.ones(3), np.zeros(3, dtype=int)) == 1.0
