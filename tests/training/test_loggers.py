"""Which loggers a training has, and what is refused before it begins."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.logger import DummyLogger

from trialign.errors import UserError
from trialign.training import loggers
from trialign.training.loggers import LoggerConfig, check_logger, make_loggers

pytestmark = pytest.mark.unit


def test_the_csv_is_written_whatever_is_chosen(tmp_path: Path) -> None:
    [one] = make_loggers(LoggerConfig(), tmp_path / "mine/logs", {})
    assert isinstance(one, CSVLogger)
    assert Path(one.log_dir) == tmp_path / "mine/logs"
    kinds: tuple[Any, ...] = ("csv", "tensorboard")
    for kind in kinds:
        assert isinstance(make_loggers(LoggerConfig(kind), tmp_path / kind / "logs", {"seed": 1})[0], CSVLogger)


@pytest.mark.parametrize("kind", ["tensorboard", "wandb", "mlflow"])
def test_a_logger_that_is_not_installed_is_refused_with_its_extra(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / kind).mkdir()  # as W&B leaves one in the working folder; no package
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, kind, raising=False)
    with pytest.raises(UserError, match=rf"package {kind} is not installed.*trialign\[{kind}\]"):
        check_logger(LoggerConfig(kind))
    check_logger(LoggerConfig("csv"))


def test_a_logger_that_cannot_begin_says_why_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise ConnectionError("nobody answers.\nand more")

    monkeypatch.setitem(loggers._MAKERS, "mlflow", fail)
    with pytest.raises(UserError, match=r"The logger mlflow cannot begin: nobody answers\. Correct"):
        make_loggers(LoggerConfig("mlflow"), tmp_path / "mine/logs", {})


def test_the_others_are_told_the_run_and_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    class Told(DummyLogger):
        def log_hyperparams(self, *values: Any) -> None:
            told.extend(values)

    def make(config: LoggerConfig, folder: Path, name: str) -> Told:
        told.append((config.kind, folder, name))
        return Told()

    monkeypatch.setitem(loggers._MAKERS, "wandb", make)
    _, made = make_loggers(LoggerConfig("wandb"), tmp_path / "mine/logs", {"seed": 7})
    assert told == [("wandb", tmp_path / "mine/logs", "mine"), {"seed": 7}]
    assert isinstance(made, Told)


@pytest.mark.parametrize(
    ("kind", "address", "said"),
    [
        ("wandb", None, {"WANDB_SILENT": "true"}),
        ("mlflow", None, {"MLFLOW_ALLOW_FILE_STORE": "true"}),
        ("mlflow", "http://tracking.example", {}),  # whether a server keeps files is its own matter
    ],
)
def test_what_a_logger_reads_from_the_environment_is_set_unless_it_is(
    kind: Any, address: str | None, said: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WandbLogger", "MLFlowLogger"):
        monkeypatch.setattr(f"lightning.pytorch.loggers.{name}", lambda **_: DummyLogger())
    for before in ({}, dict.fromkeys(said, "false")):
        monkeypatch.setattr(os, "environ", dict(before))
        make_loggers(LoggerConfig(kind, address=address), tmp_path / "mine/logs", {})
        assert os.environ == (before or said)
