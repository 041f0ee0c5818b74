"""The module around the objective, where all groups share one basis: the prior, and agents of no group."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from trialign.policy.adapters import AdapterConfig, BasisConfig
from trialign.policy.basis import Coordinates, Draws
from trialign.training.module import TriAlignModule
from trialign.trajectories.batches import Unseen, build_episode_batch
from trialign.trajectories.datamodule import StepBatch

from .agents import AUTO, SCORES, Table, fact
from .test_module import step_batch

pytestmark = [
    pytest.mark.unit,
    # Without a trainer there is nobody to log for.
    pytest.mark.filterwarnings("ignore:.*reference is not registered.*:UserWarning"),
]


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_the_prior_of_what_groups_own_counts_once_a_step(
    make_module: Callable[..., TriAlignModule], micro_batches: int
) -> None:
    losses = []
    for prior in (0.0, 0.25):
        table = Table()
        config = BasisConfig(dimensions=2, prior=prior)
        table.config, table.coordinates = AdapterConfig(adapters="basis", basis=config), Coordinates(2, config)
        table.coordinates.set(1, torch.tensor([3.0, 4.0]))
        module = make_module(table, micro_batches)
        parts = [[fact(name, 0)] for name in "ab"[:micro_batches]]
        step = [episode for part in parts for episode in part]
        # Lightning takes the mean over the micro-batches.
        losses.append(sum(module.training_step(step_batch(part, step), 0).item() for part in parts) / micro_batches)
    assert losses[1] - losses[0] == pytest.approx(0.25 * (3**2 + 4**2) / 2)


@pytest.mark.parametrize("facts", [1, 2], ids=["a step of one fact", "one of a step's two facts"])
def test_the_penalty_is_taken_among_agents_of_no_group_too(
    make_module: Callable[..., TriAlignModule], facts: int
) -> None:
    """By hand: S = (.8, .2), (.5, .5), then (.2, .8), (.9, .1) of two draws; M of all four = (.6, .4)."""
    step = tuple(fact(name, 0) for name in "ab"[:facts])
    config = BasisConfig(dimensions=2, prior=0.0)
    losses = []
    for drawn in (False, True):
        table = Table((*SCORES, *(math.log(share) for share in (0.2, 0.8, 0.9, 0.1))) if drawn else SCORES)
        table.config, table.coordinates = AdapterConfig(adapters="basis", basis=config), Coordinates(2, config)
        module = make_module(table, penalty=2.0)
        unseen = Unseen((3, 4), (1, 0), 0) if drawn else None
        batch = build_episode_batch([fact("a", 0)], (0, 1), AUTO, unseen=unseen, pack=False)
        draws = Draws((1, 0), torch.zeros(2, 2), torch.ones(2, 2)) if drawn else None
        losses.append(module.training_step(StepBatch(batch, step, draws), 0).item())
        assert table.coordinates.draws is draws
        rewards = module._step_rewards[:, 0].tolist()
        assert rewards == pytest.approx([0.8, 0.5])  # nobody's reward counts

    def entropy(share: float) -> float:
        return -share * math.log(share) - (1 - share) * math.log(1 - share)

    d = (entropy(0.6) - (entropy(0.8) + entropy(0.5) + entropy(0.2) + entropy(0.9)) / 4) / math.log(2)
    assert losses[1] - losses[0] == pytest.approx(2 * d / facts)
    assert d == pytest.approx(0.2428, abs=1e-4)
    assert module._step_shares[-1].item() == pytest.approx(d / facts)
