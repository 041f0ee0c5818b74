"""Audits for trackers: which figures they are given, and what is said where they do not take them."""

from __future__ import annotations

from typing import Any

import pytest

from trialign.api import trackers

pytestmark = pytest.mark.integration


def test_every_figure_of_a_summary_has_its_path() -> None:
    summary: dict[str, Any] = {
        "step": 4,
        "seconds": 1.5,
        "truth": {"flip_rate": 0.25, "accuracy": {"north": 0.5, "south": 1}, "p_gap": None, "judged": True},
        "preference": None,
        "replies": {"refused": {"north": 0.125}, "verdict": "none"},
        "verdict": {"alpha": 0.05},
    }
    assert dict(trackers._numbers(summary)) == {
        "truth/flip_rate": 0.25,
        "truth/accuracy/north": 0.5,
        "truth/accuracy/south": 1.0,
        "replies/refused/north": 0.125,
    }


def test_what_a_tracker_is_given_is_what_the_runs_logger_section_says(
    trained_copy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = trained_copy.runs / "mine" / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("project: trialign", "project: house"))
    found: list[Any] = []

    def take(*given: Any) -> str:
        found.extend(given)
        return "there"

    monkeypatch.setattr(trackers, "check_logger", lambda config: None)
    monkeypatch.setitem(trackers._SENDERS, "mlflow", take)
    outcome = trained_copy.call("report", "runs/mine", "--format", "mlflow")
    assert (outcome.code, outcome.out.strip()) == (0, "there"), outcome.err
    config_given, folder, sent = found
    assert (config_given.kind, config_given.project) == ("mlflow", "house")
    assert folder.resolve() == (trained_copy.runs / "mine" / "logs").resolve()
    assert (sent.name, sent.about["step"]) == ("mine step 4, house, test", 4)
    assert {"truth/flip_rate", "preference/mean"} <= set(sent.figures)
    assert {"accuracy", "pairs", "changes", "verdict"} <= set(sent.tables)


def test_a_tracker_that_does_not_take_it_is_named_with_the_way_to_try_again(
    trained_copy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> str:
        raise ConnectionError("nobody answers.\nand more")

    monkeypatch.setattr(trackers, "check_logger", lambda config: None)
    monkeypatch.setitem(trackers._SENDERS, "wandb", refuse)
    outcome = trained_copy.call("report", "runs/mine", "--format", "wandb")
    assert outcome.code == 2
    assert "wandb does not take the audit: nobody answers. Correct the keys under logger" in outcome.err
    assert "--format wandb" in outcome.err


def test_a_tracker_that_is_not_installed_is_refused(trained_copy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trialign.training.loggers._is_installed", lambda package: False)
    outcome = trained_copy.call("report", "runs/mine", "--format", "mlflow")
    assert outcome.code == 2
    assert "the package mlflow is not installed" in outcome.err
