"""How far a run is, by its lock, its marks and the end of its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialign.dashboard.reading.catalog import scan
from trialign.dashboard.reading.progress import Progress, progress
from trialign.runs import RunFolder

from ..conftest import SyntheticRun

pytestmark = pytest.mark.unit

CONFIG = {"trainer": {"steps": 240}}


def far(root: Path, config: dict[str, object] | None = None) -> Progress:
    catalog = scan(root)
    return progress(catalog, catalog.runs[0], CONFIG if config is None else config)


@pytest.fixture
def run(runs: Path) -> SyntheticRun:
    return SyntheticRun(runs / "house").write()


@pytest.mark.parametrize(
    ("steps", "sentence", "share"),
    [
        (0, "in training: the base model is audited first", 0.0),
        (1, "in training: step 1 of 240 (0 %)", 1 / 240),
        (120, "in training: step 120 of 240 (50 %)", 0.5),
        (239, "in training: step 239 of 240 (99 %)", 239 / 240),
        (240, "in training: all 240 steps are done, its agents are being audited", 1.0),
    ],
)
def test_training_is_as_far_as_its_log(runs: Path, run: SyntheticRun, steps: int, sentence: str, share: float) -> None:
    if steps:
        run.log(steps)
    with RunFolder(run.folder).held():
        assert far(runs) == Progress("training", sentence, share)


@pytest.mark.parametrize(
    ("steps", "sentence", "share"),
    [
        (0, "stopped before training began", 0.0),
        (60, "stopped: step 60 of 240 (25 %)", 0.25),
        (240, "stopped after all 240 steps, before its agents were audited", 1.0),
    ],
)
def test_what_nobody_trains_and_is_not_finished_was_stopped(
    runs: Path, run: SyntheticRun, steps: int, sentence: str, share: float
) -> None:
    if steps:
        run.log(steps)
    assert far(runs) == Progress("stopped", sentence, share)


def test_a_finished_run_and_one_that_was_audited_only(runs: Path, run: SyntheticRun) -> None:
    run.finish()
    assert far(runs) == Progress("finished", "finished")
    RunFolder(run.folder).finished_file.unlink()
    run.audit(0)
    RunFolder(run.folder).config_file.unlink()
    assert far(runs).state == "audited"


def test_a_run_whose_folder_is_not_there_yet_is_in_training(runs: Path) -> None:
    with RunFolder(runs / "soon").held():
        assert far(runs) == Progress("training", "in training: its data are being collected", 0.0)
    assert scan(runs).runs == ()


@pytest.mark.parametrize("config", [{}, {"trainer": None}, {"trainer": {"steps": "many"}}, {"trainer": {"steps": 0}}])
def test_without_a_number_of_steps_the_step_is_told(runs: Path, run: SyntheticRun, config: dict[str, object]) -> None:
    run.log(7)
    assert far(runs, config) == Progress("stopped", "stopped: step 7", None)


@pytest.mark.parametrize(
    "text",
    ["", "step\n", "epoch,loss\n0,1\n", "epoch,step\n0,many\n", "epoch,step\n0,3", "epoch,step,loss\n0,3\n", "\xff\n"],
)
def test_a_log_that_is_just_being_written_says_nothing(runs: Path, run: SyntheticRun, text: str) -> None:
    path = run.log(1).folder / "logs" / "metrics.csv"
    path.write_text(text, encoding="latin-1")
    assert far(runs).sentence == "stopped before training began"


def test_of_a_long_log_the_end_is_read(runs: Path, run: SyntheticRun) -> None:
    run.log(20_000)
    assert (run.folder / "logs" / "metrics.csv").stat().st_size > 1 << 17
    assert far(runs, {"trainer": {"steps": 40_000}}).sentence == "stopped: step 20,000 of 40,000 (50 %)"


def test_finished_runs_stand_first(runs: Path) -> None:
    for name in ("a", "b", "c", "d"):
        SyntheticRun(runs / name).write().audit(0)
    for name in ("b", "d"):
        RunFolder(runs / name).finish({})
    assert [run.id for run in scan(runs).audited] == ["b", "d", "a", "c"]
