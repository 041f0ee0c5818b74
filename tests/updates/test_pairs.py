from __future__ import annotations

import math

import pytest
import torch

from trialign.objectives.config import ObjectiveConfig, PairsConfig
from trialign.scoring import Scoring
from trialign.trajectories.batches import Observed
from trialign.trajectories.records import Trajectory
from trialign.updates.pairs import (
    Pairs,
    PairUnits,
    chosen_likelihood_loss,
    group_weights,
    pair_losses_by_group,
    preference_pair_loss,
    robust_pair_loss,
)
from trialign.updates.update import Step, StepCounts

pytestmark = pytest.mark.unit


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
    first, second = (preference_pair_loss(scores[part], others[part], 6, 0.1) for part in (slice(0, 2), slice(2, 6)))
    torch.testing.assert_close(first + second, preference_pair_loss(scores, others, 6, 0.1))


def test_extreme_margins_stay_finite() -> None:
    chosen = torch.tensor([1e4, -1e4], requires_grad=True)
    loss = preference_pair_loss(chosen, torch.zeros(2), 1, 1.0)
    assert loss.item() == pytest.approx(1e4)
    loss.backward()
    assert chosen.grad is not None
    assert chosen.grad.tolist() == pytest.approx([0.0, -1.0])


def test_the_likelihood_beside_pairs_by_hand() -> None:
    # Of four pairs of the step two are at hand, whose better answers have -0.5 and -1.5 nats a token.
    assert float(chosen_likelihood_loss(torch.tensor([-0.5, -1.5]), 4)) == pytest.approx(0.5)
    assert float(chosen_likelihood_loss(torch.zeros(0), 0)) == 0


@pytest.mark.parametrize("likelihood", [0.0, 0.5])
def test_the_likelihood_counts_by_its_weight_and_only_where_it_has_one(likelihood: float) -> None:
    # Two pairs with margins of log 3 and 0 under beta 1; their better answers have 2 and 4 tokens.
    scores = torch.tensor([-1.0, -1.0 - math.log(3), -3.5, -4.0])
    units = PairUnits(
        better=torch.tensor([0, 2]),
        worse=torch.tensor([1, 3]),
        reference=torch.tensor([0.0, 0.5]),
        groups=torch.tensor([0, 1]),
        tokens=torch.tensor([2, 4]),
    )
    step = Step(torch.ones(2, 2), StepCounts(2, 0, (1, 1)), torch.zeros(2), torch.zeros(0))
    update = Pairs(ObjectiveConfig(pairs=PairsConfig(beta=1.0, likelihood=likelihood)), Scoring())
    of_pairs = (math.log(4 / 3) + math.log(2)) / 2
    of_better = (1.0 / 2 + 3.5 / 4) / 2
    assert update.loss(units, scores, step).loss.item() == pytest.approx(of_pairs + likelihood * of_better)


def test_nothing_to_learn_from_costs_nothing() -> None:
    none = torch.zeros(0)
    assert preference_pair_loss(none, none, 0, 0.1).item() == 0


# Margins of log 3, 0 and log 3 under beta = 1: losses log 4/3, log 2 and log 4/3; groups 0, 2 and 0.
MARGINS = torch.tensor([math.log(3), 0.0, math.log(3)])
GROUPS = torch.tensor([0, 2, 0])


def test_pair_losses_are_summed_by_group() -> None:
    losses = pair_losses_by_group(MARGINS, torch.zeros(3), GROUPS, 3, 1.0)
    assert losses.tolist() == pytest.approx([2 * math.log(4 / 3), 0.0, math.log(2)])
    assert losses.sum() / 3 == pytest.approx(preference_pair_loss(MARGINS, torch.zeros(3), 3, 1.0).item())


def test_group_weights_grow_with_the_losses() -> None:
    # exp(2 x (0, log 2 / 2, log 2)) = 1, 2, 4 over 7.
    past = torch.tensor([0.0, math.log(2) / 2, math.log(2)])
    assert group_weights(past, 2.0).tolist() == pytest.approx([1 / 7, 2 / 7, 4 / 7])
    assert group_weights(past + 100, 2.0).tolist() == pytest.approx([1 / 7, 2 / 7, 4 / 7], abs=1e-5)


def test_the_robust_loss_weighs_the_groups_means() -> None:
    margins = MARGINS.clone().requires_grad_()
    losses = pair_losses_by_group(margins, torch.zeros(3), GROUPS, 3, 1.0)
    loss = robust_pair_loss(losses, torch.tensor([2, 0, 1]), torch.tensor([0.5, 0.2, 0.3]))
    # A group without pairs has no loss, and its share of the weight is not handed on.
    assert loss.item() == pytest.approx(0.5 * math.log(4 / 3) + 0.3 * math.log(2))
    loss.backward()
    assert margins.grad is not None
    # -(1 - sigmoid) is -1/4 and -1/2: halves of a pair of group 0, and group 2's only pair.
    assert margins.grad.tolist() == pytest.approx([-0.5 / 8, -0.3 / 2, -0.5 / 8])


def test_an_agent_without_branches_is_not_left_out() -> None:
    row = Trajectory(
        **dict.fromkeys(("query_id", "cluster", "group", "exposure", "topology"), "x"),
        split="train",
        kind="truth",
        wording=0,
        turn=0,
        prompt=(1,),
        gold=1,
        target=None,
        options=((2, 9), (3, 9)),
        option_log_probabilities=(-1.0, -3.5),
        samples=(),
    )
    pairs = Pairs(ObjectiveConfig(), Scoring())
    units = pairs.units([Observed((row, row), ((4, 5), (7, 6)))])
    # The right option is the second: it is less likely by 2.5.
    assert (units.better.tolist(), units.worse.tolist(), units.groups.tolist()) == ([5, 6], [4, 7], [0, 1])
    assert units.reference.tolist() == [-2.5, -2.5]
    with pytest.raises(ValueError, match="shorter"):
        pairs.units([Observed((row, row), ((4, 5),))])
