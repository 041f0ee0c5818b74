"""What each rank is handed: every group, in every micro-batch of every optimizer step."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trialign import distributed
from trialign.groups import GroupSet
from trialign.objectives.config import ObjectiveConfig
from trialign.policy import GroupPolicy
from trialign.scoring import Scoring
from trialign.trajectories.batches import episodes_of
from trialign.trajectories.datamodule import StepLoader
from trialign.trajectories.plan import EpisodePlan
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
