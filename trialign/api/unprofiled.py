"""What the base model answers to the facts when it is told nothing of the user: a collection beside the run's own."""

from __future__ import annotations

from dataclasses import asdict, replace

from trialign.api.session import Session
from trialign.environment import EnvironmentConfig
from trialign.groups import GroupSet, SocialGroup
from trialign.queries import Query
from trialign.trajectories.collection import CollectConfig, Collector
from trialign.trajectories.records import Trajectory
from trialign.trajectories.store import TrajectoryStore

_NOBODY = SocialGroup("control", "No profile", role="control")
_ALONE = EnvironmentConfig(turns=0)
# The sampling code, as good as greedy: logits differ by far more than this temperature.
_GREEDY = 1e-6


def collect(session: Session) -> None:
    """Makes the answers that are missing; like the run's own collection, over all ranks and resumable."""
    store = _store(session)
    if store.complete:
        return
    groups = GroupSet("unprofiled", "none", (_NOBODY,))
    config = session.config
    collector = Collector(
        session.policy.eval(),
        session.renderer,
        groups,
        config.prompt,
        _ALONE,
        config.scoring,
        _collect_config(session),
        session.served,
    )
    store.collect(_queries(session), config.collect.queries_per_part, collector.collect)


def read(session: Session) -> dict[str, Trajectory]:
    """Query id -> the base model's own answer, the only sample of its trajectory.

    Raises:
        UserError: the collection is not what was written.
    """
    return {row.query_id: row for row in _store(session).read()}


def _queries(session: Session) -> list[Query]:
    kinds = session.config.objective.kinds
    return [query for query in session.split("train") if query.kind in kinds]


def _collect_config(session: Session) -> CollectConfig:
    return replace(session.config.collect, exposures=("explicit",), samples=1, temperature=_GREEDY)


def _store(session: Session) -> TrajectoryStore:
    identity = {
        **{name: value for name, value in session.store.identity.items() if name != "behaviour"},
        "groups": [asdict(_NOBODY)],
        "environment": asdict(_ALONE),
        "collect": _collect_config(session).identity(),
        "kinds": list(session.config.objective.kinds),
    }
    return TrajectoryStore.under(session.runs, identity)
