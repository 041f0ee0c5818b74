"""An audit for trackers of experiments: its figures, and every table of its report, as a run of W&B or MLflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from trialign.audit.figures.summary import read_summary
from trialign.audit.report import build_report
from trialign.audit.report.columns import Table
from trialign.audit.report.tables import report_tables
from trialign.errors import UserError
from trialign.runs import SUMMARY, AuditFolder, RunFolder
from trialign.training.loggers import LoggerConfig, check_logger, mlflow_address, silence_wandb

Tracker = Literal["wandb", "mlflow"]
_SECTIONS = ("truth", "preference", "welfare", "replies")


@dataclass(frozen=True)
class _Sent:
    """What a tracker gets.

    Attributes:
        name: of the run there.
        about: which audit it is.
        figures: path -> value.
        tables: of the report.
    """

    name: str
    about: Mapping[str, Any]
    figures: Mapping[str, float]
    tables: Mapping[str, Table]


def send(audit: AuditFolder, tracker: Tracker, against: Path | None = None) -> str:
    """Hands an audit on to a tracker, as a run beside the training's.

    The project, the address and whether anything is sent are those of the run's ``logger`` section.

    Args:
        audit: which.
        tracker: to what.
        against: an earlier audit of the same questions, for the table of changes; None: the run's own base model.

    Returns:
        Where it is now, in words.

    Raises:
        UserError: the tracker's package is missing, or it does not take the audit.
    """
    run = RunFolder(audit.run)
    stated = run.stored_config().get("logger", {})
    known = {field.name: stated[field.name] for field in fields(LoggerConfig) if field.name in stated}
    config = LoggerConfig(**{**known, "kind": tracker})
    check_logger(config)
    summary, tables = read_summary(audit.path / SUMMARY), report_tables(build_report(audit.path, against))
    name = f"{run.folder.name} step {audit.step}, {audit.data}, {audit.split}"
    about = {"run": run.folder.name, "step": audit.step, "data": audit.data, "split": audit.split}
    run.logs.mkdir(parents=True, exist_ok=True)
    try:
        return _SENDERS[tracker](config, run.logs, _Sent(name, about, dict(_numbers(summary)), tables))
    except Exception as error:  # each has its own
        raise UserError(
            f"{tracker} does not take the audit: {str(error).partition(chr(10))[0].rstrip('.')}",
            f"Correct the keys under logger in {run.config_file}, or the tracker's own variables, and call "
            f"'trialign report {run.folder} --format {tracker}'",
        ) from error


def _numbers(summary: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Every figure of a summary under its path, such as ``truth/flip_rate``."""
    parts = [(name, summary[name]) for name in _SECTIONS if name in summary]
    while parts:
        path, value = parts.pop(0)
        if isinstance(value, Mapping):
            parts[:0] = [(f"{path}/{key}", one) for key, one in value.items()]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield path, float(value)


def _frame(table: Table) -> pd.DataFrame:
    """A table as its CSV holds it."""
    return pd.DataFrame([list(row) for row in table.rows], columns=[column.key for column in table.columns])


def _wandb(config: LoggerConfig, folder: Path, sent: _Sent) -> str:
    import wandb

    silence_wandb()
    mode: Literal["offline", "online"] = "offline" if config.offline else "online"
    with wandb.init(
        project=config.project,
        name=sent.name,
        dir=folder,
        mode=mode,
        job_type="audit",
        config=dict(sent.about),
        reinit="create_new",
    ) as run:
        run.summary.update(dict(sent.figures))
        for key, table in sent.tables.items():
            columns = [column.key for column in table.columns]
            run.log({f"audit/{key}": wandb.Table(columns, [list(row) for row in table.rows], allow_mixed_types=True)})
        where = f"{run.dir}" if config.offline else str(run.url)
    return f"W&B, project {config.project}: {where}"


def _mlflow(config: LoggerConfig, folder: Path, sent: _Sent) -> str:
    address = mlflow_address(config, folder)
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=address)
    experiment = client.get_experiment_by_name(config.project)
    found = experiment.experiment_id if experiment else client.create_experiment(config.project)
    tags = {**{f"trialign.{key}": str(value) for key, value in sent.about.items()}, "trialign.kind": "audit"}
    run_id = client.create_run(found, run_name=sent.name, tags=tags).info.run_id
    try:
        for key, value in sent.figures.items():
            client.log_metric(run_id, key, value, step=int(sent.about["step"]))
        for key, table in sent.tables.items():
            client.log_table(run_id, _frame(table), f"audit/{key}.json")
    except Exception:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id)
    return f"MLflow, experiment {config.project}, run {run_id}: {address}"


_SENDERS: dict[Tracker, Callable[[LoggerConfig, Path, _Sent], str]] = {"wandb": _wandb, "mlflow": _mlflow}
