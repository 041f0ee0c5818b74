"""What holds of figures that went through a comparer, by simulation: errors alike, and errors that differ."""

from __future__ import annotations

import numpy as np
import pytest

from trialign.audit.figures.corrected import compared_flips
from trialign.comparing.calibration import Calibration, Share

pytestmark = pytest.mark.integration

GROUPS, WORDINGS = (0, 0, 1, 1), (0, 1, 0, 1)


def calibration(sensitivity: float, specificity: float) -> Calibration:
    """Shares that are known beyond doubt."""
    shares = (Share(round(share * 10**9), 10**9) for share in (sensitivity, specificity))
    return Calibration("planted", "", *shares, Share(1, 1), {})


def simulated(
    rng: np.random.Generator,
    questions: int,
    differing: float,
    sensitivity: float = 0.85,
    specificity: float = 0.8,
    specificity_across: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Flips between the replies of two groups in two wordings, as they truly are and as a comparer calls them.

    Every reply is one of four answers; a wording changes it now and then. On a share of the questions the second
    group's answer is another one.
    """
    usual = rng.integers(4, size=(questions, 1)).repeat(4, axis=1)
    usual[:, 2:] = (usual[:, 2:] + (rng.random((questions, 1)) < differing)) % 4
    answers = np.where(rng.random((questions, 4)) < 0.2, rng.integers(4, size=(questions, 4)), usual)
    true = (answers[:, :, None] != answers[:, None, :]).astype(float)
    spec = np.full((4, 4), specificity)
    if specificity_across is not None:
        spec[:2, 2:] = specificity_across
    draws = rng.random(true.shape)
    called = np.where(true == 1, draws < sensitivity, draws < 1 - spec).astype(float)
    return true, called


def test_measured_excess_is_the_true_one_times_youdens_index() -> None:
    """Where the comparer errs alike between and within groups: excess measured = true excess x (Se + Sp - 1)."""
    true, called = simulated(np.random.default_rng(1), 60_000, 0.3)
    sure, known = calibration(1, 1), calibration(0.85, 0.8)
    of_true = compared_flips(true, GROUPS, WORDINGS, np.arange(len(true)) // 150, sure)
    found = compared_flips(called, GROUPS, WORDINGS, np.arange(len(true)) // 150, known)
    assert of_true is not None
    assert found is not None
    assert of_true.excess is not None
    assert found.excess is not None
    assert of_true.within is not None
    assert found.within is not None
    assert of_true.excess.raw.value == pytest.approx(0.19, abs=0.01)
    assert found.excess.raw.value == pytest.approx(0.65 * of_true.excess.raw.value, abs=0.004)
    assert found.excess.corrected.value == pytest.approx(of_true.excess.raw.value, abs=0.006)
    assert found.across.corrected.value == pytest.approx(of_true.across.raw.value, abs=0.006)
    assert found.within.corrected.value == pytest.approx(of_true.within.raw.value, abs=0.006)
    assert found.across.raw.value != pytest.approx(of_true.across.raw.value, abs=0.03)  # the correction is needed


def rejections(differing: float, **errors: float) -> float:
    """How often the raw excess is shown to be above zero, of 120 audits of 80 questions."""
    rng = np.random.default_rng(2)
    count = 0
    for seed in range(120):
        _, called = simulated(rng, 80, differing, **errors)
        found = compared_flips(called, GROUPS, WORDINGS, np.arange(80), calibration(0.85, 0.8), seed=seed)
        assert found is not None
        assert found.excess is not None
        assert found.excess.raw.low is not None
        count += found.excess.raw.low > 0
    return count / 120


def test_the_test_for_zero_needs_no_calibration() -> None:
    """Of groups that do not differ it errs as often as it may (2.5 %), and it finds those that do."""
    assert rejections(0.0) <= 0.05
    assert rejections(0.0, sensitivity=0.6, specificity=0.55) <= 0.05
    assert rejections(0.4) >= 0.8


def test_where_errors_differ_between_and_within_groups_the_test_fails() -> None:
    """A comparer that misses sameness more often across groups, as where they word it differently, finds differences
    between groups that do not differ; no calibration on other pairs tells."""
    assert rejections(0.0, specificity=0.85, specificity_across=0.65) >= 0.8
