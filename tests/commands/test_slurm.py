"""``scripts/slurm/fit.sbatch`` on the Slurm cluster that is at hand; its nodes must see this folder and pytest's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

pytestmark = [pytest.mark.integration, pytest.mark.slow]

STEPS = 600
ROOT = Path(__file__).parents[2]
WORDS = (
    "trainer=deepspeed_zero3_cpu",
    "optimizer.learning_rate=0.001",
    f"trainer.steps={STEPS}",
    "trainer.queries_per_step=2",
    "trainer.validate_every=0",
    "trainer.resume_every=100",
)


def said(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(autouse=True)
def two_nodes() -> None:
    try:
        free = said("sinfo", "--noheader", "--states=idle,mixed", "--format=%D").split()
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("no Slurm cluster answers here")
    if sum(map(int, free)) < 2:
        pytest.skip("the Slurm cluster here has no two free nodes")


def wait_until(condition: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
        time.sleep(0.2)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    agents = folder / "agents" / f"step={STEPS:06d}"
    return {
        f"{file.parent.name}.{key}": value
        for file in sorted(agents.rglob("adapter_model.safetensors"))
        for key, value in load_file(file).items()
    }


def test_a_job_whose_time_is_nearly_over_saves_requeues_itself_and_goes_on(
    make_project: Callable[[Path], Any], tmp_path: Path
) -> None:
    project, log = make_project(tmp_path / "project"), tmp_path / "log"
    config = str(project.folder / "mine.yaml")
    resources = ("--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=0", "--cpus-per-task=1", f"--output={log}")
    command = ("scripts/slurm/fit.sbatch", "--config", config, *WORDS, "trainer.nodes=2", "trainer.devices=1")
    job = said("sbatch", "--parsable", *resources, *command, "name=limited")
    limited, state = project.runs / "limited", project.runs / "limited" / "checkpoints" / "last.ckpt"

    def phase() -> str:
        return said("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T")

    try:
        wait_until(state.exists, log)
        said("scancel", "--batch", "--signal=USR1", job)  # as Slurm does, by --signal
        wait_until(lambda: phase() == "PENDING", log)
        step = torch.load(state)["global_step"]
        assert f"Training stopped after step {step}; its state is saved." in log.read_text(encoding="utf-8")
        assert 0 < step < STEPS
        # Slurm lets a requeued job wait for two minutes before it begins again.
        wait_until(lambda: phase() in ("COMPLETED", "FAILED", "CANCELLED", "NODE_FAIL"), log)
        assert phase() == "COMPLETED", log.read_text(encoding="utf-8")
    finally:
        subprocess.run(["scancel", job], check=False)

    fit = [sys.executable, "-m", "trialign.cli", "fit", "--config", config, *WORDS, "trainer.devices=2", "name=whole"]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    whole = subprocess.run(fit, env=one_thread, capture_output=True, text=True, timeout=900, check=False)
    assert whole.returncode == 0, whole.stderr
    one, other = weights(project.runs / "whole"), weights(limited)
    assert one.keys() == other.keys()
    assert max(float((one[key] - other[key]).abs().max()) for key in one) < 1e-6
