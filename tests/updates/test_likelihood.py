from __future__ import annotations

import math

import pytest
import torch

from trialign.objectives.config import ObjectiveConfig
from trialign.scoring import Scoring
from trialign.updates.likelihood import Likelihood, LikelihoodUnits, likelihood_loss
from trialign.updates.update import Step, StepCounts

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


def test_its_loss_reads_no_welfare_weights_and_so_none_are_logged() -> None:
    update, scores = Likelihood(ObjectiveConfig(), Scoring()), torch.tensor([-0.5, -1.5, -9.0])
    units = LikelihoodUnits(torch.tensor([0, 1]))
    counts = StepCounts(2, 0, (4,))
    losses = [
        update.loss(units, scores, Step(weights, counts, torch.zeros(2), torch.zeros(0))).loss.item()
        for weights in (torch.ones(2, 2), torch.tensor([[5.0, 1.0], [0.2, 3.0]]))
    ]
    assert losses == pytest.approx([0.5, 0.5])
    assert not update.weighted
