"""The distribution of accuracy over groups against its noise, on simulated audits whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from trialign.audit.figures.group_spread import GroupSpread, group_spread
from trialign.audit.figures.statistics import Floats, Integers

pytestmark = pytest.mark.unit


def spread_of(correct: Floats, clusters: Integers) -> GroupSpread:
    names = [f"g{place}" for place in range(correct.shape[1])]
    found = group_spread(correct, clusters, names, confidence=0.95, seed=0)
    assert found is not None
    return found


def answered(
    generator: np.random.Generator, skills: Floats, clusters: int, paraphrases: int
) -> tuple[Floats, Integers]:
    """Answers of groups of these skills: facts differ in difficulty, and a group's two answers to one go along."""
    easy = generator.uniform(-0.2, 0.2, (clusters, 1))
    drawn = generator.random((clusters, len(skills)))[:, None].repeat(paraphrases, axis=1)
    apart = generator.random((clusters, paraphrases, 1)) < 0.5
    drawn = np.where(apart, generator.random(drawn.shape), drawn)
    correct = drawn < (skills + easy)[:, None]
    return correct.reshape(-1, len(skills)).astype(float), np.repeat(np.arange(clusters), paraphrases)


def test_two_groups_by_hand() -> None:
    apart = spread_of(np.array([[1.0, 0], [1, 0]]), np.arange(2))
    # Accuracies 1 and 0: a variance of 1/2, and no row strays from its mean.
    assert (apart.seen, apart.noise, apart.between) == pytest.approx((0.5**0.5, 0, 0.5**0.5))
    assert (apart.low, apart.high) == (None, None)
    alike = spread_of(np.array([[1.0, 0], [0, 1]]), np.arange(2))
    # Entries of +-1/2 about 0 in 2 rows: (1/4 + 1/4) * 2 / 1 / 2^2 = 1/4, and twice that for rows without their mean.
    assert (alike.seen, alike.noise, alike.between) == pytest.approx((0, 0.5**0.5, 0))
    assert alike.p_value == 1


def test_lowest_and_highest_groups_are_named_in_order() -> None:
    correct = np.array([[1.0, 0, 1, 0], [1, 0, 0, 0], [1, 0, 1, 1]])
    found = spread_of(correct, np.arange(3))
    assert [one.group for one in found.lowest] == ["g1", "g3", "g2", "g0"]
    assert [one.group for one in found.highest] == ["g0", "g2", "g3", "g1"]
    assert found.lowest[0].difference == pytest.approx(0 - 0.5)  # accuracies 1, 0, 2/3, 1/3
    assert found.quantiles[2] == pytest.approx(0.5)


def test_nothing_to_spread() -> None:
    assert group_spread(np.ones((3, 1)), np.arange(3), ["a"], confidence=0.95, seed=0) is None
    assert group_spread(np.ones((3, 2)), np.zeros(3), ["a", "b"], confidence=0.95, seed=0) is None
    assert spread_of(np.ones((5, 9)), np.arange(5)).p_value == 1


@pytest.mark.parametrize("true", [0.0, 0.03, 0.08])
def test_the_interval_covers_the_true_spread(true: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trialign.audit.figures.group_spread._PERMUTATIONS", 9)  # the p-value is not looked at
    generator = np.random.default_rng(7)
    simulations, covered, seen = 200, 0, []
    for _ in range(simulations):
        skills = generator.normal(size=40)
        skills = 0.6 + true * (skills - skills.mean()) / skills.std(ddof=1)  # this sample's spread is the true one
        found = spread_of(*answered(generator, skills, 120, 2))
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= true <= found.high
        seen.append(found.seen**2 - found.noise**2)
    # By the binomial, fewer would be seen once in a thousand times.
    assert covered >= binom.ppf(0.001, simulations, 0.95)
    assert np.mean(seen) == pytest.approx(true**2, abs=4 * np.std(seen) / simulations**0.5)


@pytest.mark.parametrize("clusters", [60, 600])
def test_equal_groups_are_rarely_called_different(clusters: int) -> None:
    generator = np.random.default_rng(3)
    simulations = 120 if clusters > 500 else 60
    found = [spread_of(*answered(generator, np.full(60, 0.6), clusters, 2)) for _ in range(simulations)]
    most = binom.ppf(0.999, simulations, 0.05)
    assert sum(one.p_value <= 0.05 for one in found) <= most
    # Of 60 groups none is called low or high; the normal deviate is corrected for all of them.
    assert sum(one.lowest[0].p_holm <= 0.05 or one.highest[0].p_holm <= 0.05 for one in found) <= most


def test_one_bad_group_of_a_hundred_is_found() -> None:
    skills = np.full(100, 0.7)
    skills[41] = 0.4
    found = spread_of(*answered(np.random.default_rng(1), skills, 300, 1))
    assert found.lowest[0].group == "g41"
    assert found.lowest[0].p_holm < 0.001
    assert found.lowest[1].p_holm > 0.05
