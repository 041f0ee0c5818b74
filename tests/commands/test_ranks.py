"""The same command in real processes: over two ranks, and cut off from outside."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from trialign.audit.files.items import read_items
from trialign.trajectories.records import read_part

pytestmark = pytest.mark.integration

STEPS = 6
# Long enough for a signal to arrive in the midst of it.
MANY_STEPS, RESUME_EVERY = 60, 20
MEMBERS = ("north", "south", "island")


def command(project: Any, *words: str) -> list[str]:
    return [sys.executable, "-m", "trialign.cli", "fit", "--config", str(project.folder / "mine.yaml"), *words]


def validate(project: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trialign.cli", "validate", "--run", str(project.runs / "mine")],
        cwd=project.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def environment() -> dict[str, str]:
    # One thread a process: two ranks share the cores, and the sums are the same.
    return {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def run(project: Any, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(project, *words),
        cwd=project.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def weights(project: Any, name: str, step: int) -> dict[str, torch.Tensor]:
    folder = project.runs / name / "agents" / f"step={step:06d}"
    return {
        f"{group}.{key}": value
        for group in MEMBERS
        for key, value in load_file(folder / group / "adapter_model.safetensors").items()
    }


def metrics(project: Any, name: str) -> list[dict[str, str]]:
    with (project.runs / name / "logs" / "metrics.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def lonely(make_project: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A project whose run was trained by one process."""
    project = make_project(tmp_path_factory.mktemp("lonely") / "project")
    project.set(trainer__steps=STEPS, trainer__queries_per_step=4, collect__queries_per_part=3)
    done = run(project)
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture(scope="module")
def ranked(make_project: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """The same with two, which collect for themselves; and what the command wrote to stderr."""
    project = make_project(tmp_path_factory.mktemp("ranked") / "project")
    project.set(trainer__steps=STEPS, trainer__queries_per_step=4, collect__queries_per_part=3)
    done = run(project, "trainer.devices=2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("accuracy, worst group") == 1
    return project, done.stderr


def test_two_ranks_collect_what_one_process_collects(lonely: Any, ranked: tuple[Any, str]) -> None:
    one, two = (project.collections()[0] for project in (lonely, ranked[0]))
    assert one.name == two.name
    parts = sorted(path.name for path in one.glob("*.parquet"))
    assert len(parts) == 4
    for name in parts:
        rows, others = read_part(one / name), read_part(two / name)
        assert len(rows) == len(others)
        for row, other in zip(rows, others, strict=True):
            assert (row.query_id, row.group, row.turn, row.prompt, row.options) == (
                other.query_id,
                other.group,
                other.turn,
                other.prompt,
                other.options,
            )
            assert [sample.token_ids for sample in row.samples] == [sample.token_ids for sample in other.samples]
            assert row.option_log_probabilities == pytest.approx(other.option_log_probabilities, abs=1e-5)


@pytest.fixture(scope="module")
def double_precision(lonely: Any, ranked: tuple[Any, str]) -> tuple[Any, Any]:
    """Both projects with a run ``double`` in float64, where rounding cannot hide a fault."""
    for project, devices in ((lonely, 1), (ranked[0], 2)):
        done = run(project, "name=double", "model.dtype=float64", f"trainer.devices={devices}")
        assert done.returncode == 0, done.stderr
    return lonely, ranked[0]


def test_two_ranks_train_the_same_agents_in_double_precision(double_precision: tuple[Any, Any]) -> None:
    one, two = (weights(project, "double", STEPS) for project in double_precision)
    assert {value.dtype for value in one.values()} == {torch.float64}
    assert one.keys() == two.keys()
    assert max(float((one[key] - two[key]).abs().max()) for key in one) < 1e-10
    before = torch.cat([value.flatten() for key, value in one.items() if "lora_B" in key])
    assert float(before.abs().max()) > 1e-3, "trained nothing: nothing was compared"


def moments(project: Any, name: str) -> list[dict[str, torch.Tensor]]:
    """Adam's moving averages of the gradients and of their squares, parameter by parameter."""
    state = torch.load(project.runs / name / "checkpoints" / "last.ckpt", weights_only=False)
    return list(state["optimizer_states"][0]["state"].values())


def test_two_ranks_have_the_same_gradients(lonely: Any, ranked: tuple[Any, str]) -> None:
    # Not the weights: a step packs other rows together than its halves do, and where a gradient is nearly zero, Adam
    # makes a step of full size of its rounding. The weights are compared in double precision.
    one, two = moments(lonely, "mine"), moments(ranked[0], "mine")
    assert len(one) == len(two) == len(weights(lonely, "mine", STEPS))
    for name in ("exp_avg", "exp_avg_sq"):
        largest = max(float(state[name].abs().max()) for state in one)
        furthest = max(float((a[name] - b[name]).abs().max()) for a, b in zip(one, two, strict=True))
        assert furthest < 1e-5 * largest


def test_two_ranks_log_the_same_averages(lonely: Any, ranked: tuple[Any, str]) -> None:
    # A rank logs the penalty of its own share; loss, averages, weights and metrics are those of the whole step.
    for row, other in zip(metrics(lonely, "mine"), metrics(ranked[0], "mine"), strict=True):
        for key in (
            key for key in row if key.startswith(("train/loss", "utility/", "weight/", "validation/")) and row[key]
        ):
            assert float(row[key]) == pytest.approx(float(other[key]), abs=1e-5), key


def test_two_ranks_audit_the_same_answers(lonely: Any, ranked: tuple[Any, str]) -> None:
    keys = ["query_id", "group", "profile_group"]
    for step in (0, STEPS):
        audits = [
            read_items(project.runs / "mine" / "audits" / f"step={step:06d}.house.test" / "items.parquet")
            .sort_values(keys)
            .reset_index(drop=True)
            for project in (lonely, ranked[0])
        ]
        assert audits[0][[*keys, "answer", "correct"]].equals(audits[1][[*keys, "answer", "correct"]])
        for one, two in zip(audits[0]["option_probabilities"], audits[1]["option_probabilities"], strict=True):
            assert list(one) == pytest.approx(list(two), abs=1e-5)


def test_a_later_audit_is_shared_out_over_the_ranks_too(lonely: Any, ranked: tuple[Any, str]) -> None:
    keys = ["query_id", "group", "profile_group"]
    audits = []
    for project, ranks in ((lonely, 1), (ranked[0], 2)):
        done = validate(project)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Audit:") == 1
        # Each rank asks its share: of 5 questions, 3 fall to the first of two.
        assert f"Auditing step {STEPS} on validation: {5 if ranks == 1 else 3} questions" in done.stderr
        file = project.runs / "mine" / "audits" / f"step={STEPS:06d}.house.validation" / "items.parquet"
        audits.append(read_items(file).sort_values(keys).reset_index(drop=True))
    assert audits[0][[*keys, "answer", "correct"]].equals(audits[1][[*keys, "answer", "correct"]])
    for one, two in zip(audits[0]["option_probabilities"], audits[1]["option_probabilities"], strict=True):
        assert list(one) == pytest.approx(list(two), abs=1e-5)


def test_a_fault_is_told_once_and_before_any_rank_starts(ranked: tuple[Any, str]) -> None:
    project, _ = ranked
    done = run(project, "trainer.devices=2", "trainer.steps=7")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "it differs in trainer.steps" in done.stderr


def test_a_fault_that_only_the_ranks_find_keeps_its_exit_code(ranked: tuple[Any, str]) -> None:
    project, _ = ranked
    project.set(groups__members__south__explicit=["The user walks. " * 400])
    done = run(project, "name=long-profile", "trainer.devices=2")
    assert done.returncode == 2, done.stderr
    assert "explicit profile of group 'south'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.runs / "long-profile").exists()


def begun(project: Any, log: Path, name: str, *words: str) -> subprocess.Popen[bytes]:
    """A fit in the background, in a session of its own, that has its first resumable state and the log of its steps."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command(project, f"name={name}", *words),
            cwd=project.folder,
            env=environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + 600
    rows = project.runs / name / "logs" / "metrics.csv"
    # The rows are written right after the state.
    while not rows.is_file() or rows.read_text(encoding="utf-8").count("\n") <= RESUME_EVERY:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


LONG = (f"trainer.steps={MANY_STEPS}", "trainer.validate_every=0", f"trainer.resume_every={RESUME_EVERY}")


@pytest.fixture(scope="module")
def long_run(lonely: Any) -> Any:
    """The same project with an uninterrupted run that is long enough to be cut."""
    done = run(lonely, "name=long", *LONG)
    assert done.returncode == 0, done.stderr
    return lonely


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_a_process_that_was_cut_off_goes_on_bit_for_bit(long_run: Any, tmp_path: Path, number: signal.Signals) -> None:
    name = f"cut-{number.name.lower()}"
    process = begun(long_run, tmp_path / "log", name, *LONG)
    process.send_signal(number)
    code = process.wait(timeout=600)
    said = (tmp_path / "log").read_text(encoding="utf-8")
    if number is signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == 1
        assert "its state is saved" in said
        assert "--resume" in said.splitlines()[-1]
    assert not (long_run.runs / name / "finished.json").exists()
    step = torch.load(long_run.runs / name / "checkpoints" / "last.ckpt", weights_only=False)["global_step"]
    assert 0 < step < MANY_STEPS

    done = run(long_run, f"name={name}", *LONG, "--resume")
    assert done.returncode == 0, done.stderr
    one, two = weights(long_run, "long", MANY_STEPS), weights(long_run, name, MANY_STEPS)
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert metrics(long_run, name) == metrics(long_run, "long")


@pytest.mark.slow
def test_ranks_that_were_stopped_go_on(long_run: Any, tmp_path: Path) -> None:
    """A terminal's Ctrl-C reaches the launcher and both ranks; the launcher then hands it on once more."""
    words = (*LONG, "trainer.devices=2")
    process = begun(long_run, tmp_path / "log", "stopped", *words)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=600) == 1
    said = (tmp_path / "log").read_text(encoding="utf-8")
    assert "its state is saved" in said
    assert "Traceback" not in said
    state = torch.load(long_run.runs / "stopped" / "checkpoints" / "last.ckpt", weights_only=False)
    assert 0 < state["global_step"] < MANY_STEPS
    done = run(long_run, "name=stopped", *words, "--resume")
    assert done.returncode == 0, done.stderr
    whole = run(long_run, "name=together", *words)
    assert whole.returncode == 0, whole.stderr
    one, two = weights(long_run, "together", MANY_STEPS), weights(long_run, "stopped", MANY_STEPS)
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert metrics(long_run, "stopped") == metrics(long_run, "together")
