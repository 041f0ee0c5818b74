"""``trialign fit`` and ``trialign collect``: collect, audit, train, audit."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger
from rich.console import Console

from trialign import distributed
from trialign.audit.summary import read_summary
from trialign.audit.table import before_after_table
from trialign.checkpoints import step_folder, write_agents
from trialign.commands.session import Session
from trialign.errors import UserError
from trialign.queries import Split
from trialign.training.callbacks import AgentCheckpoints, ResumeCheckpoint, TrainingProgress, noted_signals
from trialign.training.module import TrainingDivergedError, TriAlignModule
from trialign.training.steps import reference_utilities
from trialign.trajectories.batches import Episode, episodes_of
from trialign.trajectories.datamodule import TrajectoryDataModule

log = logging.getLogger("trialign")
SPLIT: Split = "test"


def collect(session: Session) -> None:
    """Makes the offline data; goes on where it was cut off."""
    session.check()
    if not session.store.complete:
        session.collect()
    if distributed.rank() == 0:
        log.info("Trajectories: %s", session.store.folder)


def check_fit(session: Session, *, resume: bool, overwrite: bool) -> None:
    """Everything that can be wrong with a fit before it starts; changes nothing.

    Raises:
        UserError: the configuration is at fault, or the run exists and neither flag says what to do with it.
    """
    session.check()
    if overwrite:
        return
    if session.run.status(session.composed) == "unfinished" and not resume:
        raise UserError(
            f"The run {session.run.folder} was begun and not finished",
            "Go on with --resume, or begin again with --overwrite",
        )


def fit(session: Session, *, resume: bool, overwrite: bool) -> None:
    """The whole path; a finished run of the same configuration only prints its table.

    Raises:
        UserError: see ``check_fit``.
        Stopped: a stop was asked for; ``--resume`` goes on.
        TrainingDivergedError: the loss is not a number.
    """
    check_fit(session, resume=resume, overwrite=overwrite)
    run, rank = session.run, distributed.rank()
    if not overwrite and run.status(session.composed) == "finished":
        print_table(session)
        return
    distributed.barrier()
    if rank == 0:
        if overwrite:
            run.remove()
        run.claim(session.composed, session.store.folder.name)
    distributed.barrier()
    collect(session)
    if not (run.audit(0, session.config.data.name, SPLIT) / "summary.json").is_file():
        session.audit(SPLIT, None)
    distributed.barrier()
    train(session)
    checkpoint = session.load_agents(session.config.trainer.steps)
    session.audit(SPLIT, checkpoint)
    if rank == 0:
        run.finish({"steps": session.config.trainer.steps, "trajectories": session.store.folder.name})
        print_table(session)


def train(session: Session) -> None:
    """Trains the adapters, from the last resumable state where there is one."""
    config, run = session.config, session.run
    training, validation = training_episodes(session)
    steps, micro_batches = config.trainer.steps, config.trainer.micro_batches
    adapters = [session.policy.adapter_index(group) for group in session.groups.names]
    data = TrajectoryDataModule(
        training,
        validation,
        adapters,
        config.objective.update,
        config.trainer.queries_per_step,
        micro_batches,
        steps,
        config.seed,
    )
    module = TriAlignModule(
        session.policy,
        config.objective,
        config.optimizer,
        config.scoring,
        reference_utilities(training, config.scoring, config.objective.update),
        steps,
        micro_batches,
    )

    def write(step: int) -> None:
        if distributed.rank() == 0:
            write_agents(step_folder(run.agents, step), session.policy, step, session.files, session.about_agents())
        distributed.barrier()

    resume_from = run.resume_file if run.resume_file.is_file() else None
    with noted_signals() as stop_asked:
        trainer = make_trainer(session, len(validation) > 0)
        trainer.callbacks.extend(  # type: ignore[attr-defined]
            [
                TrainingProgress(steps),
                AgentCheckpoints(write, config.trainer.agents_every, steps),
                ResumeCheckpoint(run.resume_file, config.trainer.resume_every, stop_asked),
            ]
        )
        try:
            session.policy.train()
            trainer.fit(module, data, ckpt_path=resume_from)
        except TrainingDivergedError as error:
            good = run.resume_file if run.resume_file.is_file() else "none"
            raise TrainingDivergedError(f"{error}. The last good checkpoint: {good}") from error


def training_episodes(session: Session) -> tuple[list[Episode], list[Episode]]:
    """Training and validation episodes, of the kinds and turns that the objective trains on.

    Raises:
        UserError: nothing is left to train on.
    """
    objective = session.config.objective
    episodes = episodes_of(session.store.read(), session.groups.names, objective.turns)
    training = [e for e in episodes if e.split == "train" and e.kind in objective.kinds]
    if not training:
        raise UserError(
            f"The data '{session.config.data.name}' has no train questions of the kinds {', '.join(objective.kinds)}",
            "Give some rows the split train, or widen objective.kinds",
        )
    return training, [e for e in episodes if e.split == "validation" and e.turns[0][0].options]


def make_trainer(session: Session, validates: bool) -> Trainer:
    """Lightning's trainer as the configuration asks for it."""
    config, run = session.config.trainer, session.run
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*module.*in eval mode at the start of training.*")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    every = config.validate_every * config.micro_batches
    return Trainer(
        accelerator=config.accelerator,
        devices=config.devices,
        strategy="ddp" if config.devices > 1 else "auto",
        precision=config.precision,
        max_steps=config.steps,
        accumulate_grad_batches=config.micro_batches,
        gradient_clip_val=config.gradient_clip or None,
        val_check_interval=every if validates and every else None,
        check_val_every_n_epoch=None,
        limit_val_batches=1.0 if validates and every else 0,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        log_every_n_steps=1,
        logger=CSVLogger(run.folder, name=run.logs.name, version=""),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[],
    )


def print_table(session: Session) -> None:
    """The audits before and after, side by side."""
    if distributed.rank() != 0:
        return
    run, config = session.run, session.config
    audits = [run.audit(step, config.data.name, SPLIT) for step in (0, config.trainer.steps)]
    summaries: list[dict[str, Any]] = [read_summary(audit / "summary.json") for audit in audits]
    Console().print(before_after_table(run.folder.name, *summaries))
    Console().print(
        f"Agents: {step_folder(run.agents, config.trainer.steps)}\n"
        f'Ask them: trialign ask "Is the Earth older than ten thousand years?" --run {run.folder}',
        soft_wrap=True,
        markup=False,
        highlight=False,
    )
