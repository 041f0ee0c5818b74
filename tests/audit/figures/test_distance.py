"""Flips by how far apart two groups are: by hand, and on simulated audits whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from trialign.audit.figures.distance import flips_by, flips_by_distance

pytestmark = pytest.mark.unit


def test_flips_by_hand() -> None:
    # Ages 0, 10 and 30. To the first question the first two say the same; the last of the second holds no answer.
    answers = np.array([[0, 0, 1], [0, 1, -1]])
    points, p_value = flips_by_distance(answers, np.arange(2), np.array([0.0, 10, 30]), confidence=0.95, seed=0)
    assert [(one.distance, one.pairs, one.flips.value) for one in points] == [(10, 1, 0.5), (20, 1, 1), (30, 1, 1)]
    assert p_value is None  # three groups have six ways


def test_two_without_an_answer_do_not_agree() -> None:
    per_question, shares = flips_by(np.array([[-1, -1]]), np.array([0]), np.array([0]), np.array([1]))
    assert (per_question.tolist(), shares.tolist()) == ([[1]], [1])


def test_many_distances_are_put_together_in_order() -> None:
    numbers = np.random.default_rng(0).uniform(0, 70, 20)
    points, _ = flips_by_distance(np.zeros((4, 20), dtype=int), np.arange(4), numbers, confidence=0.95, seed=0)
    assert len(points) == 12
    assert sum(one.pairs for one in points) == 190
    assert [one.distance for one in points] == sorted(one.distance for one in points)
    assert all(one.flips.value == 0 for one in points)


def test_flips_that_grow_with_distance_are_found() -> None:
    generator = np.random.default_rng(4)
    numbers = np.linspace(0, 1, 12)
    limit = generator.random((200, 1))
    points, p_value = flips_by_distance((numbers > limit).astype(int), np.arange(200), numbers, confidence=0.95, seed=0)
    assert p_value == pytest.approx(1 / 2001)
    # Two groups answer differently where the limit lies between them: as often as they are apart.
    assert [one.flips.value for one in points] == pytest.approx([one.distance for one in points], abs=0.1)


def test_flips_without_a_reason_keep_the_level() -> None:
    generator = np.random.default_rng(6)
    simulations, rejected = 150, 0
    for _ in range(simulations):
        # Some groups answer at random more often than others, and their ages have nothing to do with it.
        odd = generator.random(8)
        answers = np.where(generator.random((80, 8)) < odd, generator.integers(0, 3, (80, 8)), 0)
        _, p_value = flips_by_distance(answers, np.arange(80), generator.uniform(18, 90, 8), confidence=0.95, seed=0)
        assert p_value is not None
        rejected += p_value <= 0.05
    assert rejected <= binom.ppf(0.999, simulations, 0.05)
