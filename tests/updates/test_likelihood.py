from __future__ import annotations

import math

import pytest
import torch

from trialign.updates.likelihood import likelihood_loss

pytestmark = pytest.mark.unit


def test_likelihood_by_hand() -> None:
    # Answers of 2 and 3 tokens with probabilities 1/4 and 1/8: (log 4 + log 8) / 5 = log 2.
    scores = torch.tensor([0.25, 0.125]).log().requires_grad_()
    loss = likelihood_loss(scores, 5)
    assert loss.item() == pytest.approx(math.log(2))
    loss.backward()
    assert scores.grad is not None
    assert scores.grad.tolist() == pytest.approx([-0.2, -0.2])


def test_parts_of_a_step_sum_to_the_whole() -> None:
    scores = torch.randn(6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first, second = (likelihood_loss(scores[part], 40) for part in (slice(0, 2), slice(2, 6)))
    torch.testing.assert_close(first + second, likelihood_loss(scores, 40))


def test_nothing_to_learn_from_costs_nothing() -> None:
    assert likelihood_loss(torch.zeros(0), 0).item() == 0
