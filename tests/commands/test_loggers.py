"""What TensorBoard, W&B and MLflow are told of a training is what stands in metrics.csv."""

from __future__ import annotations

import csv
import json
import signal
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trialign.audit.figures.summary import read_summary

pytestmark = pytest.mark.integration

Figures = dict[str, dict[int, float]]


def in_csv(logs: Path) -> Figures:
    """Measure -> step -> value."""
    figures: Figures = defaultdict(dict)
    with (logs / "metrics.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            for key, value in row.items():
                if value and key not in ("step", "epoch"):
                    figures[key][int(row["step"])] = float(value)
    return figures


def close(mine: Figures, theirs: Figures) -> bool:
    """Every figure of the CSV is there; others keep float32, and steps or epochs of their own."""
    return all(theirs[key] == pytest.approx(values, rel=1e-6, abs=1e-7) for key, values in mine.items())


def in_tensorboard(logs: Path) -> Figures:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(logs), size_guidance={"scalars": 0})
    events.Reload()
    return {key: {one.step: one.value for one in events.Scalars(key)} for key in events.Tags()["scalars"]}


def begun(folder: Path) -> float:
    return folder.stat().st_ctime


def wandb_bytes(folder: Path) -> bytes:
    [file] = folder.glob("run-*.wandb")
    return file.read_bytes()


def check_accuracy(columns: list[str], rows: list[list[Any]], summary: dict[str, Any]) -> None:
    """The table of accuracies holds what the audit's summary says."""
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    assert {one["group"]: one["accuracy"] for one in found} == summary["truth"]["accuracy"]


def test_tensorboard_has_every_figure(project: Any) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    assert project.fit("logger=tensorboard").code == 0
    logs = project.runs / "mine/logs"
    figures = in_csv(logs)
    assert set(figures["train/loss"]) == {0, 1, 2, 3}
    assert close(figures, in_tensorboard(logs))


def test_tensorboard_draws_a_resumed_training_on(project: Any, stop_at: Callable[..., Any]) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    with stop_at(2, signal.SIGTERM):
        assert project.fit("logger=tensorboard").code == 1
    assert project.fit("logger=tensorboard", "--resume").code == 0
    logs = project.runs / "mine/logs"
    figures = in_csv(logs)
    assert set(figures["train/loss"]) == {0, 1, 2, 3}
    assert close(figures, in_tensorboard(logs))


def test_another_logger_does_not_make_another_run(trained: Any) -> None:
    again = trained.fit("logger=tensorboard")
    assert (again.code, again.err) == (0, "")


def test_wandb_writes_files_and_sends_nothing(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb", reason="W&B is not installed (pip install 'trialign[wandb]')")
    monkeypatch.setenv("WANDB_MODE", "offline")  # Lightning sets it, and leaves it set
    monkeypatch.setenv("WANDB_SILENT", "true")
    for name in ("one", "two"):
        assert project.fit("logger=wandb", f"name={name}").code == 0
        assert wandb.run is None  # closed: the next training is a run of its own
        training, audit = sorted((project.runs / name / "logs/wandb").glob("offline-run-*"), key=begun)
        written = wandb_bytes(training)
        assert all(key.encode() in written for key in in_csv(project.runs / name / "logs"))
        assert name.encode() in written
        summary = read_summary(next((project.runs / name / "audits").glob("step=000004*")) / "summary.json")
        told = wandb_bytes(audit)
        assert all(
            key in told for key in (b"truth/flip_rate", b"truth/accuracy/south", b"audit/pairs", b"audit/verdict")
        )
        tables = {path.name.split("_")[0]: json.loads(path.read_text()) for path in audit.rglob("*.table.json")}
        check_accuracy(tables["accuracy"]["columns"], tables["accuracy"]["data"], summary)


def test_mlflow_has_every_figure_in_its_files(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow", reason="MLflow is not installed (pip install 'trialign[mlflow]')")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient

    assert project.fit("logger=mlflow", "logger.project=house").code == 0
    logs = project.runs / "mine/logs"
    client = MlflowClient((logs / "mlflow").resolve().as_uri())
    experiment = client.get_experiment_by_name("house")
    audit, run = client.search_runs([experiment.experiment_id])  # the latest first
    assert run.info.run_name == "mine"
    assert (audit.info.run_name, audit.info.status) == ("mine step 4, house, test", "FINISHED")
    summary = read_summary(project.runs / "mine/audits/step=000004.house.test/summary.json")
    assert audit.data.metrics["truth/flip_rate"] == summary["truth"]["flip_rate"]
    assert audit.data.metrics["truth/accuracy/south"] == summary["truth"]["accuracy"]["south"]
    table = json.loads(Path(client.download_artifacts(audit.info.run_id, "audit/accuracy.json")).read_text())
    check_accuracy(table["columns"], table["data"], summary)
    assert run.info.status == "FINISHED"
    assert run.data.params["trainer/steps"] == "4"
    figures = in_csv(logs)
    theirs = {key: {one.step: one.value for one in client.get_metric_history(run.info.run_id, key)} for key in figures}
    assert close(figures, theirs)


def test_a_logger_that_is_not_there_is_refused_before_any_work(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trialign.training.loggers._is_installed", lambda package: False)
    before = project.files()
    outcome = project.fit("logger=wandb")
    assert outcome.code == 2
    assert "the package wandb is not installed. Install it: pip install 'trialign[wandb]'" in outcome.err
    assert project.files() == before
