"""Sweeps: one run a combination of values, each a fresh process that one of Hydra's launchers starts."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
import yaml

from trialign.commands.sweep import run_name

WORDS = ("trainer.steps=1", "trainer.validate_every=0")


@pytest.mark.unit
def test_the_swept_values_name_the_run() -> None:
    overrides = [
        "optimizer.learning_rate=0.1",
        "trainer.steps=3",
        "objective.kinds=[truth,mixed]",
        "objective=utilitarian",
    ]
    keys = ("optimizer.learning_rate", "objective.kinds", "objective")
    assert run_name("mine", keys, overrides) == "mine.learning_rate=0.1.kinds=truth-mixed.objective=utilitarian"
    assert run_name("b", ("name",), ["name=b"]) == "b"


@pytest.mark.integration
@pytest.mark.parametrize("launcher", ["basic", "submitit_local"])
def test_every_combination_is_a_run_of_its_own(project: Any, launcher: str) -> None:
    if launcher != "basic" and importlib.util.find_spec("submitit") is None:
        pytest.skip("the extra 'slurm' is not installed")
    swept = project.fit("-m", f"hydra/launcher={launcher}", "seed=0,1", *WORDS)
    assert swept.code == 0, swept.err
    for seed in (0, 1):
        folder = project.runs / f"mine.seed={seed}"
        assert (folder / "finished.json").is_file()
        assert yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["seed"] == seed
    assert not (project.folder / "multirun").exists()
    assert not (project.folder / "outputs").exists()


@pytest.mark.integration
def test_a_run_that_fails_is_named_and_the_others_are_made(project: Any) -> None:
    swept = project.fit("-m", "objective.kinds=[mixed],[truth]", *WORDS)
    assert swept.code == 1
    assert "1 of 2 runs failed: mine.kinds=mixed (exit code 2)" in swept.err
    assert (project.runs / "mine.kinds=truth" / "finished.json").is_file()


@pytest.mark.integration
def test_what_is_wrong_with_a_sweep_is_told_in_one_sentence(project: Any) -> None:
    for words, sentence in (
        (("seed=0",), "no key has several values"),
        (("seeds=0,1",), "Did you mean seed?"),
        (("seed=0,1", "hydra/launcher=none_such"), "hydra/launcher"),
        (("seed=0,-1",), "The config key seed is -1"),
        (("seed=0,1", "--cfg"), "-m makes several"),
        (("name=a,a",), "Two runs of the sweep have the name a"),
    ):
        wrong = project.fit("-m", *words, *WORDS)
        assert (wrong.code, wrong.err.count("\n")) == (2, 1), wrong.err
        assert sentence in wrong.err
    assert not project.runs.exists() or not any(project.runs.glob("mine*"))
