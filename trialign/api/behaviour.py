"""Who answers while the offline data is made: the base model, or agents that a run has trained (`collect.behaviour`).

Trained agents write the next trajectories; the reference, whose scores are kept beside every answer, stays the base
model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialign import environment
from trialign.checkpoints import AgentCheckpoint, read_agents
from trialign.endpoint.door import NEUTRAL
from trialign.errors import UserError
from trialign.gating.gate import is_gated
from trialign.models import tokenizer_sha256
from trialign.policy import GroupPolicy
from trialign.queries.readers import queries_hash
from trialign.trajectories.store import TrajectoryStore

if TYPE_CHECKING:
    from trialign.api.session import Session

_KEY = "collect.behaviour"


def store_of(session: Session) -> TrajectoryStore:
    """The collection that a configuration asks for; equal ones are shared by runs.

    Raises:
        UserError: it is of agents that are not there, or are not those that were trained.
    """
    config = session.config
    identity: dict[str, Any] = {
        "model": {"name": session.files.name, "sha256": session.files.sha256, "dtype": config.model.numbers},
        "tokenizer_sha256": tokenizer_sha256(session.renderer.tokenizer),
        "groups": [group.profile for group in session.groups.members],
        "queries_sha256": queries_hash(session.split("train", "validation")),
        "prompt": environment.prompt_identity(config.prompt),
        "scoring": asdict(config.scoring),
        "environment": environment.environment_identity(config.environment),
        "collect": config.collect.identity(),
    }
    if "style" in config.collect.exposures:
        identity["styles"] = [group.style for group in session.groups.members]
    if not session.renderer.plain:
        identity["chat"] = session.renderer.about()
    if config.rollouts.engine == "server":
        asked = {key: asdict(config.rollouts)[key] for key in ("engine", "model", "token_ids")}
        # Without these values a server samples as it likes: what was collected so has another name.
        identity["rollouts"] = {**asked, "sampling": {**NEUTRAL}}
        if config.rollouts.scores == "server":
            identity["rollouts"]["scores"] = "server"
    if config.collect.panels is not None:
        identity["panels"] = {"size": config.trainer.groups_per_step, "each": config.collect.panels}
    if config.collect.behaviour is not None:
        identity["behaviour"] = _adapters(session, _checkpoint(_behaving(session)))
    return TrajectoryStore.under(session.runs, identity)


def check_behaviour(session: Session) -> None:
    """Refuses agents that cannot write what a configuration collects; no weights are read.

    Raises:
        UserError: there are none, they are of other groups or another base model, were trained under another prompt, or
            stand behind a gate; or a server is to write the replies.
    """
    config = session.config
    if config.collect.behaviour is None:
        return
    if config.rollouts.engine == "server":
        raise UserError(
            f"{_KEY} lets a run's agents answer, and rollouts.engine=server the base model behind an address",
            f"Set rollouts.engine=transformers, or {_KEY}=null",
        )
    acting = _behaving(session)
    if acting.run.folder.resolve() == session.run.folder.resolve():
        raise UserError(
            f"{_KEY} names the run {session.run.folder}, which is this run itself", "Give this one another name"
        )
    checkpoint = _checkpoint(acting)
    _adapters(session, checkpoint)
    base = checkpoint.manifest["base_model"]
    if base["sha256"] != session.files.sha256:
        raise _unfit(
            acting, f"were trained on a base model with SHA-256 {base['sha256'][:12]}, not {session.files.sha256[:12]}"
        )
    bits, asked = base.get("quantization", "none"), session.files.quantization
    if bits != asked:
        raise _unfit(acting, f"were trained over weights with model.quantization={bits}, and it is {asked}")
    if environment.prompt_identity(acting.config.prompt) != environment.prompt_identity(config.prompt):
        raise _unfit(acting, "were trained under another prompt")
    if is_gated(checkpoint):
        raise _unfit(acting, "stand behind a gate, and training takes the answers of agents that answer for themselves")


def check_scores(session: Session) -> None:
    """Refuses what a server's scores alone cannot collect (`rollouts.scores=server`); no weights are read.

    Raises:
        UserError: nobody writes the replies but this process, or something needs the base model's weights.
    """
    config, rollouts, objective = session.config, session.config.rollouts, session.config.objective
    if rollouts.scores == "here":
        return
    open_ended = any(not query.options for query in session.split("train", "validation"))
    needs = (
        (rollouts.engine != "server", "rollouts.engine", rollouts.engine, "rollouts.engine=server"),
        (not rollouts.token_ids, "rollouts.token_ids", "false", "rollouts.token_ids=true"),
        # Servers give log-probabilities of prompts at temperature 1.
        (
            open_ended and config.collect.temperature != 1,
            "collect.temperature",
            f"{config.collect.temperature:g}",
            "collect.temperature=1",
        ),
        (
            config.model.quantization != "none",
            "model.quantization",
            config.model.quantization,
            "model.quantization=none",
        ),
        (objective.has_teacher, "objective.text.weight", f"{objective.text.weight:g}", "objective.text.weight=0"),
        (objective.imitates_unprofiled, "objective.imitate", objective.imitate, "objective.imitate=best"),
        (objective.in_parts, "objective", objective.name, "an objective without an adapter of facts"),
    )
    for wrong, key, value, instead in needs:
        if wrong:
            raise UserError(
                f"rollouts.scores=server collects by a server's scores alone, which {key}={value} does not allow",
                f"Set {instead}, or rollouts.scores=here, which loads the base model",
            )


def acting_policy(session: Session) -> GroupPolicy | None:
    """The trained agents that answer; None: the base model does.

    Raises:
        UserError: they do not fit the base model.
    """
    if session.config.collect.behaviour is None:
        return None
    acting = _behaving(session)
    acting.load_agents(None)
    return acting.policy


def _behaving(session: Session) -> Session:
    """The session of the run whose agents answer, over this session's base model and on its machine."""
    from trialign.api.session import open_run

    assert session.config.collect.behaviour is not None
    opened = open_run(Path(session.config.collect.behaviour))
    config = session.config
    own = replace(
        opened.config,
        model=config.model,
        trainer=replace(opened.config.trainer, accelerator=config.trainer.accelerator),
    )
    return replace(opened, config=own)


def _checkpoint(acting: Session) -> AgentCheckpoint:
    last = max(acting.run.steps(), default=None)
    if last is None:
        raise UserError(f"The run {acting.run.folder} ({_KEY}) has no agents yet", "Train them with 'trialign fit'")
    if not acting.run.finished_file.is_file():
        raise UserError(
            f"The run {acting.run.folder} ({_KEY}) is not finished, and its agents may yet change",
            "Finish it with 'trialign fit --resume', or name another run",
        )
    return read_agents(acting.run.agents_at(last))


def _adapters(session: Session, checkpoint: AgentCheckpoint) -> Mapping[str, str]:
    """Group -> hash of the adapter that answers for it."""
    hashes = {name: checkpoint.adapter_sha256(name) for name in session.groups.names}
    missing = [name for name, digest in hashes.items() if digest is None]
    if missing:
        raise UserError(
            f"The agents in {checkpoint.folder} ({_KEY}) have no adapter for group '{missing[0]}'",
            "Name a run of the same groups",
        )
    return {name: digest for name, digest in hashes.items() if digest is not None}


def _unfit(acting: Session, why: str) -> UserError:
    return UserError(f"The agents of {acting.run.folder} ({_KEY}) {why}", f"Name another run, or set {_KEY}=null")
