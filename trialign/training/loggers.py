"""Where training's figures go: the run's CSV always, and one of Lightning's other loggers where one is chosen."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.loggers import CSVLogger, Logger

from trialign.errors import UserError

_STEPS_BETWEEN_WRITES = 10


@dataclass(frozen=True)
class LoggerConfig:
    """What training's figures go to beside ``logs/metrics.csv``.

    Attributes:
        kind: ``csv`` (nothing else), ``tensorboard``, ``wandb`` or ``mlflow``.
        project: the project of W&B, the experiment of MLflow.
        offline: W&B writes files and sends nothing.
        address: of MLflow's tracking server; None: files below the run.
    """

    kind: Literal["csv", "tensorboard", "wandb", "mlflow"] = "csv"
    project: str = "trialign"
    offline: bool = True
    address: str | None = None


def check_logger(config: LoggerConfig) -> None:
    """Refuses a logger whose package is not there, before any work begins.

    Raises:
        UserError: names the package.
    """
    if config.kind != "csv" and not _is_installed(config.kind):
        raise UserError(
            f"logger is {config.kind}, and the package {config.kind} is not installed",
            f"Install it: pip install 'trialign[{config.kind}]', or leave logger out: metrics.csv is written anyway",
        )


def _is_installed(package: str) -> bool:
    """A bare folder of this name, such as the one in which W&B keeps its files, is no package."""
    found = find_spec(package)
    return found is not None and found.origin is not None


def make_loggers(config: LoggerConfig, folder: Path, values: Mapping[str, Any]) -> list[Logger]:
    """The loggers of a training; the CSV comes first.

    Args:
        config: which.
        folder: for their files, ``logs`` of the run, whose name the run has there too.
        values: the run's configuration, which the others show beside the figures.

    Raises:
        UserError: the chosen one cannot begin, such as one whose server does not answer.
    """
    # The CSV's own configuration stands in config.yaml already. Whoever looks at a run in training sees this file.
    loggers: list[Logger] = [
        CSVLogger(folder.parent, name=folder.name, version="", flush_logs_every_n_steps=_STEPS_BETWEEN_WRITES)
    ]
    if config.kind != "csv":
        folder.mkdir(parents=True, exist_ok=True)
        try:
            loggers.append(_MAKERS[config.kind](config, folder, folder.parent.name))
            loggers[-1].log_hyperparams(dict(values))
        except Exception as error:  # each has its own
            raise UserError(
                f"The logger {config.kind} cannot begin: {str(error).partition(chr(10))[0].rstrip('.')}",
                "Correct the keys under logger, or leave them out, and go on with --resume: what is done is kept",
            ) from error
    return loggers


def close_loggers(loggers: Iterable[Logger]) -> None:
    """Ends what Lightning leaves open: another training in this process would go on in the same run of W&B."""
    for logger in loggers:
        if type(logger).__name__ == "WandbLogger":
            logger.experiment.finish()  # type: ignore[attr-defined]


def _tensorboard(config: LoggerConfig, folder: Path, name: str) -> Logger:
    from lightning.pytorch.loggers import TensorBoardLogger

    return TensorBoardLogger(folder.parent, name=folder.name, version="", default_hp_metric=False)


def _wandb(config: LoggerConfig, folder: Path, name: str) -> Logger:
    from lightning.pytorch.loggers import WandbLogger

    silence_wandb()
    return WandbLogger(name=name, save_dir=folder, project=config.project, offline=config.offline)


def _mlflow(config: LoggerConfig, folder: Path, name: str) -> Logger:
    from lightning.pytorch.loggers import MLFlowLogger

    address = mlflow_address(config, folder)
    return MLFlowLogger(experiment_name=config.project, run_name=name, tracking_uri=address)


def silence_wandb() -> None:
    """What W&B prints would stand between the lines of progress."""
    os.environ.setdefault("WANDB_SILENT", "true")


def mlflow_address(config: LoggerConfig, folder: Path) -> str:
    """Where MLflow keeps what it is told: the stated server, else files below a run's ``logs``."""
    if config.address is not None:
        return config.address
    # MLflow no longer develops its file store, and says so by refusing it; it is what needs no server.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    return (folder / "mlflow").resolve().as_uri()


_MAKERS = {"tensorboard": _tensorboard, "wandb": _wandb, "mlflow": _mlflow}
