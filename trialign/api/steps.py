"""What is drawn for each optimizer step of a run: groups, where a step does not ask all, and z of nobody."""

from __future__ import annotations

from collections.abc import Callable

from trialign.api.session import Session
from trialign.policy.basis import Draws, draw
from trialign.trajectories.plan import GroupPlan
from trialign.updates.expected import Expected


def draw_of(session: Session) -> Callable[[int], Draws] | None:
    """What draws z of nobody for a step; None where no penalty would be taken at them."""
    config, groups = session.config, len(session.groups.names)
    basis, penalty = config.policy.basis, config.objective.inconsistency.weight
    penalised = any(isinstance(update, Expected) for update in session.updates)
    if config.policy.adapters != "basis" or not (basis.draws and penalty and penalised):
        return None
    return lambda step: draw(config.seed, step, groups, basis)


def groups_of(session: Session) -> GroupPlan | None:
    """Which groups each step asks; None: all of them."""
    groups, drawn = len(session.groups.names), session.config.trainer.groups_per_step
    return None if drawn is None or drawn >= groups else GroupPlan(groups, drawn, session.config.seed)
