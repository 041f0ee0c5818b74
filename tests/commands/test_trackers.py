"""``trialign report --format wandb``: what it refuses; and a fit whose tracker does not take its audit."""

from __future__ import annotations

from typing import Any

import pytest

from trialign.api import trackers

pytestmark = pytest.mark.integration


def test_a_tracker_keeps_what_it_is_given_and_takes_no_folder(trained: Any) -> None:
    outcome = trained.call("report", "runs/mine", "--format", "mlflow", "--output", "there")
    assert outcome.code == 2
    assert "--format mlflow writes to the tracker. Leave --output out" in outcome.err


def test_a_fit_whose_tracker_fails_is_whole_and_says_so(
    project: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> str:
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(trackers, "check_logger", lambda config: None)
    monkeypatch.setitem(trackers._SENDERS, "mlflow", refuse)
    pytest.importorskip("mlflow", reason="MLflow is not installed (pip install 'trialign[mlflow]')")
    outcome = project.fit("logger=mlflow")
    assert outcome.code == 0
    assert "mlflow does not take the audit: nobody answers" in caplog.text
    caplog.clear()
    assert project.fit("logger=mlflow").code == 0
    assert "mlflow" not in caplog.text  # a finished run is handed on once
