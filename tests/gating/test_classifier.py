"""The classifier against the formula, minimised by another program."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq, minimize

from trialign.errors import UserError
from trialign.gating.classifier import STRENGTHS, balanced_loss, fit, fit_validated

pytestmark = pytest.mark.unit


def test_two_points_by_hand() -> None:
    # x = -1 and 1 are standardised already. The loss is log(1 + exp(-w)) + l w^2 / 2 at b = 0, so that at the
    # minimum l w = 1 / (1 + exp(w)).
    found = fit(torch.tensor([[-1.0], [1.0]]), torch.tensor([False, True]), 0.3)
    weight = brentq(lambda w: 0.3 * w - 1 / (1 + math.exp(w)), 0, 10)
    assert found.weights.tolist() == pytest.approx([weight], abs=1e-6)
    assert found.bias == pytest.approx(0, abs=1e-6)


def test_uneven_classes_against_another_minimiser() -> None:
    generator = np.random.default_rng(3)
    rows = generator.normal(size=(40, 3)) * [1.0, 7.0, 0.2] + [5.0, 0.0, -2.0]
    first = rows[:, 0] + 0.3 * generator.normal(size=40) > 5.8
    assert 5 < first.sum() < 15
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)

    def loss(line: np.ndarray) -> float:
        signs = np.where(first, 1, -1)
        losses = np.logaddexp(0, -signs * (scaled @ line[:3] + line[3]))
        return float(0.5 * (losses[first].mean() + losses[~first].mean()) + 0.05 * (line[:3] ** 2).sum())

    expected = minimize(loss, np.zeros(4), tol=1e-12).x
    found = fit(torch.tensor(rows), torch.tensor(first), 0.1)
    logits = found.logits(torch.tensor(rows)).numpy()
    assert logits == pytest.approx(scaled @ expected[:3] + expected[3], abs=1e-4)


def test_a_feature_that_never_changes_weighs_nothing() -> None:
    found = fit(torch.tensor([[-1.0, 4.0], [1.0, 4.0]]), torch.tensor([False, True]), 0.3)
    assert found.weights[1] == 0
    assert found.bias == pytest.approx(0, abs=1e-6)


def test_swapped_labels_swap_every_decision() -> None:
    torch.manual_seed(0)
    rows = torch.randn(30, 5)
    first = rows[:, 2] > 0
    right, wrong = fit(rows, first, 1e-3), fit(rows, ~first, 1e-3)
    assert ((right.logits(rows) > 0) == first).all()
    assert ((wrong.logits(rows) > 0) == ~first).all()


@pytest.mark.parametrize("all_facts", [True, False])
def test_one_class_alone_is_refused(all_facts: bool) -> None:
    with pytest.raises(UserError, match="all training questions are of one"):
        fit(torch.randn(4, 2), torch.full((4,), all_facts), 0.1)


def test_the_mean_of_two_class_means_by_hand() -> None:
    # log(1 + e^0) for each of three rows of the one class, log(1 + e^-1) for that of the other.
    found = balanced_loss(torch.tensor([0.0, 0.0, 0.0, 1.0]), torch.tensor([0.0, 0.0, 0.0, 1.0]))
    assert float(found) == pytest.approx(0.5 * (math.log(2) + math.log1p(math.exp(-1))))


def test_the_strength_is_that_which_fits_the_validation_rows_best() -> None:
    torch.manual_seed(1)
    rows, noise = torch.randn(60, 20), torch.randn(60)
    first = rows[:, 0] + noise > 0  # much to learn by heart, little to know
    training, validation = (rows[:30], first[:30]), (rows[30:], first[30:])
    losses = {
        strength: float(balanced_loss(fit(*training, strength).logits(validation[0]), validation[1].double()))
        for strength in STRENGTHS
    }
    best = min(losses, key=losses.__getitem__)
    assert best not in (STRENGTHS[0], STRENGTHS[2])  # neither the first nor the one without validation
    assert torch.equal(fit_validated(training, validation).weights, fit(*training, best).weights)
    alone = fit_validated(training, (rows[:0], first[:0]))
    assert torch.equal(alone.weights, fit(*training, 0.1).weights)
