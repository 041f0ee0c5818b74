"""A small collection of the tiny model's agents."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from trialign.environment import EnvironmentConfig, PromptConfig
from trialign.groups import GroupSet
from trialign.models import ChatRenderer
from trialign.policy import GroupPolicy
from trialign.queries import Query
from trialign.scoring import Scoring
from trialign.trajectories.collection import CollectConfig, Collector
from trialign.trajectories.records import Trajectory


@pytest.fixture(scope="session")
def make_collector(
    make_policy: Callable[..., GroupPolicy], renderer: ChatRenderer, groups: GroupSet
) -> Callable[..., Collector]:
    """Makes a collector; keyword arguments replace its parts."""
    policy = make_policy()

    def make(**parts: object) -> Collector:
        defaults: dict[str, object] = {
            "policy": policy,
            "renderer": renderer,
            "groups": groups,
            "prompt": PromptConfig(),
            "environment": EnvironmentConfig(turns=1, topology="ring"),
            "scoring": Scoring(),
            "config": CollectConfig(exposures=("explicit", "implicit"), samples=3, max_new_tokens=5),
        }
        return Collector(**{**defaults, **parts})  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def collected(make_collector: Callable[..., Collector], queries: tuple[Query, ...]) -> tuple[Trajectory, ...]:
    """All queries under both exposures over two turns, three samples each."""
    return make_collector().collect(queries)
