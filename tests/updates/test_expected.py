from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trialign.objectives.config import InconsistencyConfig, ObjectiveConfig
from trialign.updates.expected import expected_loss
from trialign.updates.update import StepCounts, UpdateLoss

pytestmark = pytest.mark.unit

# Two observations of two groups with two options, the same answers S_1 = (0.8, 0.2), S_2 = (0.4, 0.6) in both:
# a fact with gold option 0, and a taste with targets (0.5, 0.5) and (1, 0); the reference is (0.5, 0.5).
SHARES = [[[0.8, 0.2], [0.4, 0.6]]] * 2
GOLD = [0, -1]
TARGETS = [[[0.0, 0.0], [0.0, 0.0]], [[0.5, 0.5], [1.0, 0.0]]]
WEIGHTS = [[2.0, 0.5], [1.0, 3.0]]
COUNTS = StepCounts(truth=1, preference=1, own=(2,))
CONFIG = ObjectiveConfig(kl_weight=0.1, inconsistency=InconsistencyConfig(weight=0.5, gate="none"))


def expected(log_probabilities: Tensor, config: ObjectiveConfig = CONFIG, counts: StepCounts = COUNTS) -> UpdateLoss:
    padding = log_probabilities.shape[2] - 2
    reference = torch.tensor([0.5, 0.5, *[0.0] * padding]).log().expand(2, 2, -1)
    targets = torch.nn.functional.pad(torch.tensor(TARGETS), (0, padding))
    return expected_loss(
        log_probabilities,
        reference,
        torch.tensor(GOLD),
        targets,
        torch.tensor([False, True]),
        torch.tensor(WEIGHTS),
        counts,
        config,
    )


def test_expected_loss_by_hand() -> None:
    result = expected(torch.tensor(SHARES).log())
    # Truth: A = (0.8, 0.4); preference: 1 - TV = 1 - (0.3 + 0.3)/2 = 0.7 and 1 - (0.6 + 0.6)/2 = 0.4.
    torch.testing.assert_close(result.rewards, torch.tensor([[0.8, 0.7], [0.4, 0.4]]))
    assert result.counts.tolist() == [1, 1]
    # D of the fact alone: 0.124511 (see the tests of the inconsistency).
    assert result.inconsistency.item() == pytest.approx(0.124511, abs=1e-6)
    # KL to (1/2, 1/2) = log 2 - H: 0.192745 and 0.020136, in both observations, which are the step's two.
    assert result.kl.item() == pytest.approx(0.212881, abs=1e-5)
    # - (2 x 0.8 + 1 x 0.4) - (0.5 x 0.7 + 3 x 0.4) + 0.5 x 0.124511 + 0.1 x 0.425761 / 2 = -3.466457
    assert result.loss.item() == pytest.approx(-3.466457, abs=1e-5)


def test_a_likelihood_in_the_place_of_the_share_by_hand() -> None:
    result = expected(torch.tensor(SHARES).log(), replace(CONFIG, truth="likelihood"))
    # As above, but for the facts: - (2 log 0.8 + 1 log 0.4) = 1.362578 in the place of - (2 x 0.8 + 1 x 0.4).
    assert result.loss.item() == pytest.approx(-3.466457 + 2.0 + 1.362578, abs=1e-5)
    # What the welfare weights are made of stays the expected reward.
    torch.testing.assert_close(result.rewards, torch.tensor([[0.8, 0.7], [0.4, 0.4]]))


@pytest.mark.parametrize(("truth", "pull"), [("reward", 2e-6), ("likelihood", 2.0)])
def test_a_likelihood_pulls_where_the_right_option_has_no_share(truth: str, pull: float) -> None:
    logits = torch.tensor([[[-math.log(1e6), 0.0], [0.0, 0.0]]] * 2, requires_grad=True)
    no_penalty = replace(CONFIG, truth=truth, kl_weight=0.0, inconsistency=InconsistencyConfig(weight=0.0))
    expected(logits.log_softmax(dim=2), no_penalty).loss.backward()
    assert logits.grad is not None
    # The first group's fact: w = 2 times the gradient of S, S (1 - S), or of log S, 1 - S, with S = 1e-6.
    assert -logits.grad[0, 0, 0].item() == pytest.approx(pull, rel=1e-3)


def test_flips_are_of_the_facts_pairs_of_groups_whose_likeliest_answers_differ() -> None:
    three = torch.tensor([[[0.6, 0.4, 0.0], [0.3, 0.3, 0.4], [0.5, 0.2, 0.3]], [[0.1, 0.9, 0.0]] * 3]).log()
    taste = torch.tensor([[[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.1, 0.1, 0.8]]]).log()
    scores = torch.cat([three, taste])
    nothing = torch.zeros(3, 3, 3)
    known = (torch.tensor([0, 1, -1]), nothing, torch.tensor([False, False, True]), torch.ones(3, 2))
    result = expected_loss(scores, scores, *known, StepCounts(2, 1, (3,)), CONFIG)
    # Of the first fact's three pairs the two with the second group differ, of the second's none.
    assert result.flips is not None
    assert result.flips.tolist() == [2, 6]


def test_expected_loss_divides_by_the_whole_steps_counts() -> None:
    counts = StepCounts(truth=2, preference=5, own=(4,))
    # - 2.0 / 2 - 1.55 / 5 + 0.5 x 0.124511 / 2 + 0.1 x 0.425761 / 4 = -1.268228
    assert expected(torch.tensor(SHARES).log(), counts=counts).loss.item() == pytest.approx(-1.268228, abs=1e-5)


def test_without_weights_penalty_and_kl_play_no_part() -> None:
    config = replace(CONFIG, kl_weight=0.0, inconsistency=InconsistencyConfig(weight=0.0))
    result = expected(torch.tensor(SHARES).log(), config)
    assert result.loss.item() == pytest.approx(-3.55, abs=1e-5)


def test_expected_gradient_is_that_of_the_loss_by_differences() -> None:
    scores = torch.tensor(SHARES, dtype=torch.float64).log().requires_grad_()
    config = replace(CONFIG, inconsistency=InconsistencyConfig(weight=0.5, gate="anchor"))
    expected(scores.log_softmax(dim=2), config).loss.backward()
    assert scores.grad is not None
    step = 1e-6
    for index in range(8):
        change = torch.zeros(8, dtype=torch.float64)
        change[index] = step
        higher = expected((scores.detach() + change.view(2, 2, 2)).log_softmax(dim=2), config).loss
        lower = expected((scores.detach() - change.view(2, 2, 2)).log_softmax(dim=2), config).loss
        slope = float(higher - lower) / (2 * step)
        assert float(scores.grad.view(-1)[index]) == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("gate", ["none", "wrong_only", "anchor"])
def test_absent_options_change_nothing_and_get_no_gradient(gate: str) -> None:
    config = replace(CONFIG, inconsistency=InconsistencyConfig(weight=0.5, gate=gate))
    scores = torch.tensor(SHARES).log().requires_grad_()
    plain = expected(scores.log_softmax(dim=2), config).loss
    plain.backward()
    padded = torch.nn.functional.pad(torch.tensor(SHARES).log(), (0, 2), value=7.0).requires_grad_()
    absent = torch.tensor([False, False, True, True])
    loss = expected(padded.masked_fill(absent, -math.inf).log_softmax(dim=2), config).loss
    loss.backward()
    assert scores.grad is not None
    assert padded.grad is not None
    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(padded.grad[..., :2], scores.grad)
    assert (padded.grad[..., 2:] == 0).all()


def test_a_query_without_gold_or_target_counts_for_neither() -> None:
    result = expected_loss(
        torch.tensor(SHARES[:1]).log(),
        torch.tensor([[[0.5, 0.5], [0.5, 0.5]]]).log(),
        torch.tensor([-1]),
        torch.zeros(1, 2, 2),
        torch.tensor([False]),
        torch.tensor(WEIGHTS),
        StepCounts(0, 0, (1,)),
        replace(CONFIG, kl_weight=0.0),
    )
    assert result.loss.item() == 0.0
    assert result.counts.tolist() == [0, 0]
    assert result.rewards.tolist() == [[0, 0], [0, 0]]


class Step:
    """Random observations of one optimizer step: facts and tastes with 2 to 4 options, three groups."""

    def __init__(self, observations: int) -> None:
        generator = torch.Generator().manual_seed(3)
        shape = (observations, 3, 4)
        self.scores = torch.randn(shape, generator=generator, dtype=torch.float64)
        self.options = torch.randint(2, 5, (observations,), generator=generator)
        self.absent = (torch.arange(4) >= self.options.view(-1, 1)).unsqueeze(1)
        self.reference = self.masked(torch.randn(shape, generator=generator, dtype=torch.float64))
        self.is_fact = torch.arange(observations) % 3 != 0
        self.gold = torch.where(self.is_fact, 1, -1)
        targets = torch.rand(shape, generator=generator, dtype=torch.float64).masked_fill(self.absent, 0.0)
        self.targets = (targets / targets.sum(dim=2, keepdim=True)) * (~self.is_fact).view(-1, 1, 1)
        self.counts = StepCounts(int(self.is_fact.sum()), int((~self.is_fact).sum()), (observations,))

    def masked(self, scores: Tensor) -> Tensor:
        return scores.masked_fill(self.absent, -math.inf).log_softmax(dim=2)

    def loss(self, chosen: Tensor) -> tuple[UpdateLoss, Tensor]:
        """The loss of some of the observations and its gradient at all scores."""
        scores = self.scores.clone().requires_grad_()
        weights = torch.tensor([[1.0, 2.0], [0.5, 1.5], [3.0, 0.2]], dtype=torch.float64)
        result = expected_loss(
            self.masked(scores)[chosen],
            self.reference[chosen],
            self.gold[chosen],
            self.targets[chosen],
            ~self.is_fact[chosen],
            weights,
            self.counts,
            replace(CONFIG, inconsistency=InconsistencyConfig()),
        )
        result.loss.backward()
        assert scores.grad is not None
        return result, scores.grad


@given(st.lists(st.integers(0, 3), min_size=7, max_size=7))
def test_the_parts_of_a_step_sum_to_the_step(parts: list[int]) -> None:
    step = Step(7)
    whole, gradient = step.loss(torch.arange(7))
    cut = [step.loss((torch.tensor(parts) == part).nonzero().flatten()) for part in sorted(set(parts))]
    torch.testing.assert_close(torch.stack([one.loss for one, _ in cut]).sum(), whole.loss)
    torch.testing.assert_close(torch.stack([part for _, part in cut]).sum(dim=0), gradient)
    torch.testing.assert_close(torch.stack([one.rewards for one, _ in cut]).sum(dim=0), whole.rewards)
    torch.testing.assert_close(torch.stack([one.inconsistency for one, _ in cut]).sum(), whole.inconsistency)
    assert torch.stack([one.counts for one, _ in cut]).sum(dim=0).tolist() == whole.counts.tolist()
