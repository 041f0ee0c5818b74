from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations, product

import numpy as np
import pytest
from scipy.stats import binom, chi2
from statsmodels.stats.contingency_tables import cochrans_q

from trialign.audit.figures import statistics

pytestmark = pytest.mark.unit

Z = 1.959964  # the normal distribution's 97.5 % quantile

# Three groups on four queries, all with gold 0:
# agreed and right; agreed and wrong; one pair of three agrees; two without an answer, so no pair agrees.
ANSWERS = np.array([[0, 0, 0], [1, 1, 1], [0, 0, 1], [-1, -1, 0]])


def test_codes_tell_answers_apart_and_mark_their_absence() -> None:
    codes = statistics.answer_codes(np.array([["Paris", None], ["Rome", "Paris"]], dtype=object))
    assert codes.shape == (2, 2)
    assert codes[0, 1] == -1
    assert codes[0, 0] == codes[1, 1] != codes[1, 0]


def test_flips_by_hand() -> None:
    assert statistics.flip_rate(ANSWERS) == pytest.approx((0 + 0 + 2 + 3) / 12)
    assert statistics.flip_rate(np.full((2, 3), -1)) == 1


@pytest.mark.parametrize(
    "agreement",
    [
        statistics.flip_rate,
        lambda answers: statistics.mean_divergence(np.ones((4, 1, 1)), np.full(4, 2)),
    ],
)
def test_one_group_has_no_agreement(agreement: Callable[[statistics.Integers], float]) -> None:
    assert math.isnan(agreement(ANSWERS[:, :1]))


def test_gap_is_the_largest_minus_the_smallest() -> None:
    assert statistics.gap([0.5, 0.75, 0.25]) == 0.5


def test_divergence_by_hand() -> None:
    probabilities = np.array(
        [
            # Two options. M = (2/3, 1/3), H(M) = log 3 - (2/3) log 2, no entropy of its own, largest log 2.
            [[1, 0, 0], [1, 0, 0], [0, 1, 0]],
            # All alike: 0.
            [[0.2, 0.3, 0.5]] * 3,
            # All apart on three options: H(M) = log 3, the largest there is, so 1.
            np.eye(3),
        ]
    )
    expected = ((math.log(3) - 2 / 3 * math.log(2)) / math.log(2) + 0 + 1) / 3
    assert statistics.mean_divergence(probabilities, np.array([2, 3, 3])) == pytest.approx(expected)


def test_nash_is_the_geometric_mean_of_the_shifted_utilities() -> None:
    assert statistics.nash([0.24, 0.99], eps=0.01) == pytest.approx(math.sqrt(0.25 * 1.0))


def test_single_questions_get_wilsons_interval() -> None:
    # Five of ten: the centre is 1/2 by symmetry.
    half = Z / (1 + Z**2 / 10) * math.sqrt(0.25 / 10 + Z**2 / 400)
    low, high = statistics.accuracy_interval([1] * 5 + [0] * 5, list("abcdefghij"))
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-6)


def test_clusters_are_drawn_whole() -> None:
    # Clusters {1} and {0, 0, 0}. Two draws give 1 (once in four), 1/4 (twice in four) or 0 (once in four), so
    # the 30 % and 70 % quantiles are both 1/4, and the 2.5 % and 97.5 % ones 0 and 1.
    correct, clusters = [1, 0, 0, 0], ["a", "b", "b", "b"]
    assert statistics.accuracy_interval(correct, clusters, confidence=0.4) == (0.25, 0.25)
    assert statistics.accuracy_interval(correct, clusters) == (0, 1)


def test_clusters_that_all_agree_still_leave_doubt() -> None:
    # Four clusters of two, all right: Wilson's lower end for 4 of 4 is 1 / (1 + z^2 / 4).
    low, high = statistics.accuracy_interval([1] * 8, [0, 0, 1, 1, 2, 2, 3, 3])
    assert low == pytest.approx(1 / (1 + Z**2 / 4), abs=1e-6)
    assert high == pytest.approx(1)


def test_permutations_keep_a_cluster_whole() -> None:
    correct = [[1, 0], [1, 0]]
    # As one cluster both queries swap together: the gap is always 1.
    assert statistics.permutation_gap(correct, [0, 0], permutations=50) == (1.0, 1.0)
    # As two clusters they swap alone: the gap is 1 or 0, each half of the time. Four standard deviations of
    # the mean of 2000 such draws are 4 * 0.5 / sqrt(2000) = 0.045.
    null, p_value = statistics.permutation_gap(correct, [0, 1])
    assert null == pytest.approx(0.5, abs=0.045)
    assert p_value == pytest.approx(0.5, abs=0.045)


def test_the_permutation_test_agrees_with_all_permutations() -> None:
    # Five facts, the last two of two and of three questions; all 6^5 ways to deal the three labels anew, fact by fact.
    clusters = np.array([0, 1, 2, 3, 3, 4, 4, 4])
    correct = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]])
    sums, _ = statistics.cluster_sums(correct.astype(float), clusters)
    gaps = [
        np.ptp(sum(row[list(order)] for row, order in zip(sums, deal, strict=True)))
        for deal in product(permutations(range(3)), repeat=5)
    ]
    noise, p_value = statistics.permutation_gap(correct, clusters, permutations=4000)
    as_large = np.mean(np.array(gaps) >= np.ptp(sums.sum(axis=0)) - 1e-9)
    assert 0.01 < as_large < 0.2
    assert p_value == pytest.approx(as_large, abs=4 * math.sqrt(as_large / 4000))
    assert noise == pytest.approx(np.mean(gaps) / 8, abs=4 * np.std(gaps) / 8 / math.sqrt(4000))


def test_a_plain_gap_gets_the_smallest_p_value() -> None:
    correct = np.zeros((40, 3))
    correct[:, 0] = 1
    _, p_value = statistics.permutation_gap(correct, np.arange(40), permutations=199)
    assert p_value == 1 / 200


def test_another_seed_draws_anew_and_the_same_one_the_same() -> None:
    correct = np.random.default_rng(2).random((30, 3)) < 0.6
    first, again, other = (
        statistics.permutation_gap(correct, np.arange(30), permutations=200, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
    values = np.random.default_rng(3).random((30, 2))
    first, again, other = (
        statistics.mean_intervals(values, np.arange(30), resamples=200, seed=seed).tolist() for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_the_permutation_test_holds_its_level_on_correlated_paraphrases() -> None:
    generator = np.random.default_rng(7)
    simulations, clusters, paraphrases, groups = 300, 30, 4, 4
    labels = np.repeat(np.arange(clusters), paraphrases)
    whole, single = 0, 0
    for seed in range(simulations):
        facts = generator.random((clusters, groups)) < 0.6
        correct = facts[labels] ^ (generator.random((len(labels), groups)) < 0.05)
        whole += statistics.permutation_gap(correct, labels, permutations=199, seed=seed)[1] <= 0.05
        rows = np.arange(len(labels))
        single += statistics.permutation_gap(correct, rows, permutations=199, seed=seed)[1] <= 0.05
    assert binom.ppf(0.0005, simulations, 0.05) <= whole <= binom.ppf(0.9995, simulations, 0.05)
    # The same test with every paraphrase for itself must fail here, or this simulation shows nothing.
    assert single > binom.ppf(0.9995, simulations, 0.05)


def test_cochrans_q_by_hand() -> None:
    correct = [[1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 0, 0], [1, 1, 1]]
    # Columns 5, 2, 2, rows 1, 2, 2, 1, 3: Q = 2 (3 (25 + 4 + 4) - 9^2) / (3 * 9 - (1 + 4 + 4 + 1 + 9)) = 36 / 8.
    assert statistics.cochrans_q_p_value(correct, np.arange(5)) == pytest.approx(chi2.sf(4.5, 2))


def test_cochrans_q_and_the_permutation_test_agree_on_single_questions() -> None:
    correct = np.random.default_rng(3).random((400, 4)) < [0.5, 0.5, 0.5, 0.58]
    _, permuted = statistics.permutation_gap(correct, np.arange(400), permutations=4000)
    found = statistics.cochrans_q_p_value(correct, np.arange(400))
    assert found == pytest.approx(permuted, abs=0.05)
    assert 0.001 < permuted < 0.2


def test_cochrans_q_is_not_taken_where_it_does_not_hold() -> None:
    assert statistics.cochrans_q_p_value([[1, 0], [1, 0], [0, 1]], ["a", "a", "b"]) is None
    assert statistics.cochrans_q_p_value(np.ones((9, 3)), np.arange(9)) is None
    # Of paraphrases that are answered alike it would find differences between equal groups.
    generator = np.random.default_rng(11)
    facts = generator.random((200, 30, 3)) < 0.6
    rejected = sum(cochrans_q(np.repeat(draw, 3, axis=0)).pvalue <= 0.05 for draw in facts)
    assert rejected > binom.ppf(0.9995, 200, 0.05)


def test_means_are_bootstrapped_over_clusters() -> None:
    # The values are {1} and {0, 0, 0}: the draws of test_clusters_are_drawn_whole.
    values, clusters = np.array([[1.0], [0], [0], [0]]), ["a", "b", "b", "b"]
    assert statistics.mean_intervals(values, clusters).tolist() == [[0, 1]]
    assert statistics.mean_intervals(values, clusters, confidence=0.4).tolist() == [[0.25, 0.25]]
    assert statistics.mean_intervals(-values, clusters).tolist() == [[-1, 0]]


def test_one_cluster_tells_no_spread() -> None:
    assert np.isnan(statistics.mean_intervals(np.array([[1.0], [0]]), ["a", "a"])).all()


def test_chunks_do_not_change_a_permutation_test(monkeypatch: pytest.MonkeyPatch) -> None:
    correct = np.random.default_rng(0).random((20, 3)) < 0.5
    at_once = statistics.permutation_gap(correct, np.arange(20), permutations=100)
    monkeypatch.setattr(statistics, "_CHUNK", 700)
    assert statistics.permutation_gap(correct, np.arange(20), permutations=100) == pytest.approx(at_once)


@pytest.mark.parametrize("groups", [2, 3, 16])
def test_many_clusters_give_what_drawing_would(monkeypatch: pytest.MonkeyPatch, groups: int) -> None:
    generator = np.random.default_rng(groups)
    easy = generator.random((600, 1)) < 0.6
    correct = np.where(generator.random((600, groups)) < 0.5, easy, generator.random((600, groups)) < 0.6)
    correct[:, 0] |= generator.random(600) < 0.04
    monkeypatch.setattr(statistics, "_LIMIT", 10_000)
    drawn = statistics.permutation_gap(correct, np.arange(600), permutations=4000)
    monkeypatch.setattr(statistics, "_LIMIT", 100)
    limit = statistics.permutation_gap(correct, np.arange(600))
    # Four standard deviations of the drawing: of a share, and of the mean of gaps that vary by half their mean.
    assert limit[1] == pytest.approx(drawn[1], abs=4 * 0.5 / math.sqrt(4000))
    assert limit[0] == pytest.approx(drawn[0], rel=4 * 0.75 / math.sqrt(4000))


def test_groups_that_never_differ_have_no_gap() -> None:
    correct = np.ones((700, 3))
    assert statistics.permutation_gap(correct, np.arange(700)) == (0.0, 1.0)


def test_several_shares_get_the_intervals_of_each() -> None:
    generator = np.random.default_rng(0)
    clusters = np.repeat(np.arange(20), 2)
    values = np.stack([generator.random(40), generator.random(40) < 0.5, np.ones(40)], axis=1)
    together = statistics.share_intervals(values, clusters)
    for column in range(3):
        assert tuple(together[column]) == pytest.approx(statistics.accuracy_interval(values[:, column], clusters))


def test_a_bootstrap_of_blocks_is_as_wide_as_one_of_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(3000, 1))
    clusters = np.arange(3000)
    low, high = statistics.mean_intervals(values, clusters)[0]
    monkeypatch.setattr(statistics, "_BLOCKS", 1000)
    blocked = statistics.mean_intervals(values, clusters)[0]
    # A standard deviation from 1000 blocks varies by 1 / sqrt(2000), a quantile from 2000 draws about as much.
    assert blocked[1] - blocked[0] == pytest.approx(high - low, rel=4 * math.sqrt(2 / 2000))
    assert sum(blocked) == pytest.approx(low + high, abs=0.01)


def test_cluster_sums_by_hand() -> None:
    sums, counts = statistics.cluster_sums(np.array([[1.0, 2], [3, 4], [5, 6]]), ["b", "a", "b"])
    assert sums.tolist() == [[3, 4], [6, 8]]
    assert counts.tolist() == [1, 2]


def test_agreement_of_many_is_that_of_all_their_pairs() -> None:
    answers = np.random.default_rng(0).integers(-1, 4, (30, 60))
    same = [
        np.mean([a == b and a >= 0 for a, b in zip(*(row[part] for part in np.triu_indices(60, k=1)), strict=True)])
        for row in answers
    ]
    assert statistics.pair_agreement(answers) == pytest.approx(np.array(same))


@pytest.mark.parametrize("groups", [4, 60])
def test_permuted_rows_keep_what_is_in_them(groups: int) -> None:
    sums = np.random.default_rng(1).integers(0, 3, (20, groups)).astype(float)
    totals = statistics.permuted_totals(sums, 300, 0)
    assert totals.shape == (300, groups)
    assert totals.sum(axis=1) == pytest.approx(np.full(300, sums.sum()))
    # A group gets each row's mean in the middle, with the rows' variances.
    error = np.sqrt(sums.var(axis=1).sum() / 300)
    assert np.abs(totals.mean(axis=0) - sums.mean(axis=1).sum()).max() < 5 * error
    assert totals.var() == pytest.approx(sums.var(axis=1).sum(), rel=0.15)


def test_shifted_labels_keep_the_level_of_the_gap() -> None:
    generator = np.random.default_rng(2)
    simulations, rejected = 200, 0
    for _ in range(simulations):
        fact = generator.random((60, 1)) < 0.5
        correct = np.where(fact, generator.random((60, 1)), generator.random((60, 80))) < 0.6
        _, p_value = statistics.permutation_gap(correct, np.arange(60) // 2, permutations=200)
        rejected += p_value <= 0.05
    assert rejected <= binom.ppf(0.999, simulations, 0.05)
    hidden = correct.astype(float)
    hidden[:, 7] = 0  # one group of eighty is never right
    assert statistics.permutation_gap(hidden, np.arange(60), permutations=200)[1] == pytest.approx(1 / 201)
