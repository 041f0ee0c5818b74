"""The text term on vocabularies small enough to take the divergence by hand."""

from __future__ import annotations

import math

import pytest
import torch

from trialign.objectives.text import text_divergence

pytestmark = pytest.mark.unit


def logs(*rows: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64).log()


def test_two_tokens_and_the_rest() -> None:
    # p = (1/2, 1/4 | 1/4), q = (1/4, 1/2 | 1/4): 1/2 log 2 + 1/4 log 1/2 + 0 = 1/4 log 2.
    # p = (3/4, 1/8 | 1/8), q = (1/2, 1/4 | 1/4): 3/4 log 3/2 - 1/8 log 2 - 1/8 log 2 = 3/4 log 3/2 - 1/4 log 2.
    found = text_divergence(
        logs((0.25, 0.5, 0.25), (0.5, 0.25, 0.25)), logs((0.5, 0.25), (0.75, 0.125)), torch.tensor([0.25, 0.125])
    )
    assert found.tolist() == pytest.approx([0.25 * math.log(2), 0.75 * math.log(1.5) - 0.25 * math.log(2)], abs=1e-7)


def test_the_teacher_is_the_one_whose_shares_weigh() -> None:
    # p = (9/10 | 1/10), q = (1/2 | 1/2): KL(p || q) = .9 log 1.8 + .1 log .2; the other way round it would be .511.
    found = text_divergence(logs((0.5, 0.5)), logs((0.9,)), torch.tensor([0.1], dtype=torch.float64))
    assert found.item() == pytest.approx(0.9 * math.log(1.8) + 0.1 * math.log(0.2))
    assert found.item() == pytest.approx(0.3680642)


def test_equal_distributions_are_no_way_apart() -> None:
    found = text_divergence(logs((0.6, 0.3, 0.1)), logs((0.6, 0.3)), torch.tensor([0.1], dtype=torch.float64))
    assert found.item() == pytest.approx(0.0, abs=1e-12)


def test_an_empty_rest_counts_nothing_and_leaves_the_gradient_a_number() -> None:
    of_agent = torch.tensor([[0.25, 0.75]], dtype=torch.float64).log().requires_grad_()
    nothing = torch.full((1, 1), float("-inf"), dtype=torch.float64)
    rest = torch.zeros(1, dtype=torch.float64)
    found = text_divergence(torch.cat([of_agent, nothing], dim=1), logs((0.5, 0.5)), rest)
    assert found.item() == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3))
    found.sum().backward()
    assert of_agent.grad is not None
    assert of_agent.grad.tolist() == [[-0.5, -0.5]]


def test_a_bucket_is_at_most_the_whole_divergence() -> None:
    generator = torch.Generator().manual_seed(3)
    p, q = (torch.randn(20, 7, generator=generator, dtype=torch.float64).softmax(1) for _ in range(2))
    whole = (p * (p / q).log()).sum(1)
    for kept in range(1, 7):
        joined = torch.cat([q[:, :kept], q[:, kept:].sum(1, keepdim=True)], dim=1).log()
        part = text_divergence(joined, p[:, :kept].log(), p[:, kept:].sum(1))
        assert bool((part <= whole + 1e-12).all())
        assert bool((part >= 0).all())
