"""The module around the objective, where each step asks some of the groups only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trialign.objectives.config import InconsistencyConfig, ObjectiveConfig, PairsConfig, TextConfig, WelfareConfig
from trialign.scoring import Scoring
from trialign.training.module import OptimizerConfig, TriAlignModule
from trialign.training.steps import step_counts
from trialign.trajectories.batches import build_episode_batch
from trialign.trajectories.datamodule import StepBatch
from trialign.trajectories.episodes import Episode, Taught
from trialign.trajectories.records import Sample
from trialign.trajectories.texts import Text
from trialign.updates import updates_of

from .agents import fact
from .test_module import end_step

pytestmark = [
    pytest.mark.unit,
    # Without a trainer there is nobody to log for.
    pytest.mark.filterwarnings("ignore:.*reference is not registered.*:UserWarning"),
]

NAMES = ("a", "b", "c", "d")
SHARES = ((0.8, 0.2), (0.5, 0.5), (0.3, 0.7), (0.6, 0.4))
UTILITIES = ((0.5, 0.9), (0.25, 0.6), (0.7, 0.2), (0.1, 0.4))


class Crowd(nn.Module):
    """Four agents that answer each question with the same shares of two options."""

    groups = NAMES

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.tensor(SHARES, dtype=torch.float64).log())
        self.coordinates: Any = None
        self.config: Any = None

    def score(self, tree: Any) -> Tensor:
        width = len(tree.branch_lengths) // len(tree.adapters)
        replies = torch.zeros(len(self.scores), 1, dtype=torch.float64)
        return torch.cat([self.scores, replies], dim=1)[tree.adapters, :width].flatten()

    def score_watched(self, tree: Any, watched: Any) -> tuple[Tensor, Tensor]:
        width = len(tree.branch_lengths) // len(tree.adapters)
        told = tree.adapters[tree.branch[watched.places] // width]
        return self.score(tree), self.scores[told].log_softmax(dim=1)


def episodes(taught: bool = False) -> list[Episode]:
    """A fact and a taste, whose rows differ in samples, targets and teachers' replies from group to group."""
    two = fact("fact", 0, ((3, 5), (4,)))
    ((row, _),) = two.turns
    samples = [
        (
            Sample((3, 5), -0.7, "x", "x", "scored", 1.0, None, 0.5, -0.7),
            Sample((4,), -0.7, "y", "y", "scored", 0.0, None, 0.5, -0.7),
        ),
        (
            Sample((4,), -0.7, "y", "y", "scored", 0.0, None, 0.25, -0.7),
            Sample((3, 5), -0.7, "x", "x", "scored", 1.0, None, 0.75, -0.7),
        ),
        (
            Sample((4,), -0.7, "y", "y", "scored", 0.0, None, 0.25, -0.7),
            Sample((4,), -0.7, "y", "y", "scored", 0.0, None, 0.25, -0.7),
        ),
        (
            Sample((3, 5), -0.7, "x", "x", "scored", 1.0, None, 0.5, -0.7),
            Sample((4,), -0.7, "y", "y", "scored", 0.0, None, 0.5, -0.7),
        ),
    ]
    rows = [replace(row, group=name, samples=drawn) for name, drawn in zip(NAMES, samples, strict=True)]
    targets = ((0.9, 0.1), (0.2, 0.8), (0.4, 0.6), (0.7, 0.3))
    tastes = [
        replace(
            one,
            query_id="taste",
            kind="preference",
            gold=None,
            target=target,
            samples=tuple(
                replace(sample, reward_truth=None, reward_preference=0.3 + 0.5 * place, disagreement=None)
                for place, sample in enumerate(one.samples)
            ),
        )
        for one, target in zip(rows, targets, strict=True)
    ]
    texts = tuple(
        Taught(
            (1,),
            Text("q", name, None, True, "z", (9,) * n, ((9,),) * n, ((math.log(0.1 * n),),) * n, (1 - 0.1 * n,) * n),
        )
        for n, name in enumerate(NAMES, start=1)
    )
    return [
        replace(two, turns=(tuple(rows),), texts=texts if taught else ()),
        replace(two, query_id="taste", kind="preference", turns=(tuple(tastes),), texts=texts if taught else ()),
    ]


def module_of(**objective: Any) -> TriAlignModule:
    stated: dict[str, Any] = {
        "welfare": WelfareConfig(epsilon=0.0, decay=0.5),
        "inconsistency": InconsistencyConfig(weight=0.0),
        **objective,
    }
    config, scoring, agents = ObjectiveConfig(**stated), Scoring(), Crowd()
    utilities = torch.tensor(UTILITIES, dtype=torch.float64)
    policy: Any = agents
    return TriAlignModule(policy, config, updates_of(config, scoring), OptimizerConfig(), scoring, utilities, 10, 1)


def batch_of(module: TriAlignModule, seats: Sequence[int] | None) -> StepBatch:
    step = episodes(bool(module.objective.text.weight))
    batch = build_episode_batch(step, range(4), module.updates, pack=False, seats=seats)
    return StepBatch(batch, tuple(step), seats=None if seats is None else tuple(seats))


def gradient(module: TriAlignModule, seats: Sequence[int] | None) -> tuple[float, Tensor]:
    module.zero_grad()
    loss = module.training_step(batch_of(module, seats), 0)
    loss.backward()
    scores: Any = module.policy.scores
    return loss.item(), scores.grad.clone()


OBJECTIVES: dict[str, dict[str, Any]] = {
    "expected": {"update": "expected", "kl_weight": 0.3},
    "egalitarian": {"update": "expected", "welfare": WelfareConfig(kind="egalitarian", epsilon=0.0)},
    "generalized_gini": {"update": "expected", "welfare": WelfareConfig(kind="generalized_gini", epsilon=0.0)},
    "awr": {"update": "awr", "inconsistency": InconsistencyConfig(weight=0.5)},
    "topr": {"update": "topr", "inconsistency": InconsistencyConfig(weight=0.5)},
    "likelihood": {"update": "likelihood"},
    "texts": {"text": TextConfig(weight=5.0)},
    "pairs": {"update": "pairs", "pairs": PairsConfig(beta=0.5, likelihood=0.2)},
    "robust pairs": {"update": "pairs", "pairs": PairsConfig(beta=0.5, group_step=2.0)},
}


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_mean_over_all_sets_of_groups_is_the_step_of_all_groups(name: str, size: int) -> None:
    """Every set of so many groups once: the mean is what a simple random sample gives in expectation, exactly."""
    module = module_of(**OBJECTIVES[name])
    module.pair_losses = torch.tensor([0.1, 0.7, 0.4, 0.2], dtype=torch.float64)
    whole, of_whole = gradient(module, None)
    parts = [gradient(module, seats) for seats in combinations(range(4), size)]
    assert whole == pytest.approx(sum(loss for loss, _ in parts) / len(parts), abs=1e-9)
    torch.testing.assert_close(torch.stack([part for _, part in parts]).mean(dim=0), of_whole, atol=1e-9, rtol=1e-9)
    assert of_whole.abs().max() > 0.01
    # No one set is the whole: what is equal is the mean.
    assert max(float((part - of_whole).abs().max()) for _, part in parts) > 0.01


def of_panel(module: TriAlignModule, seats: tuple[int, ...]) -> tuple[float, Tensor]:
    """A step whose questions nobody else was asked."""
    whole = episodes(bool(module.objective.text.weight))
    step = [replace(one.of_groups(seats), seats=seats).for_all(4) for one in whole]
    batch = build_episode_batch(step, range(4), module.updates, pack=False, seats=seats)
    module.zero_grad()
    loss = module.training_step(StepBatch(batch, tuple(step), seats=seats), 0)
    loss.backward()
    scores: Any = module.policy.scores
    return loss.item(), scores.grad.clone()


@pytest.mark.parametrize("name", ["expected", "egalitarian", "generalized_gini"])
@pytest.mark.parametrize("seats", [*combinations(range(4), 2)])
def test_a_step_of_a_panel_is_one_of_these_groups_of_all(name: str, seats: tuple[int, ...]) -> None:
    module = module_of(**OBJECTIVES[name])
    (one, of_one), (other, of_other) = gradient(module, seats), of_panel(module, seats)
    assert one == other
    assert of_one.equal(of_other)


def test_what_is_divided_by_tokens_is_divided_by_those_of_the_panel() -> None:
    """The best answers have 2 tokens each to the fact, and 2, 1, 1, 2 to the taste: 8 of the panel, 14 of all."""
    module, seats = module_of(**OBJECTIVES["likelihood"]), (0, 3)
    own = sum(one.own[0] for one in step_counts([one.of_groups(seats) for one in episodes()], module.updates))
    whole = sum(one.own[0] for one in step_counts(episodes(), module.updates))
    assert (own, whole) == (8, 14)
    assert of_panel(module, seats)[0] == pytest.approx(gradient(module, seats)[0] * whole / (2 * own))


def test_all_groups_drawn_are_a_step_of_all_groups_to_the_bit() -> None:
    module = module_of(inconsistency=InconsistencyConfig(weight=1.0), kl_weight=0.3)
    (one, of_one), (other, of_other) = gradient(module, None), gradient(module, range(4))
    assert one == other
    assert of_one.equal(of_other)


def test_the_penalty_is_that_among_the_groups_of_the_step() -> None:
    """By hand: S = (.8, .2), (.6, .4) of the first and last group; M = (.7, .3)."""
    module, seats = module_of(inconsistency=InconsistencyConfig(weight=2.0, gate="none")), (0, 3)
    plain = module_of()

    def entropy(share: float) -> float:
        return -share * math.log(share) - (1 - share) * math.log(1 - share)

    d = (entropy(0.7) - (entropy(0.8) + entropy(0.6)) / 2) / math.log(2)
    assert gradient(module, seats)[0] - gradient(plain, seats)[0] == pytest.approx(2 * d)
    assert d == pytest.approx(0.0349, abs=1e-4)


def test_weights_are_of_all_groups_and_averages_move_for_those_of_the_step() -> None:
    module = module_of()
    loss = module.training_step(batch_of(module, (1, 3)), 0).item()
    # a_T / A = 2, 4, 1/.7, 10 and a_P / P = 3/.9, 5, 15, 7.5; all eight are divided by their mean, 6.0327.
    mean = (2 + 4 + 1 / 0.7 + 10 + 3 / 0.9 + 5 + 15 + 7.5) / 8
    truth = 4 / mean * 0.5 + 10 / mean * 0.6
    # 1 - TV: .5 against .2, and .6 against .7.
    taste = 5 / mean * 0.7 + 7.5 / mean * 0.9
    assert loss == pytest.approx(-2 * (truth + taste))
    end_step(module)
    assert module.utilities[:, 0].tolist() == pytest.approx([0.5, (0.25 + 0.5) / 2, 0.7, (0.1 + 0.6) / 2])
    assert module.utilities[:, 1].tolist() == pytest.approx([0.9, (0.6 + 0.7) / 2, 0.2, (0.4 + 0.9) / 2])


def test_the_worst_off_of_all_groups_counts_though_it_was_not_drawn() -> None:
    module = module_of(welfare=WelfareConfig(kind="egalitarian", preference=0.0, smallest=0.0, epsilon=0.0))
    assert gradient(module, (0, 1))[0] == 0
    # The fourth alone has a weight: 4, over the mean of four.
    assert gradient(module, (1, 3))[0] == pytest.approx(-2 * 4 * 0.6)


def test_past_losses_of_a_group_are_as_if_it_had_been_asked_each_step() -> None:
    """The expectation over the drawn sets of what is remembered is what a step of all groups remembers."""
    remembered = []
    for seats in [None, *combinations(range(4), 2)]:
        module = module_of(**OBJECTIVES["robust pairs"])
        module.training_step(batch_of(module, seats), 0)
        end_step(module)
        remembered.append(module.pair_losses)
        assert seats is None or set(module.pair_losses.nonzero().flatten().tolist()) == set(seats)
    torch.testing.assert_close(torch.stack(remembered[1:]).mean(dim=0), remembered[0])


def test_of_very_many_groups_the_spread_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    module = module_of()
    module.sampled = True
    values: dict[str, Any] = {}
    monkeypatch.setattr(module, "log_dict", lambda logged, **_: values.update(logged))
    module.training_step(batch_of(module, (1, 3)), 0)
    shown = {name: float(value) for name, value in values.items() if name.startswith("utility/truth/")}
    assert shown == {
        "utility/truth/lowest of all": pytest.approx(0.1),
        "utility/truth/mean of all": pytest.approx((0.5 + 0.25 + 0.7 + 0.1) / 4),
        "utility/truth/highest of all": pytest.approx(0.7),
    }
    assert sum(name.startswith("weight/") for name in values) == 6
    assert not any(name.endswith("/a") for name in values)


def test_validation_is_of_the_groups_that_it_asks() -> None:
    module = module_of()
    one = TriAlignModule(
        module.policy, module.objective, module.updates, OptimizerConfig(), Scoring(), module.utilities, 10, 1, (1, 3)
    )
    one.validation_step(build_episode_batch(episodes(), range(4), module.updates, pack=False, seats=(1, 3)), 0)
    found = one._validation_metrics()
    assert {name for name in found if name.startswith("truth/accuracy/")} == {"truth/accuracy/b", "truth/accuracy/d"}
    assert one.sampled
    assert not module.sampled


def test_lambda_moves_by_how_far_the_flips_are_off_the_budget() -> None:
    """The third of four answers otherwise: 3 of 6 pairs differ, .5; lambda' = 2 + .5 (.5 - .1) = 2.2."""
    penalty = InconsistencyConfig(weight=2.0, gate="none", budget=0.1, budget_rate=0.5)
    module, fixed = module_of(inconsistency=penalty), module_of(inconsistency=replace(penalty, budget=None))
    plain, logged = module_of(), {}
    module.log_dict = lambda values, **_: logged.update(values)  # type: ignore[method-assign,assignment]
    first = gradient(module, None)[0]
    assert first == gradient(fixed, None)[0]
    d = (first - gradient(plain, None)[0]) / 2
    assert d > 0.01
    end_step(module)
    assert module.penalty.item() == pytest.approx(2.2)
    assert logged["train/flips"].item() == pytest.approx(0.5)
    assert logged["train/lambda"].item() == pytest.approx(2.0)
    end_step(plain)
    assert gradient(module, None)[0] - gradient(plain, None)[0] == pytest.approx(2.2 * d)
    assert "penalty" in module.state_dict()
    assert "penalty" not in fixed.state_dict()


def test_flips_are_those_of_the_whole_step_and_without_facts_lambda_stays() -> None:
    penalty = InconsistencyConfig(weight=0.0, budget=1.0, budget_rate=0.5)
    module, (of_fact, of_taste) = module_of(inconsistency=penalty), episodes()
    module.penalty.fill_(3.0)
    module.micro_batches = 2
    for place, mine in enumerate(([of_taste], [of_fact, replace(of_fact, query_id="other")])):
        batch = build_episode_batch(mine, range(4), module.updates, pack=False)
        module.training_step(StepBatch(batch, (of_taste, of_fact, of_fact)), place)
        end_step(module, batch_idx=place)
    assert module.penalty.item() == pytest.approx(3 + 0.5 * (0.5 - 1))
    module.micro_batches = 1
    module.training_step(
        StepBatch(build_episode_batch([of_taste], range(4), module.updates, pack=False), (of_taste,)), 0
    )
    end_step(module)
    assert module.penalty.item() == pytest.approx(2.75)


def test_flips_of_a_panel_are_those_among_it() -> None:
    module = module_of(inconsistency=InconsistencyConfig(weight=0.0, budget=0.0, budget_rate=1.0))
    gradient(module, (0, 2))
    end_step(module)
    assert module.penalty.item() == 1  # one pair, which differs
    gradient(module, (0, 3))
    end_step(module)
    assert module.penalty.item() == 1  # one pair, which does not
