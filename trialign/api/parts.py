"""A run in two parts: facts learned without profiles, tastes with them, each in half of the steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trialign.api import unprofiled
from trialign.api.merging import merged
from trialign.api.session import Session
from trialign.checkpoints import adapter_state, read_agents
from trialign.config import RunConfig
from trialign.group_config import CONTROL
from trialign.groups import FACTS, GroupSet, SocialGroup
from trialign.objectives.config import GateConfig, MergeConfig
from trialign.trajectories.episodes import Episode, episodes_of

NOBODY = GroupSet("unprofiled", "none", (SocialGroup(FACTS, "Facts", explicit=("",)),))


def facts_part(session: Session) -> Session:
    """The training of one adapter on the right answers to facts, asked without a profile."""
    objective = replace(session.config.objective, update="likelihood", imitate="best", kinds=("truth",), turns=1)
    steps = session.config.trainer.steps // 2
    return _part(session, "facts", replace(session.config, objective=objective), steps)


def facts_alone(session: Session) -> Session:
    """The same as it learns: one agent, which belongs to none of the run's groups and is told of nobody."""
    part = facts_part(session)
    collected = replace(part.config.collect, exposures=("explicit",))
    alone = replace(part, config=replace(part.config, collect=collected), stated=NOBODY)
    # Read again, the questions would be held against this one agent, and tastes be reported as left out.
    alone.__dict__["queries"] = session.queries
    return alone


def tastes_part(session: Session) -> Session:
    """The training of the groups' agents on what the objective says otherwise."""
    steps = session.config.trainer.steps
    return _part(session, "tastes", session.config, steps - steps // 2)


def fact_episodes(part: Session) -> list[Episode]:
    """Training episodes of the facts, as the base model was asked them without a profile."""
    return list(episodes_of(list(unprofiled.read(part).values()), (CONTROL,), 1))


def _part(session: Session, name: str, config: RunConfig, steps: int) -> Session:
    plain = replace(config.objective, gate=GateConfig(), merge=MergeConfig())
    policy = config.policy
    if session.config.objective.merge.facts:  # half the rank at the same scale: joined, they are what all methods have
        policy = replace(policy, rank=policy.rank // 2, alpha=policy.alpha // 2)
    trainer = replace(config.trainer, steps=steps)
    where = f"{session.config.name}/parts/{name}"
    return replace(session, config=replace(config, name=where, objective=plain, policy=policy, trainer=trainer))


def is_trained(part: Session) -> bool:
    """Whether a part has come to its end."""
    return part.config.trainer.steps in part.run.steps()


def join(session: Session, facts: Session, tastes: Session) -> None:
    """Puts what both parts learned into the session's agents."""
    of_facts, of_tastes = (read_agents(part.run.agents_at(part.config.trainer.steps)) for part in (facts, tastes))
    learned, weights = adapter_state(of_facts, FACTS), session.config.objective.merge
    for group in session.groups.names:
        own = adapter_state(of_tastes, group)
        _load(session, group, merged(learned, own, weights) if weights.facts else own)
    for name in session.policy.apart:
        _load(session, name, learned)


def _load(session: Session, name: str, state: Mapping[str, Any]) -> None:
    adapter = session.policy.adapter_of(name)
    assert adapter is not None
    session.policy.load_adapter_state(adapter, state)
