"""A fit: collect, audit, train, audit."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

from trialign import distributed
from trialign.api import parts, taught, unprofiled
from trialign.api.agents import fitted_gate, write_step, write_untrained
from trialign.api.audit_files import run_audit
from trialign.api.behaviour import acting_policy
from trialign.api.loop import make_data, make_module, make_trainer
from trialign.api.pressing import check_pressure
from trialign.api.results import Audit, Fitted
from trialign.api.session import Session
from trialign.api.starting import begun
from trialign.api.steps import check_panels, panels_of
from trialign.api.untold import untold_episodes
from trialign.errors import UnfinishedError, UserError
from trialign.policy.compiling import compiled
from trialign.queries import Query, Split
from trialign.runs import is_whole_audit
from trialign.training.callbacks import (
    AgentCheckpoints,
    EarlierMetrics,
    RandomStates,
    ResumeCheckpoint,
    StopSignals,
    TrainingProgress,
)
from trialign.training.deepspeed import gathered
from trialign.training.fsdp import check_layers_alone, unshared
from trialign.training.loggers import check_logger, close_loggers
from trialign.training.module import TrainingDivergedError
from trialign.training.states import SavedStates
from trialign.trajectories.answers import with_unprofiled_answers
from trialign.trajectories.batches import taker
from trialign.trajectories.collection import Collector
from trialign.trajectories.episodes import Episode, episodes_of

log = logging.getLogger("trialign")
SPLIT: Split = "test"


def collect(session: Session) -> None:
    """Makes the offline data; goes on where it was cut off."""
    session.check()
    check_panels(session)
    if not session.store.complete:
        _make_trajectories(session)
    if session.config.objective.imitates_unprofiled:
        unprofiled.collect(session)
    if session.config.objective.has_teacher:
        taught.collect(session)
    if session.config.objective.in_parts:
        session.renew_policy()  # the part has a base model of its own
        unprofiled.collect(parts.facts_part(session))
        if session.config.objective.has_teacher:
            taught.collect(parts.facts_alone(session))
    if distributed.rank() == 0:
        log.info("Trajectories: %s", session.store.folder)


def _make_trajectories(session: Session) -> None:
    """Makes the offline data, or what is missing of it."""
    served, acting = session.served, acting_policy(session)
    policy = None
    if session.config.rollouts.scores == "here":
        policy = (session.policy if acting is None else acting).eval()
    collector = Collector(
        policy,
        session.renderer,
        session.groups,
        session.config.prompt,
        session.config.environment,
        session.config.scoring,
        session.config.collect,
        served,
        adapted=acting is not None,
        panels=panels_of(session),
        context_length=session.context_length,
    )
    session.store.collect(
        session.split("train", "validation"),
        session.config.collect.queries_per_part,
        collector.collect,
        lambda: {"sent": dict(served.sent)} if served and served.sent is not None else {},
    )


def check_fit(session: Session, *, resume: bool, overwrite: bool) -> None:
    """Everything that can be wrong with a fit before it starts; changes nothing.

    Raises:
        UserError: the configuration is at fault, or the run exists and neither flag says what to do with it.
    """
    session.check()
    check_panels(session)
    if not session.trains and not session.config.trainer.audits:
        raise UserError(
            f"objective={session.config.objective.name} trains nothing, and trainer.audits=false audits nothing",
            "Leave trainer.audits out",
        )
    if session.trains:
        training_queries(session)
        if session.config.objective.in_parts:
            training_queries(parts.facts_part(session))
        check_logger(session.config.logger)
    session.require_split(SPLIT)
    check_pressure(session, SPLIT)
    if overwrite:
        return
    status = session.status
    if status != "new" and session.run.trajectories != session.store.folder.name:
        raise UserError(
            f"The run {session.run.folder} was begun with other data: the questions, the groups, the base model or "
            "the agents of collect.behaviour have changed since",
            "Put them back, choose another name=..., or replace the run with --overwrite",
        )
    if status == "unfinished" and not resume:
        raise UserError(
            f"The run {session.run.folder} was begun and not finished",
            "Go on with --resume, or begin again with --overwrite",
        )


def fit(session: Session, *, resume: bool, overwrite: bool) -> Fitted:
    """The whole path; nothing is left to do for a finished run of the same configuration.

    Args:
        session: the configuration.
        resume: go on with a run that was stopped.
        overwrite: replace a run of this name.

    Returns:
        What the run left behind.

    Raises:
        UserError: see ``check_fit``.
        Stopped: a stop was asked for; ``--resume`` goes on.
        UnfinishedError: scores, loss, gradient or weights are not numbers.
    """
    if session.config.trainer.shares_weights and not session.config.trainer.audits:
        session = replace(session, shared_out=True)
    check_fit(session, resume=resume, overwrite=overwrite)
    if overwrite or session.status != "finished":
        with session.run.held() if distributed.rank() == 0 else nullcontext():
            fit_held(session, overwrite=overwrite)
    return fitted(session)


def fitted(session: Session) -> Fitted:
    """What a finished run left behind."""
    run, config = session.run, session.config
    before, after = (run.audit(step, config.data.name, SPLIT) for step in (0, config.trainer.steps))
    audits = (Audit(before), Audit(after)) if is_whole_audit(before) and is_whole_audit(after) else None
    return Fitted(run.folder, audits, run.agents_at(config.trainer.steps) if session.has_agents else None)


def fit_held(session: Session, *, overwrite: bool) -> None:
    """The whole path, in a folder that no other process trains in.

    Raises:
        Stopped: a stop was asked for; ``--resume`` goes on.
        UnfinishedError: scores, loss, gradient or weights are not numbers.
    """
    run, rank, config = session.run, distributed.rank(), session.config.trainer
    status = "new" if overwrite else session.status
    # Before the run is claimed: what is refused here leaves no trace, and an older run as it was.
    if session.trains:
        collect(session)
        training, validation = training_episodes(session)
    if config.strategy == "fsdp2":
        check_layers_alone(session.policy)
    distributed.barrier()
    if rank == 0:
        if overwrite:
            run.remove()
        run.claim(session.composed, session.store.folder.name)
    distributed.barrier()
    # In a new run, an audit that is there already was made by 'trialign test', perhaps of another configuration.
    if config.audits and (status == "new" or not is_whole_audit(run.audit(0, session.config.data.name, SPLIT))):
        run_audit(session, SPLIT, None)
    distributed.barrier()
    if not session.has_agents:
        run_audit(session, SPLIT, None, instructed=True)
        finish(session)
        return
    if session.config.objective.in_parts:
        train_in_parts(session)
    elif session.trains:
        train(session, training, validation)
    else:
        write_untrained(session)
    if config.audits:
        _audit_trained(session)
    finish(session)


def _audit_trained(session: Session) -> None:
    """Audits the agents as they were written."""
    if session.config.trainer.shares:
        session.renew_policy()  # hooks are left behind, and a share of the weights
    session.policy.to(session.device)  # Lightning leaves it on the CPU
    run_audit(session, SPLIT, session.load_agents(session.config.trainer.steps))


def train_in_parts(session: Session) -> None:
    """Trains facts and tastes apart, each from where it was stopped, and writes what they are together."""
    session.renew_policy()
    facts, tastes = parts.facts_part(session), parts.tastes_part(session)
    if not parts.is_trained(facts):
        # Its episodes are read among the run's own groups, and learned by an agent that belongs to none.
        train(parts.facts_alone(session), parts.fact_episodes(facts), [])
    if not parts.is_trained(tastes):
        train(tastes, *training_episodes(tastes))
    tastes.renew_policy()
    parts.join(session, facts, tastes)
    gate = fitted_gate(session)
    if distributed.rank() == 0:
        write_step(session, session.config.trainer.steps, gate)
    distributed.barrier()


def finish(session: Session) -> None:
    """Marks the run as finished."""
    if distributed.rank() == 0:
        session.run.finish({"steps": session.config.trainer.steps, "trajectories": session.store.folder.name})


def train(session: Session, training: Sequence[Episode], validation: Sequence[Episode]) -> None:
    """Trains the adapters, from the last resumable state where there is one.

    Raises:
        Stopped: a stop was asked for; the state is saved.
        UnfinishedError: scores, loss, gradient or weights are not numbers.
    """
    config, run, steps = session.config, session.run, session.config.trainer.steps
    instructed: list[Episode] = []
    if config.objective.has_teacher:
        training, instructed = taught.joined(session, training)
    asked = [*training, *untold_episodes(session, training)]
    data, module = make_data(session, asked, validation, instructed), make_module(session, training)
    begun(session)  # what training begins with, if it is not new adapters
    trained = [parameter for parameter in session.policy.parameters() if parameter.requires_grad]
    gate = fitted_gate(session)

    def write(step: int) -> None:
        with gathered(trained), unshared(session.policy):
            if distributed.rank() == 0:
                write_step(session, step, gate)
        distributed.barrier()

    states = SavedStates(run.resume_file)
    stop, validate_every = StopSignals(), config.trainer.validate_every if validation else 0
    trainer = make_trainer(session, validate_every)
    trainer.callbacks.extend(  # type: ignore[attr-defined]
        [
            stop,
            RandomStates(),
            EarlierMetrics(run.metrics_file),
            TrainingProgress(steps),
            AgentCheckpoints(write, config.trainer.agents_every, steps),
            ResumeCheckpoint(states, config.trainer.resume_every, validate_every, stop.asked),
        ]
    )
    if config.trainer.activation_checkpointing:
        session.policy.checkpoint_activations()
    try:
        session.policy.train()
        with compiled(session.policy) if config.trainer.compile else nullcontext():
            trainer.fit(module, data, ckpt_path=states.newest())
    except TrainingDivergedError as error:
        raise UnfinishedError(
            f"{error}. The last good checkpoint: {states.newest() or 'none'}",
            "Begin again (--overwrite) with a smaller optimizer.learning_rate, or compute in float32 "
            "(model.dtype=float32 trainer.precision=32-true)",
        ) from error
    except SystemExit as error:
        # Lightning turns the second Ctrl-C, which acts at once, into an exit without a word.
        raise KeyboardInterrupt from error
    finally:
        close_loggers(trainer.loggers)


def training_queries(session: Session) -> list[Query]:
    """The questions that the objective trains on.

    Raises:
        UserError: there are none.
    """
    kinds = session.config.objective.kinds
    queries = [query for query in session.require_split("train") if query.kind in kinds]
    if not queries:
        raise UserError(
            f"The data '{session.config.data.name}' has no train questions of the kinds {', '.join(kinds)}",
            "Give some rows the split train, or widen objective.kinds",
        )
    return queries


def training_episodes(session: Session) -> tuple[list[Episode], list[Episode]]:
    """Training and validation episodes, of the kinds and turns that the objective trains on.

    Raises:
        UserError: the collection is not what was written.
    """
    objective, names = session.config.objective, session.groups.names
    rows = session.store.read()
    panels = panels_of(session)
    episodes = episodes_of(rows, names, objective.turns, panels)
    training = [e for e in episodes if e.split == "train" and e.kind in objective.kinds]
    if session.config.objective.imitates_unprofiled:
        learned = [row for row in rows if row.split == "train" and row.kind in objective.kinds]
        imitated = with_unprofiled_answers(learned, unprofiled.read(session))
        training = list(episodes_of(imitated, names, objective.turns, panels))
    _check_taken(training, session)
    return training, [e for e in episodes if e.split == "validation" and e.turns[0][0].options]


def _check_taken(training: Sequence[Episode], session: Session) -> None:
    """Refuses observations of which no update learns an answer, or in which too little is known of the answers."""
    for episode in training:
        for turn in episode.turns:
            index = taker(turn, session.updates)
            if index is None or not all(all(session.updates[index].answers(row) or ((),)) for row in turn):
                raise UserError(
                    f"objective.update={session.config.objective.update} takes no answers to '{episode.query_id}', a "
                    f"question of the kind {episode.kind}",
                    "Narrow objective.kinds, or let the update take them",
                )
            for row in turn:
                session.updates[index].rewards(row)
