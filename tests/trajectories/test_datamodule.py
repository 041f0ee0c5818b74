"""What each rank is handed: every group, in every micro-batch of every optimizer step."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trialign import distributed
from trialign.groups import GroupSet
from trialign.objectives.config import ObjectiveConfig
from trialign.policy import GroupPolicy
from trialign.scoring import Scoring
from trialign.trajectories.datamodule import StepLoader, TrajectoryDataModule
from trialign.trajectories.episodes import episodes_of
from trialign.trajectories.plan import EpisodePlan, GroupPlan
from trialign.trajectories.records import Trajectory
from trialign.updates import updates_of

pytestmark = pytest.mark.unit

AUTO = updates_of(ObjectiveConfig(), Scoring())


@pytest.mark.parametrize(("ranks", "micro_batches"), [(1, 1), (2, 1), (2, 2), (4, 1)])
def test_every_micro_batch_of_every_rank_moves_every_groups_adapter(
    collected: tuple[Trajectory, ...],
    groups: GroupSet,
    make_policy: Callable[..., GroupPolicy],
    monkeypatch: pytest.MonkeyPatch,
    ranks: int,
    micro_batches: int,
) -> None:
    """An adapter without a gradient would drift by its moments alone, at each of DeepSpeed's stages in another way."""
    policy, steps = make_policy(), 3
    episodes = episodes_of(collected, groups.names, None)
    plan = EpisodePlan(tuple(episode.kind for episode in episodes), 4, seed=0)
    monkeypatch.setattr(distributed, "world_size", lambda: ranks)
    seen = 0
    for rank in range(ranks):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        for handed in StepLoader(episodes, (0, 1, 2), plan, AUTO, steps, micro_batches, (), True):
            policy.zero_grad(set_to_none=True)
            policy.score(handed.batch.tree).sum().backward()
            for name, parameter in policy.named_parameters():
                if parameter.requires_grad:
                    assert parameter.grad is not None, name
                    assert float(parameter.grad.abs().max()) > 0, name
            seen += 1
    assert seen == ranks * steps * micro_batches


def test_a_step_of_some_groups_is_one_on_every_rank_and_moves_all_that_groups_share(
    collected: tuple[Trajectory, ...],
    groups: GroupSet,
    make_policy: Callable[..., GroupPolicy],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy, steps, micro_batches, ranks = make_policy(adapters="basis"), 3, 2, 2
    episodes = episodes_of(collected, groups.names, None)
    plan, drawn = EpisodePlan(tuple(episode.kind for episode in episodes), 4, seed=0), GroupPlan(3, 2, 5)
    monkeypatch.setattr(distributed, "world_size", lambda: ranks)
    seats: dict[int, list[tuple[int, ...] | None]] = {}
    for rank in range(ranks):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        loader = StepLoader(episodes, (0, 1, 2), plan, AUTO, steps, micro_batches, (), True, groups=drawn)
        handed = list(loader)
        loader.position = 3  # as where a run is resumed within the second step
        assert [one.seats for one in loader] == [one.seats for one in handed[3:]]
        for one in handed:
            policy.zero_grad(set_to_none=True)
            policy.score(one.batch.tree).sum().backward()
            assert set(one.batch.tree.adapters.tolist()) == set(one.seats or ())
            assert {row.group for episode in one.step for row in episode.turns[0]} == set(groups.names)
            for name, parameter in policy.named_parameters():
                if parameter.requires_grad:
                    assert parameter.grad is not None, name
                    assert float(parameter.grad.abs().max()) > 0, name
        seats[rank] = [one.seats for one in handed]
    assert seats[0] == seats[1] == [drawn.step(number) for number in range(steps) for _ in range(micro_batches)]
    assert len(set(seats[0])) > 1


def test_validation_asks_the_groups_of_the_first_step(collected: tuple[Trajectory, ...], groups: GroupSet) -> None:
    episodes = [e for e in episodes_of(collected, groups.names, None) if e.turns[0][0].options]
    drawn = GroupPlan(3, 2, 5)
    data = TrajectoryDataModule(episodes, episodes, (0, 1, 2), AUTO, 4, 1, 3, 0, {}, groups=drawn)
    batches = list(data.val_dataloader())
    assert sum(len(batch.query_ids) for batch in batches) == len(episodes)
    for batch in batches:
        assert set(batch.tree.adapters.tolist()) == set(drawn.step(0))
        assert batch.units[0].branches.shape[1] == 2
