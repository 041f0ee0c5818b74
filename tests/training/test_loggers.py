"""Which loggers a training has, and what is refused before it begins."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import CSVLogger

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
