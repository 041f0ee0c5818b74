"""What is drawn for each optimizer step of a run: groups, where a step does not ask all, and z of nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from trialign.api.session import Session
from trialign.errors import UserError
from trialign.policy.basis import Draws, draw
from trialign.trajectories.panels import Panels
from trialign.trajectories.plan import GroupPlan, PanelPlan
from trialign.trajectories.teacher import instructions
from trialign.updates.expected import Expected


def draw_of(session: Session) -> Callable[[int], Draws] | None:
    """What draws z of nobody for a step; None where no penalty would be taken at them."""
    config, groups, plan = session.config, len(session.groups.names), groups_of(session)
    basis, penalty = config.policy.basis, config.objective.inconsistency.penalises
    penalised = any(isinstance(update, Expected) for update in session.updates)
    if config.policy.adapters != "basis" or not (basis.draws and penalty and penalised):
        return None
    if isinstance(plan, PanelPlan):  # what another group is told of a question nobody knows
        return lambda step: draw(config.seed, step, groups, basis, plan.step(step))
    return lambda step: draw(config.seed, step, groups, basis)


def groups_of(session: Session) -> GroupPlan | PanelPlan | None:
    """Which groups each step asks; None: all of them."""
    groups, config = len(session.groups.names), session.config
    drawn, panels = config.trainer.groups_per_step, panels_of(session)
    if panels is not None:
        return PanelPlan(panels, tuple(sorted(_episodes(session, panels))), config.seed)
    return None if drawn is None or drawn >= groups else GroupPlan(groups, drawn, config.seed)


def panels_of(session: Session) -> Panels | None:
    """Whom each question is asked of while the data is collected; None: all groups."""
    size, config = session.config.trainer.groups_per_step, session.config.collect
    if config.panels is None or size is None:
        return None
    asked = [(query.query_id, str(query.kind)) for query in session.split("train")]
    asked += [(query.query_id, "instruction") for query in instructions()]
    return Panels.dealt(len(session.groups.names), size, config.panels, asked, config.seed)


def check_panels(session: Session) -> None:
    """Refuses panels into which the groups, or the questions, cannot be dealt.

    Raises:
        UserError: says what does not go into what.
    """
    groups, each, trainer = len(session.groups.names), session.config.collect.panels, session.config.trainer
    if each is None:
        return
    size = trainer.groups_per_step
    if size is None:
        raise UserError(
            f"collect.panels is {each}, and trainer.groups_per_step does not say of how many groups a panel is",
            "Set trainer.groups_per_step, or collect.panels=null",
        )
    if groups % size:
        raise UserError(
            f"collect.panels deals {groups} groups into panels of trainer.groups_per_step={size}, which leaves "
            f"{groups % size} of them over",
            "Set trainer.groups_per_step to a divisor of the number of groups",
        )
    if each > groups // size:
        raise UserError(
            f"collect.panels is {each}, and {groups} groups make {groups // size} panels of {size}",
            "Set it lower, or to null: then all groups are asked every question",
        )
    if session.config.objective.in_parts:
        raise UserError(
            f"objective={session.config.objective.name} trains facts apart from the groups, and collect.panels={each} "
            "asks only some of them",
            "Set collect.panels=null",
        )
    panels = panels_of(session)
    assert panels is not None
    visits = _episodes(session, panels)
    fewest = min(visits.values(), default=0)
    if session.trains and fewest < trainer.queries_per_step:
        raise UserError(
            f"With collect.panels={each} a panel of groups is asked {fewest} questions in a pass, and a step takes "
            f"trainer.queries_per_step={trainer.queries_per_step}",
            "Raise collect.panels, or lower trainer.queries_per_step",
        )


def _episodes(session: Session, panels: Panels) -> Counter[int]:
    """Panel -> visits to its training episodes in one pass; panels without any are not there."""
    objective, exposures = session.config.objective, len(session.config.collect.exposures)
    visits: Counter[int] = Counter()
    for query in session.split("train"):
        if query.kind in objective.kinds:
            for panel in panels.of(query.query_id):
                visits[panel] += exposures * session.config.trainer.visits.get(query.kind, 1)
    return visits
