from __future__ import annotations

import math

import pytest
import torch

from trialign.objectives.baselines import likelihood_loss, preference_pair_loss

pytestmark = pytest.mark.unit


def test_likelihood_by_hand() -> None:
    # Answers of 2 and 3 tokens with probabilities 1/4 and 1/8: (log 4 + log 8) / 5 = log 2.
    scores = torch.tensor([0.25, 0.125]).log().requires_grad_()
    loss = likelihood_loss(scores, 5)
    assert loss.item() == pytest.approx(math.log(2))
    loss.backward()
    assert scores.grad is not None
    assert scores.grad.tolist() == pytest.approx([-0.2, -0.2])


def test_pairs_by_hand() -> None:
    # Ratios 3 and 1 under beta = log(3) / 2: the margin is log 3, its sigmoid 3/4; equal ratios give 1/2.
    chosen = torch.tensor([3.0, -1.0], requires_grad=True)
    rejected = torch.tensor([1.0, -1.0], requires_grad=True)
    beta = math.log(3) / 2
    loss = preference_pair_loss(chosen, rejected, 2, beta)
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)
    loss.backward()
    # d/dx -log sigmoid(beta x) = -beta (1 - sigmoid): a quarter and a half, over two pairs.
    assert chosen.grad is not None
    assert rejected.grad is not None
    assert chosen.grad.tolist() == pytest.approx([-beta / 8, -beta / 4])
    assert rejected.grad.tolist() == pytest.approx([beta / 8, beta / 4])


def test_parts_of_a_step_sum_to_the_whole() -> None:
    generator = torch.Generator().manual_seed(0)
    scores, others = torch.randn(2, 6, generator=generator, dtype=torch.float64)
    whole = likelihood_loss(scores, 40), preference_pair_loss(scores, others, 6, 0.1)
    parts = [
        (likelihood_loss(scores[part], 40), preference_pair_loss(scores[part], others[part], 6, 0.1))
        for part in (slice(0, 2), slice(2, 6))
    ]
    for index in (0, 1):
        torch.testing.assert_close(parts[0][index] + parts[1][index], whole[index])


def test_extreme_margins_stay_finite() -> None:
    chosen = torch.tensor([1e4, -1e4], requires_grad=True)
    loss = preference_pair_loss(chosen, torch.zeros(2), 1, 1.0)
    assert loss.item() == pytest.approx(1e4)
    loss.backward()
    assert chosen.grad is not None
    assert chosen.grad.tolist() == pytest.approx([0.0, -1.0])


def test_nothing_to_learn_from_costs_nothing() -> None:
    none = torch.zeros(0)
    assert likelihood_loss(none, 0).item() == 0
    assert preference_pair_loss(none, none, 0, 0.1).item() == 0
