"""Sweeps: one run a combination of values, each a fresh process that one of Hydra's launchers starts."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from trialign.commands.sweep import run_name, run_until_told

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


# Says that it runs, and on SIGTERM that it saved its state.
SAVING = """
import os, pathlib, signal, sys
folder = pathlib.Path(sys.argv[1])
def save(number, frame):
    (folder / "saved").touch()
    sys.exit(1)
signal.signal(signal.SIGTERM, save)
signal.alarm(60)  # if nobody tells it, it ends
(folder / "running").write_text(str(os.getpid()))
while True:
    signal.pause()
"""


@pytest.fixture
def requeued(tmp_path: Path) -> Iterator[list[bool]]:
    """What submitit does on SIGUSR2: for every time whether the state had been saved by then."""
    found: list[bool] = []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: found.append((tmp_path / "saved").exists()))
    yield found
    signal.signal(signal.SIGUSR2, before)


@pytest.mark.unit
def test_a_job_that_slurm_is_about_to_end_is_requeued_after_its_state_is_saved(
    tmp_path: Path, requeued: list[bool]
) -> None:
    running, submitit = tmp_path / "running", signal.getsignal(signal.SIGUSR2)

    def warn() -> None:
        while not running.exists() or not running.read_text():
            time.sleep(0.01)
        for process in (int(running.read_text()), os.getpid()):
            os.kill(process, signal.SIGUSR2)

    warning = threading.Thread(target=warn)
    warning.start()
    assert run_until_told([sys.executable, "-c", SAVING, str(tmp_path)]) == 1
    warning.join()
    assert requeued == [True]
    assert signal.getsignal(signal.SIGUSR2) is submitit


@pytest.mark.unit
def test_a_job_that_ends_by_itself_is_not_requeued(requeued: list[bool]) -> None:
    assert run_until_told([sys.executable, "-c", "raise SystemExit(2)"]) == 2
    assert requeued == []
