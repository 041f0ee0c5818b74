"""What the training loop is made of: data, module and Lightning's trainer, as a configuration asks for them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence

from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch import Trainer

from trialign.api.session import Session
from trialign.api.steps import draw_of, groups_of
from trialign.training.engine import engine_of
from trialign.training.loggers import make_loggers
from trialign.training.module import TriAlignModule
from trialign.training.steps import reference_utilities
from trialign.trajectories.datamodule import TrajectoryDataModule
from trialign.trajectories.episodes import Episode


def make_data(
    session: Session, training: Sequence[Episode], validation: Sequence[Episode], instructions: Sequence[Episode]
) -> TrajectoryDataModule:
    """The offline data as the trainer is handed it, with what is drawn for each step."""
    config = session.config
    return TrajectoryDataModule(
        training,
        validation,
        [session.policy.adapter_index(group) for group in session.groups.names],
        session.updates,
        config.trainer.queries_per_step,
        config.trainer.micro_batches,
        config.trainer.steps,
        config.seed,
        config.trainer.visits,
        session.invocation,
        pack=session.policy.lower is None,  # a row whose states are kept must come again as it was
        instructions=instructions,
        instructions_per_step=config.objective.text.instructions,
        draw=draw_of(session),
        groups=groups_of(session),
    )


def make_module(session: Session, training: Sequence[Episode]) -> TriAlignModule:
    """All agents under the objective; their utilities begin with the base model's in the training data."""
    config, drawn = session.config, groups_of(session)
    return TriAlignModule(
        session.policy,
        config.objective,
        session.updates,
        config.optimizer,
        config.scoring,
        reference_utilities(training, session.updates, len(session.groups.names)).to(session.policy.score_dtype),
        config.trainer.steps,
        config.trainer.micro_batches,
        drawn.validated if drawn else None,
    )


def make_trainer(session: Session, validate_every: int) -> Trainer:
    """Lightning's trainer as the configuration asks for it; validates every so many steps, 0 for never."""
    config, run = session.config.trainer, session.run
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*module.*in eval mode at the start of training.*")
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")  # the metrics synced before they were logged
    warnings.filterwarnings("ignore", message=".*Previous log files in this directory will be deleted.*")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # Whoever launched the ranks, their names are torchrun's (trialign.commands.launch).
    ranks = [TorchElasticEnvironment()] if config.ranks > 1 else []
    return Trainer(
        **engine_of(config.strategy, config.precision, config.sharding, config.ranks, ranks),
        accelerator=config.accelerator,
        devices=config.devices,
        num_nodes=config.nodes,
        max_steps=config.steps,
        accumulate_grad_batches=config.micro_batches,
        gradient_clip_val=config.gradient_clip or None,
        val_check_interval=validate_every * config.micro_batches or None,
        check_val_every_n_epoch=None,
        limit_val_batches=1.0 if validate_every else 0,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        log_every_n_steps=1,
        logger=make_loggers(session.config.logger, run.logs, session.composed),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
