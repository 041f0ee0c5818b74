from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.nominal import fleiss_kappa as torch_fleiss_kappa

from trialign.audit.figures.agreement import kappas

pytestmark = pytest.mark.unit

# How many of 14 raters put each of 10 subjects into each of 5 categories: the worked example of the English
# Wikipedia's article on Fleiss' kappa, which gives .210.
RATINGS = (
    (0, 0, 0, 0, 14),
    (0, 2, 6, 4, 2),
    (0, 0, 3, 5, 6),
    (0, 3, 9, 2, 0),
    (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0),
    (3, 2, 6, 3, 0),
    (2, 5, 3, 2, 2),
    (6, 5, 2, 1, 0),
    (0, 2, 2, 3, 7),
)


def test_kappas_agree_with_a_published_example_and_another_library() -> None:
    positions = np.array([np.repeat(np.arange(5), row) for row in RATINGS])
    (found,) = kappas(positions, np.full(10, 5))
    assert (found.options, found.n_questions, found.note) == (5, 10, "")
    assert found.fleiss == pytest.approx(0.210, abs=5e-4)
    assert found.fleiss == pytest.approx(torch_fleiss_kappa(torch.tensor(RATINGS)).item(), abs=1e-5)
    # Randolph's by hand: the same agreement, (sum of squares - 10 * 14) / (10 * 14 * 13), against a chance of 1/5.
    agreement = (sum(count**2 for row in RATINGS for count in row) - 140) / (140 * 13)
    assert found.randolph == pytest.approx((agreement - 1 / 5) / (1 - 1 / 5))


def test_questions_with_differently_many_options_are_not_mixed() -> None:
    positions = np.array([[0, 1], [1, 1], [2, 2], [0, 0], [-1, -1]])
    two, three, free = kappas(positions, np.array([2, 2, 3, 3, 0]))
    assert (two.options, three.options, free.options) == (2, 3, None)
    # Two options: one agreement of two; the positions .25 and .75, so chance is .625.
    assert two.fleiss == pytest.approx((0.5 - 0.625) / (1 - 0.625))
    assert two.randolph == pytest.approx(0)
    assert (three.fleiss, three.randolph) == (pytest.approx(1), pytest.approx(1))
    assert (free.fleiss, free.randolph, free.n_questions) == (None, None, 1)
    assert "given freely" in free.note


def test_undefined_kappas_are_explained() -> None:
    (same,) = kappas(np.zeros((4, 3), dtype=np.int64), np.full(4, 2))
    assert same.fleiss is None
    assert same.randolph == 1
    assert "all groups chose the same position" in same.note
    (alone,) = kappas(np.array([[0], [1]]), np.full(2, 2))
    assert (alone.fleiss, alone.randolph) == (None, None)
    assert "nobody to agree with" in alone.note
    (silent,) = kappas(np.array([[-1, 0]]), np.array([2]))
    assert (silent.fleiss, silent.randolph, silent.n_questions) == (None, None, 0)
    assert "No question was answered by all" in silent.note


def test_no_kappa_is_not_a_number() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        positions = generator.integers(-1, 2, size=(3, 2))
        for found in kappas(positions, np.full(3, 2)):
            for value in (found.fleiss, found.randolph):
                assert value is None or math.isfinite(value)
            assert (found.fleiss is None) == bool(found.note)
