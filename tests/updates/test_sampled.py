"""The updates from samples: what advantage a sample has, and what it weighs by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from trialign.objectives.config import AwrConfig, InconsistencyConfig, ObjectiveConfig
from trialign.scoring import Scoring
from trialign.trajectories.behaviour import option_shares
from trialign.updates.awr import Awr
from trialign.updates.sampled import Sampled, SampleUnits, earns_differently
from trialign.updates.topr import Topr
from trialign.updates.update import Step, StepCounts, UpdateLoss

pytestmark = pytest.mark.unit

NAN = math.nan


def sampled_loss(
    update: Sampled, scores: Tensor, units: SampleUnits, weights: Tensor, counts: StepCounts
) -> UpdateLoss:
    """The loss of samples of free answers, each of which is a branch of its own: [U, G, K] ``scores``."""
    places = torch.arange(scores.numel()).view(scores.shape)
    step = Step(weights, counts, torch.zeros(scores.shape[1]), scores.flatten())
    return update.loss(replace(units, answers=places), scores.flatten(), step)


def units_of(behaviour: Tensor, truth: Tensor, preference: Tensor, disagreement: Tensor) -> SampleUnits:
    chosen = torch.arange(truth.shape[2]).expand(truth.shape)
    free = torch.zeros(len(truth), dtype=torch.bool)
    return SampleUnits(chosen, chosen, free, behaviour, truth, preference, disagreement)


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
    objective = ObjectiveConfig(inconsistency=InconsistencyConfig(weight=penalty), awr=config or AwrConfig())
    units = units_of(*(torch.tensor([[part]]) for part in (behaviour, truth, preference, disagreement)))
    weights, counts = torch.tensor([[weight, 4.0]]), StepCounts(1, 0, (tokens,))
    result = sampled_loss(Awr(objective, Scoring()), scores, units, weights, counts)
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
    assert result.kl is None


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
    assert earns_differently(truth, preference, disagreement, penalised=True).tolist() == [[True, True, False, True]]
    assert earns_differently(truth, preference, disagreement, penalised=False).tolist() == [[True, False, False, True]]


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
        units = units_of(*(part[chosen] for part in (behaviour, truth, preference, disagreement)))
        weights = torch.tensor([[1.0, 2.0], [0.5, 1.5]])
        result = sampled_loss(Awr(ObjectiveConfig(), Scoring()), leaf[chosen], units, weights, StepCounts(4, 2, (40,)))
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
        units = units_of(torch.tensor([[behaviour]]), torch.tensor([[[1.0, 0.0]]]), nothing, torch.zeros(1, 1, 2))
        update = Topr(ObjectiveConfig(inconsistency=InconsistencyConfig(weight=0.0)), Scoring())
        return sampled_loss(update, scores, units, torch.tensor([[2.0, 1.0]]), StepCounts(1, 0, (5,))).loss

    assert loss([-2.0, -3.0]).item() == pytest.approx(-(1 * -1 - 1 * -2) / 5)
    # Where the bad answer is half as probable as it was, it counts half; a good one counts in full.
    tapered = loss([-1.0 + math.log(2), -2.0 + math.log(2)])
    assert tapered.item() == pytest.approx(-(1 * -1 - 0.5 * -2) / 5)
    tapered.backward()
    assert scores.grad is not None
    # The importance weight is a constant of the gradient.
    assert scores.grad.flatten().tolist() == pytest.approx([-1 / 5, 0.5 / 5])


# --- options, which are drawn from their distribution ---


def choice_loss(update: Sampled, scores: Tensor, behaviour: list[float], lengths: list[int]) -> UpdateLoss:
    """One group, a question of three options of which the first two were drawn; the first earns 1, the second 0."""
    units = SampleUnits(
        answers=torch.tensor([[[0, 1, 2]]]),
        chosen=torch.tensor([[[0, 1]]]),
        enumerated=torch.tensor([True]),
        behaviour=torch.tensor([[behaviour]]),
        truth=torch.tensor([[[1.0, 0.0]]]),
        preference=torch.full((1, 1, 2), NAN),
        disagreement=torch.zeros(1, 1, 2),
    )
    values = scores / torch.tensor(lengths)
    step = Step(torch.tensor([[2.0, 0.0]]), StepCounts(1, 0, (5,)), torch.zeros(1), values)
    return update.loss(units, scores, step)


NO_PENALTY = ObjectiveConfig(inconsistency=InconsistencyConfig(weight=0.0))
# The policy's texts have the odds 4 : 2 : 2 and together only e^-3 of the probability: S = (1/2, 1/4, 1/4).
TEXTS = (torch.tensor([4.0, 2.0, 2.0]) / 8 * math.exp(-3)).log()


def test_an_option_is_as_probable_as_its_share_not_as_its_text() -> None:
    # Drawn with 1/8 and 1/2: pi / mu is 4 and 1/2, and the weights 8/9 and 1/9. The texts' own probability is e^-3 of
    # that, and no ratio would ever reach the truncation.
    drawn = [math.log(1 / 8), math.log(1 / 2)]
    result = choice_loss(Awr(NO_PENALTY, Scoring()), TEXTS, drawn, [1, 1, 1])
    assert result.rewards is not None
    assert result.rewards[0, 0].item() == pytest.approx(8 / 9)
    # Truncated at 1: 1 and 1/2.
    tight = replace(NO_PENALTY, awr=AwrConfig(importance=1.0))
    result = choice_loss(Awr(tight, Scoring()), TEXTS, drawn, [1, 1, 1])
    assert result.rewards is not None
    assert result.rewards[0, 0].item() == pytest.approx(2 / 3)
    # At the scores' temperature 2, S is as the roots: 2 : sqrt 2 : sqrt 2.
    result = choice_loss(Awr(NO_PENALTY, Scoring("sum", 2.0)), TEXTS, drawn, [1, 1, 1])
    shares = [2 / (2 + 2 * 2**0.5), 2**0.5 / (2 + 2 * 2**0.5)]
    ratios = [shares[0] * 8, shares[1] * 2]
    assert result.rewards is not None
    assert result.rewards[0, 0].item() == pytest.approx(ratios[0] / sum(ratios))


def test_a_bad_option_is_tapered_by_its_share() -> None:
    # Advantages 1 and -1; the bad option had 1/2 and has 1/4: it counts half.
    scores = TEXTS.clone().requires_grad_()
    choice_loss(Topr(NO_PENALTY, Scoring()), scores, [math.log(1 / 2), math.log(1 / 2)], [1, 1, 1]).loss.backward()
    assert scores.grad is not None
    # What is learned is the option's text; the third option, which was not drawn, is scored for the shares alone.
    assert scores.grad.tolist() == pytest.approx([-1 / 5, 0.5 / 5, 0.0])


@pytest.mark.parametrize("scoring", [Scoring(), Scoring("sum", 4.0), Scoring("mean", 0.5)])
@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
def test_importance_weights_are_1_in_expectation(scoring: Scoring, temperature: float) -> None:
    """The sum over all options of mu x pi / mu is the whole of pi, whatever they were drawn by."""
    values = torch.tensor([-1.0, -1.5, -2.0])
    shares = option_shares([-0.7, -1.2, -3.2], scoring, temperature)
    units = SampleUnits(
        torch.tensor([[[0, 1, 2]]]),
        torch.tensor([[[0, 1, 2]]]),
        torch.tensor([True]),
        torch.tensor([[shares]]).log(),
        *torch.zeros(3, 1, 1, 3),
    )
    policy = Awr(NO_PENALTY, scoring)._log_policy(units, values, values)
    assert (units.behaviour.exp() * (policy - units.behaviour).exp()).sum().item() == pytest.approx(1.0)


def test_free_answers_beside_choices_are_as_probable_as_their_tokens() -> None:
    units = SampleUnits(
        answers=torch.tensor([[[0, 1, -1]], [[2, 3, 4]]]),
        chosen=torch.tensor([[[0, 1]], [[2, 0]]]),
        enumerated=torch.tensor([False, True]),
        behaviour=torch.zeros(2, 1, 2),
        truth=torch.zeros(2, 1, 2),
        preference=torch.zeros(2, 1, 2),
        disagreement=torch.zeros(2, 1, 2),
    )
    scores = torch.cat([torch.tensor([-1.5, -2.5]), TEXTS])
    policy = Awr(NO_PENALTY, Scoring())._log_policy(units, scores, scores)
    torch.testing.assert_close(policy, torch.tensor([[[-1.5, -2.5]], [[math.log(1 / 4), math.log(1 / 2)]]]))
