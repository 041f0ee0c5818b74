"""A run's agents on their way to disk: what their manifest says, and the gate before them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from trialign import distributed
from trialign.api.session import Session
from trialign.asking import LocalAgents
from trialign.checkpoints import write_agents
from trialign.gating.gate import Gate, fit_gate
from trialign.gating.states import Reader
from trialign.gating.steering import fit_steering


def write_step(session: Session, step: int, gate: Gate | None) -> None:
    """Writes the agents as they are now, and the gate before them."""
    beside = gate.write if gate else None
    write_agents(session.run.agents_at(step), session.policy, step, session.files, about_agents(session), beside)


def write_untrained(session: Session) -> None:
    """Writes agents whose adapters change nothing, behind their gate, as those of the last step."""
    session.renew_policy()
    gate = fitted_gate(session)
    if distributed.rank() == 0:
        write_step(session, session.config.trainer.steps, gate)
    distributed.barrier()


def fitted_gate(session: Session) -> Gate | None:
    """The gate that the objective asks for, fitted to the training questions of all kinds; None: it asks for none.

    Raises:
        UserError: the training questions are all facts, or all tastes.
    """
    config = session.config
    facts = config.objective.gate.facts
    if facts == "profiled":
        return None
    agents = LocalAgents(
        session.policy.eval(),
        session.renderer,
        config.scoring,
        config.audit.max_new_tokens,
        config.audit.batch_tokens,
    )
    reader = Reader(agents.policy, agents.renderer, agents.batch_tokens)
    learned, tried = session.split("train"), session.split("validation")
    steering = None
    if facts == "steered":
        steering = fit_steering(agents, config.prompt, session.groups, config.audit.exposures, learned, tried)
    return fit_gate(facts, config.prompt.system, reader, learned, tried, steering)


def about_agents(session: Session) -> dict[str, Any]:
    """What a checkpoint's manifest says beside weights: who the groups are and how they are asked."""
    return {
        "run": session.config.name,
        "attribute": session.groups.attribute,
        "groups": [asdict(group) for group in session.groups.everyone],
        "prompt": asdict(session.config.prompt),
        "chat": session.renderer.about(),
        "scoring": asdict(session.config.scoring),
        "objective": session.config.objective.name,
        "seed": session.config.seed,
    }
