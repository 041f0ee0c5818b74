"""Tests, intervals and verdicts of pairs of groups, and what they promise."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom, binomtest, multinomial, norm, permutation_test
from scipy.stats import t as student_t
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from trialign.audit.figures import pairs as of_pairs
from trialign.audit.figures.moments import Moments
from trialign.audit.figures.pairs import (
    compare_pairs,
    holm,
    pair_differences,
    paired_p_values,
    sign_flip_p_value,
    with_differing,
)
from trialign.audit.figures.statistics import Floats, Integers

pytestmark = pytest.mark.unit

Simulated = Callable[..., tuple[Floats, Integers]]
DELTA = ALPHA = 0.05
# Two questions of fact a, one each of b and c; groups x, y, z.
CORRECT = np.array([[1.0, 0, 1], [1, 0, 0], [1, 1, 1], [0, 1, 0]])
CLUSTERS = np.array(["a", "a", "b", "c"])


def difference_intervals(differences: Floats, counts: Floats, alpha: float) -> tuple[Floats, Floats, Floats]:
    return of_pairs.difference_intervals(Moments.of(differences, counts), alpha)


def clusters_needed(differences: Floats, counts: Floats, groups: int) -> int:
    return of_pairs.clusters_needed(Moments.of(differences, counts), groups, delta=DELTA, alpha=ALPHA)


def clusters_enough(differences: Floats, counts: Floats, groups: int) -> int:
    return of_pairs.clusters_enough(Moments.of(differences, counts), groups, delta=DELTA, alpha=ALPHA)


def test_differences_by_hand() -> None:
    differences, counts = pair_differences(CORRECT, CLUSTERS)
    # Pairs x-y, x-z, y-z; facts a, b, c.
    assert differences.tolist() == [[2, 1, -1], [0, 0, 0], [-1, 0, 1]]
    assert counts.tolist() == [2, 1, 1]


def test_pairs_carry_names_and_the_difference_of_the_accuracies() -> None:
    found = compare_pairs(CORRECT, CLUSTERS, ("x", "y", "z"), delta=DELTA, alpha=ALPHA)
    assert [(pair.first, pair.second) for pair in found] == [("x", "y"), ("x", "z"), ("y", "z")]
    assert [pair.difference for pair in found] == pytest.approx([1 / 4, 1 / 4, 0])
    assert all(-1 <= pair.low <= pair.difference <= pair.high <= 1 for pair in found)
    assert not any(pair.equivalent for pair in found)
    # x-y: +-2 +-1 is as far out as 2 - 1 = 1 in all four ways; x-z: a single fact.
    assert [pair.p_value for pair in found] == pytest.approx([1, 1, 1])
    assert compare_pairs(CORRECT[:, :1], CLUSTERS, ("x",), delta=DELTA, alpha=ALPHA) == ()


def test_pairs_carry_the_share_of_questions_that_they_answer_differently() -> None:
    # x and y: the same once; x and z: the same twice; nobody agrees with a reply that holds no answer.
    answers = np.array([[0, 1, 0], [0, 1, 1], [2, 2, 2], [-1, -1, 3]])
    pairs = compare_pairs(CORRECT, CLUSTERS, ("x", "y", "z"), delta=DELTA, alpha=ALPHA)
    found = with_differing(pairs, ("x", "y", "z"), answers, CLUSTERS, confidence=0.95, seed=0)
    shares = [pair.differ for pair in found]
    assert all(one is not None for one in shares)
    assert [one.value for one in shares if one] == pytest.approx([3 / 4, 2 / 4, 2 / 4])
    assert all(one.low <= one.value <= one.high for one in shares if one)  # type: ignore[operator]
    assert [(one.first, one.second, one.p_holm) for one in found] == [(p.first, p.second, p.p_holm) for p in pairs]
    assert with_differing((), (), answers, CLUSTERS, confidence=0.95, seed=0) == ()


def test_single_questions_are_tested_as_statsmodels_does() -> None:
    correct = np.random.default_rng(0).random((70, 4)) < [0.9, 0.6, 0.7, 0.7]
    p_values = paired_p_values(*pair_differences(correct.astype(float), np.arange(70)))
    for p_value, (i, j) in zip(p_values, combinations(range(4), 2), strict=True):
        table = np.histogram2d(correct[:, i], correct[:, j], bins=2)[0]
        assert p_value == pytest.approx(mcnemar(table, exact=True).pvalue)
        better, worse = int(table[1, 0]), int(table[0, 1])
        assert p_value == pytest.approx(binomtest(better, better + worse).pvalue)


def test_holms_correction_agrees_with_statsmodels() -> None:
    for p_values in ([0.04], [0.01, 0.04, 0.03, 0.005], [0.5, 0.5, 0.9, 0.01]):
        assert holm(p_values).tolist() == pytest.approx(multipletests(p_values, method="holm")[1].tolist())
    assert len(holm([])) == 0


@pytest.mark.parametrize("seed", range(4))
def test_the_sign_flip_test_agrees_with_scipy(seed: int) -> None:
    differences = np.random.default_rng(seed).integers(-3, 5, size=11)
    other = permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    far = np.abs(other.null_distribution) >= abs(differences.sum())
    assert len(far) == 2**11
    assert sign_flip_p_value(differences) == pytest.approx(far.mean())


def test_the_sign_flip_test_of_many_facts_is_nearly_normal() -> None:
    differences = np.random.default_rng(1).choice([-4, -2, 0, 2, 4], size=50_000, p=[0.1, 0.1, 0.598, 0.1, 0.102])
    # Sums move in steps of 4 (a sign of a 2 changed), so half a step is 2.
    deviation = (abs(differences.sum()) - 2) / np.sqrt((differences**2).sum())
    assert sign_flip_p_value(differences) == pytest.approx(2 * norm.sf(deviation), rel=0.01)


def test_no_difference_and_plain_differences() -> None:
    assert sign_flip_p_value(np.zeros(5, dtype=np.int64)) == 1
    assert sign_flip_p_value(np.array([2, -2, 0])) == 1
    assert sign_flip_p_value(np.full(10, 3)) == pytest.approx(2 / 2**10)
    assert 0 < sign_flip_p_value(np.full(400, 1)) < 1e-12


def test_groups_that_never_differ_still_leave_the_doubt_of_their_number() -> None:
    for clusters in (20, 71, 72):
        means, lows, highs = difference_intervals(np.zeros((clusters, 1)), np.ones(clusters), ALPHA)
        deviate = student_t.ppf(0.95, clusters - 1)
        # u^2 = t^2 (1 / C + u) / C
        expected = (deviate**2 / 2 + deviate * math.sqrt(deviate**2 / 4 + 1)) / clusters
        assert (means[0], lows[0], highs[0]) == pytest.approx((0, -expected, expected))
        assert (highs[0] < 0.05) == (clusters >= 72)


def test_an_interval_of_many_facts_is_walds(simulated: Simulated) -> None:
    correct, clusters = simulated(np.random.default_rng(2), (0.7, 0.6), clusters=40_000, paraphrases=1)
    differences, counts = pair_differences(correct, clusters)
    mean, low, high = (part[0] for part in difference_intervals(differences, counts, ALPHA))
    wald = norm.ppf(0.95) * differences.std() / math.sqrt(len(counts))
    assert mean == pytest.approx(correct[:, 0].mean() - correct[:, 1].mean())
    assert high - mean == pytest.approx(wald, rel=0.02)
    assert mean - low == pytest.approx(wald, rel=0.02)


def test_paraphrases_that_are_answered_alike_count_once(simulated: Simulated) -> None:
    correct, clusters = simulated(np.random.default_rng(3), (0.8, 0.7), clusters=150, paraphrases=1)
    once = difference_intervals(*pair_differences(correct, clusters), ALPHA)
    thrice = difference_intervals(*pair_differences(correct.repeat(3, axis=0), clusters.repeat(3)), ALPHA)
    np.testing.assert_allclose(thrice, once)


def test_facts_of_many_questions_weigh_more_in_an_interval() -> None:
    sizes, differences = np.array([1.0, 3, 1, 3, 2]), np.array([[1.0], [0], [-1], [2], [1]])
    (mean,), (low,), (high,) = difference_intervals(differences, sizes, 0.4)
    assert mean == pytest.approx(3 / 10)
    # In units of the mean size 2 the differences are .5, 0, -.5, 1, .5, and 0.15 for each question is expected: off
    # by .35, -.45, -.65, .55 and .2, squares 1.09, variance 1.09 / 4. One that is not zero is of the size
    # (1.75 + 1) / (2.5 + 1).
    half = high - mean
    assert mean - low == pytest.approx(half)
    deviate = student_t.ppf(0.6, 4)
    assert half**2 == pytest.approx(deviate**2 * (1.09 / 4 + 1 / 5 + 2.75 / 3.5 * half) / 5)


def test_the_share_of_ways_is_never_nought() -> None:
    # Where all differ alike it is 2 / 2^n, which rounding would make nothing, or less.
    for clusters in range(60, 460, 5):
        assert sign_flip_p_value(np.full(clusters, 1)) > 0


def test_one_fact_tells_nothing() -> None:
    assert [part.tolist() for part in difference_intervals(np.array([[1.0]]), np.array([4.0]), ALPHA)] == [
        [0.25],
        [-1],
        [1],
    ]


def test_two_facts_tell_something() -> None:
    (mean,), (low,), (high,) = difference_intervals(np.array([[0.0], [0.0]]), np.array([1.0, 3]), 0.4)
    # Nothing differs: one change of full size in two facts, at a distance u of size 1 / 1 u.
    deviate, half = student_t.ppf(0.6, 1), high - mean
    assert (mean, low) == (0, -half)
    assert half**2 == pytest.approx(deviate**2 * (0 + 1 / 2 + half) / 2)
    assert half < 1


@pytest.mark.parametrize("clusters", [75, 120, 153, 200])
def test_the_chance_to_call_groups_equivalent_is_below_alpha_at_a_difference_of_delta(clusters: int) -> None:
    """Enumerated: all counts of questions that only the one group, and only the other, gets right."""
    better, worse = (part.ravel() for part in np.indices((clusters + 1, clusters + 1)))
    likely = (better + worse <= clusters) & (better - worse < DELTA * clusters) & (worse <= clusters // 3)
    better, worse = better[likely], worse[likely]
    order = np.arange(clusters)[:, None]
    differences = (order < better).astype(float) - ((order >= better) & (order < better + worse))
    _, lows, highs = difference_intervals(differences, np.ones(clusters), ALPHA)
    equivalent = (lows > -DELTA) & (highs < DELTA)
    outcomes = np.stack([better, worse, clusters - better - worse], axis=1)[equivalent]
    assert len(outcomes) > 0
    for discordant in (0, 0.005, 0.01, 0.03, 0.1):
        chances = [discordant + DELTA, discordant, 1 - DELTA - 2 * discordant]
        assert multinomial.pmf(outcomes, clusters, chances).sum() <= ALPHA


@pytest.mark.parametrize("groups", [2, 5])
def test_as_many_facts_as_are_said_to_be_enough_are_enough(simulated: Simulated, groups: int) -> None:
    generator = np.random.default_rng(4)

    def drawn(clusters: int) -> tuple[Floats, Floats]:
        return pair_differences(*simulated(generator, (0.7,) * groups, clusters=clusters, correlation=0.5, shared=0.9))

    enough = clusters_enough(*drawn(4000), groups)  # from many facts: the spread is known
    simulations, shown = 300, 0
    for _ in range(simulations):
        _, lows, highs = difference_intervals(*drawn(enough), ALPHA)
        shown += bool((lows > -DELTA).all() and (highs < DELTA).all())
    assert binom.ppf(0.001, simulations, 0.8) <= shown
    assert shown < simulations  # and not far more than enough
    fewer = [difference_intervals(*drawn(enough // 2), ALPHA)[2].max() < DELTA for _ in range(simulations)]
    assert sum(fewer) < 0.8 * simulations


def test_more_facts_than_are_enough_need_four_times_as_many() -> None:
    differences = np.tile([[1.0], [-1.0], [0.0], [0.0], [0.0], [0.0]], (100, 1))
    enough = clusters_enough(differences, np.ones(600), 2)
    # A variance of 1/3: (1.645 + 1.282)^2 / 3 / .05^2 = 1142, and somewhat more for the score interval.
    assert 1142 < enough < 1.1 * 1142
    assert clusters_needed(differences, np.ones(600), 2) == enough
    many = np.tile(differences, (3, 1))
    # The variance of the sample is a little smaller the larger it is.
    needed = clusters_needed(many, np.ones(1800), 2)
    assert needed == pytest.approx(4 * enough, rel=0.01)


def test_of_many_groups_the_worst_pairs_are_told_and_corrected_for_all() -> None:
    generator = np.random.default_rng(8)
    correct = (generator.random((300, 60)) < 0.7).astype(float)
    correct[:, 13] = generator.random(300) < 0.3
    names = tuple(f"g{place}" for place in range(60))
    found = compare_pairs(correct, np.arange(300), names, delta=DELTA, alpha=ALPHA)
    assert len(found) == of_pairs.WORST
    # The largest of the differences of all 1,770 pairs, in order; all of them with the bad group.
    everything = np.abs(pair_differences(correct, np.arange(300))[0].sum(axis=0) / 300)
    assert [abs(pair.difference) for pair in found] == pytest.approx(np.sort(everything)[::-1][: of_pairs.WORST])
    assert all("g13" in (pair.first, pair.second) for pair in found)
    for pair in found:
        first, second = (int(name[1:]) for name in (pair.first, pair.second))
        [p_value] = paired_p_values((correct[:, first] - correct[:, second])[:, None], np.ones(300))
        assert (pair.p_value, pair.p_holm) == pytest.approx((p_value, min(1, 1770 * p_value)))
        assert pair.p_holm < 0.001


def test_worst_pairs_of_equal_groups_are_rarely_called_different() -> None:
    generator = np.random.default_rng(9)
    names, simulations = tuple(f"g{place}" for place in range(55)), 60
    rejected = 0
    for _ in range(simulations):
        correct = (generator.random((120, 55)) < 0.6).astype(float)
        rejected += (
            min(p.p_holm for p in compare_pairs(correct, np.arange(120), names, delta=DELTA, alpha=ALPHA)) <= 0.05
        )
    assert rejected <= binom.ppf(0.999, simulations, 0.05)
