from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trialign.objectives.config import AwrConfig, InconsistencyConfig, ObjectiveConfig
from trialign.objectives.updates import (
    StepCounts,
    UpdateLoss,
    earns_differently,
    expected_update,
    sampled_update,
)

pytestmark = pytest.mark.unit

NAN = math.nan


# --- expected ---

# Two observations of two groups with two options, the same answers S_1 = (0.8, 0.2), S_2 = (0.4, 0.6) in both:
# a fact with gold option 0, and a taste with targets (0.5, 0.5) and (1, 0); the reference is (0.5, 0.5).
SHARES = [[[0.8, 0.2], [0.4, 0.6]]] * 2
GOLD = [0, -1]
TARGETS = [[[0.0, 0.0], [0.0, 0.0]], [[0.5, 0.5], [1.0, 0.0]]]
WEIGHTS = [[2.0, 0.5], [1.0, 3.0]]
COUNTS = StepCounts(truth=1, preference=1, choice=2, action_tokens=0)
CONFIG = ObjectiveConfig(kl_weight=0.1, inconsistency=InconsistencyConfig(weight=0.5, gate="none"))


def expected(log_probabilities: Tensor, config: ObjectiveConfig = CONFIG, counts: StepCounts = COUNTS) -> UpdateLoss:
    padding = log_probabilities.shape[2] - 2
    reference = torch.tensor([0.5, 0.5, *[0.0] * padding]).log().expand(2, 2, -1)
    targets = torch.nn.functional.pad(torch.tensor(TARGETS), (0, padding))
    return expected_update(
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
    # KL to (1/2, 1/2) = log 2 - H: 0.192745 and 0.020136, in both observations.
    assert result.kl.item() == pytest.approx(2 * 0.212881, abs=1e-5)
    # - (2 x 0.8 + 1 x 0.4) - (0.5 x 0.7 + 3 x 0.4) + 0.5 x 0.124511 + 0.1 x 0.425761 / 2 = -3.466457
    assert result.loss.item() == pytest.approx(-3.466457, abs=1e-5)


def test_expected_loss_divides_by_the_whole_steps_counts() -> None:
    counts = StepCounts(truth=2, preference=5, choice=4, action_tokens=0)
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
    result = expected_update(
        torch.tensor(SHARES[:1]).log(),
        torch.tensor([[[0.5, 0.5], [0.5, 0.5]]]).log(),
        torch.tensor([-1]),
        torch.zeros(1, 2, 2),
        torch.tensor([False]),
        torch.tensor(WEIGHTS),
        StepCounts(0, 0, 1, 0),
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
        self.counts = StepCounts(int(self.is_fact.sum()), int((~self.is_fact).sum()), observations, 0)

    def masked(self, scores: Tensor) -> Tensor:
        return scores.masked_fill(self.absent, -math.inf).log_softmax(dim=2)

    def loss(self, chosen: Tensor) -> tuple[UpdateLoss, Tensor]:
        """The loss of some of the observations and its gradient at all scores."""
        scores = self.scores.clone().requires_grad_()
        weights = torch.tensor([[1.0, 2.0], [0.5, 1.5], [3.0, 0.2]], dtype=torch.float64)
        result = expected_update(
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


# --- awr ---


def awr(
    truth: list[float],
    *,
    preference: tuple[float, ...] = (NAN, NAN),
    disagreement: tuple[float, ...] = (0.0, 0.0),
    log_probabilities: tuple[float, ...] = (-2.0, -3.0),
    behaviour: tuple[float, ...] = (-2.0, -3.0),
    weight: float = 2.0,
    penalty: float = 1.0,
    config: AwrConfig | None = None,
    tokens: int = 5,
) -> tuple[UpdateLoss, list[float]]:
    """The loss of one observation of one group with two samples, and its gradient at their log-probabilities."""
    scores = torch.tensor([[log_probabilities]]).requires_grad_()
    result = sampled_update(
        scores,
        torch.tensor([[behaviour]]),
        torch.tensor([[truth]]),
        torch.tensor([[preference]]),
        torch.tensor([[disagreement]]),
        torch.tensor([[weight, 4.0]]),
        StepCounts(1, 0, 0, tokens),
        ObjectiveConfig(inconsistency=InconsistencyConfig(weight=penalty), awr=config or AwrConfig()),
    )
    result.loss.backward()
    assert scores.grad is not None
    return result, scores.grad[0, 0].tolist()


def test_awr_loss_by_hand() -> None:
    result, gradient = awr([1.0, 0.0], disagreement=(0.0, 1.0))
    # A = 2 (+-0.5) - 1 (-+0.5) = +-1.5; exp: 4.481689 and 0.223130, constants of the gradient.
    assert gradient == pytest.approx([-4.481689 / 5, -0.223130 / 5])
    # (4.481689 x 2 + 0.223130 x 3) / 5
    assert result.loss.item() == pytest.approx(1.926554, abs=1e-5)
    assert result.counts.tolist() == [1, 0]
    assert result.kl.item() == 0.0


def test_a_step_may_hold_a_single_token_and_none() -> None:
    one, none = (awr([1.0, 0.0], disagreement=(0.0, 1.0), tokens=tokens)[1] for tokens in (1, 0))
    assert one == none == pytest.approx([-4.481689, -0.223130])


def test_preference_rewards_have_their_own_weight() -> None:
    _, gradient = awr([NAN, NAN], preference=(0.75, 0.25), disagreement=(NAN, NAN))
    # A = 4 (+-0.25) = +-1.
    assert gradient == pytest.approx([-math.e / 5, -1 / math.e / 5])


def test_the_temperature_divides_the_advantage() -> None:
    _, gradient = awr([1.0, 0.0], config=AwrConfig(temperature=0.5))
    # A = +-1, over 0.5.
    assert gradient == pytest.approx([-math.exp(2) / 5, -math.exp(-2) / 5])


def test_the_exponential_is_clipped() -> None:
    _, gradient = awr([1.0, 0.0], weight=10.0, config=AwrConfig(largest=3.0))
    # exp(5) = 148 is cut to 3; exp(-5) stays.
    assert gradient == pytest.approx([-3 / 5, -math.exp(-5) / 5])


def test_the_welfare_weight_stands_inside_the_exponent() -> None:
    _, once = awr([1.0, 0.0], weight=1.0)
    _, twice = awr([1.0, 0.0], weight=2.0)
    # exp(w / 2): 1.648721 and 2.718282; a factor outside would double it.
    assert twice[0] / once[0] == pytest.approx(math.exp(0.5))
    assert twice[1] / once[1] == pytest.approx(math.exp(-0.5))


@pytest.mark.parametrize("rewards", [[1.0, 1.0], [0.0, 0.0]])
def test_samples_that_earn_the_same_teach_nothing(rewards: list[float]) -> None:
    result, gradient = awr(rewards)
    assert gradient == [0.0, 0.0]
    assert result.loss.item() == 0.0
    # They still tell how good the agent is.
    assert result.rewards[0, 0].item() == pytest.approx(rewards[0])


def test_disagreement_alone_matters_only_under_a_penalty() -> None:
    # A = -1 (-+0.5): the sample that agrees gains.
    _, gradient = awr([1.0, 1.0], disagreement=(0.0, 1.0))
    assert gradient == pytest.approx([-math.exp(0.5) / 5, -math.exp(-0.5) / 5])
    assert awr([1.0, 1.0], disagreement=(0.0, 1.0), penalty=0.0)[1] == [0.0, 0.0]


def test_which_sets_are_kept() -> None:
    truth = torch.tensor([[[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [NAN, NAN]]])
    preference = torch.tensor([[[NAN, NAN], [NAN, NAN], [NAN, NAN], [0.5, 0.6]]])
    disagreement = torch.tensor([[[0.0, 0.0], [0.0, 0.5], [0.5, 0.5], [NAN, NAN]]])
    assert earns_differently(truth, preference, disagreement, 1.0).tolist() == [[True, True, False, True]]
    assert earns_differently(truth, preference, disagreement, 0.0).tolist() == [[True, False, False, True]]


def test_utilities_are_importance_weighted() -> None:
    # pi / mu = 3 and 1: weights 3/4 and 1/4 of the rewards 1 and 0.
    shifted = (math.log(3) - 2.0, -3.0)
    result, _ = awr([1.0, 0.0], disagreement=(0.0, 1.0), log_probabilities=shifted)
    assert result.rewards[0].tolist() == pytest.approx([0.75, 0.0])
    assert result.inconsistency.item() == pytest.approx(0.25)
    # Truncated at 2: 2/3 and 1/3.
    result, _ = awr([1.0, 0.0], log_probabilities=shifted, config=AwrConfig(importance=2.0))
    assert result.rewards[0, 0].item() == pytest.approx(2 / 3)


def test_utilities_stay_finite_far_from_the_behaviour_policy() -> None:
    # Both ratios are below the smallest float; their own ratio is e^-1 to 1.
    result, _ = awr([1.0, 0.0], log_probabilities=(-202.0, -202.0), behaviour=(-1.0, -2.0))
    assert result.rewards[0, 0].item() == pytest.approx(1 / (1 + math.e), abs=1e-5)


def test_awr_parts_of_a_step_sum_to_the_step() -> None:
    generator = torch.Generator().manual_seed(4)
    shape = (5, 2, 3)
    scores = torch.randn(shape, generator=generator) - 5
    behaviour = torch.randn(shape, generator=generator) - 5
    truth = torch.randint(2, shape, generator=generator).float()
    truth[1], truth[2] = NAN, 1.0
    preference = torch.rand(shape, generator=generator)
    preference[[0, 2, 3]] = NAN
    disagreement = torch.rand(shape, generator=generator)
    disagreement[1] = NAN

    def loss(chosen: list[int]) -> tuple[UpdateLoss, Tensor]:
        leaf = scores.clone().requires_grad_()
        parts = [part[chosen] for part in (leaf, behaviour, truth, preference, disagreement)]
        weights = torch.tensor([[1.0, 2.0], [0.5, 1.5]])
        result = sampled_update(*parts, weights, StepCounts(4, 2, 0, 40), ObjectiveConfig())
        result.loss.backward()
        assert leaf.grad is not None
        return result, leaf.grad

    whole, gradient = loss([0, 1, 2, 3, 4])
    (first, first_gradient), (second, second_gradient) = loss([3, 0]), loss([1, 4, 2])
    torch.testing.assert_close(first.loss + second.loss, whole.loss)
    torch.testing.assert_close(first_gradient + second_gradient, gradient)
    torch.testing.assert_close(first.rewards + second.rewards, whole.rewards)
    assert (first.counts + second.counts).tolist() == whole.counts.tolist() == [4, 2]
    torch.testing.assert_close(first.inconsistency + second.inconsistency, whole.inconsistency)


# --- topr ---


def test_topr_by_hand() -> None:
    # Advantages 2 x (1/2, -1/2) = (1, -1); pi / mu is e for both answers, truncated at 1.
    scores = torch.tensor([[[-1.0, -2.0]]], requires_grad=True)
    nothing = torch.full((1, 1, 2), NAN)

    def loss(behaviour: list[float]) -> Tensor:
        return sampled_update(
            scores,
            torch.tensor([[behaviour]]),
            torch.tensor([[[1.0, 0.0]]]),
            nothing,
            torch.zeros(1, 1, 2),
            torch.tensor([[2.0, 1.0]]),
            StepCounts(truth=1, preference=0, choice=0, action_tokens=5),
            ObjectiveConfig(update="topr", inconsistency=InconsistencyConfig(weight=0.0)),
        ).loss

    assert loss([-2.0, -3.0]).item() == pytest.approx(-(1 * -1 - 1 * -2) / 5)
    # Where the bad answer is half as probable as it was, it counts half; a good one counts in full.
    tapered = loss([-1.0 + math.log(2), -2.0 + math.log(2)])
    assert tapered.item() == pytest.approx(-(1 * -1 - 0.5 * -2) / 5)
    tapered.backward()
    assert scores.grad is not None
    # The importance weight is a constant of the gradient.
    assert scores.grad.flatten().tolist() == pytest.approx([-1 / 5, 0.5 / 5])
