"""The same training by one process, by DDP and by DeepSpeed's stages, each over two real ranks on the CPU."""

from __future__ import annotations

import csv
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

pytestmark = pytest.mark.integration

STEPS = 20
MEMBERS = ("north", "south", "island")
# Adam divides by the size of the gradient: where that is all rounding, so is the step, as large as the learning rate.
WORDS = ("optimizer.learning_rate=0.001", "trainer.validate_every=10", "trainer.resume_every=10")
STRATEGIES = {
    "one": (),
    "ddp": ("trainer.devices=2",),
    "zero1": ("trainer=deepspeed_zero1_cpu",),
    "zero2": ("trainer=deepspeed_zero2_cpu",),
    "zero3": ("trainer=deepspeed_zero3_cpu",),
}
SHARDED = ("ddp", "zero1", "zero2", "zero3")
ZERO = SHARDED[1:]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


class Trained:
    """Runs of one project, each trained when it is first asked for."""

    def __init__(self, project: Any) -> None:
        self.project = project
        self.said: dict[str, str] = {}

    def folder(self, name: str) -> Path:
        if name not in self.said:
            done = self.fit(name, *STRATEGIES[name])
            assert done.returncode == 0, done.stderr
            self.said[name] = done.stderr
        return Path(self.project.runs / name)

    def fit(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        config = str(self.project.folder / "mine.yaml")
        return subprocess.run(
            [sys.executable, "-m", "trialign.cli", "fit", "--config", config, f"name={name}", *words, *WORDS],
            cwd=self.project.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def begun(self, name: str, log: Path, *words: str) -> subprocess.Popen[bytes]:
        """A fit in the background that has a state to go on from."""
        config = str(self.project.folder / "mine.yaml")
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "trialign.cli", "fit", "--config", config, f"name={name}", *words, *WORDS],
                cwd=self.project.folder,
                env=environment(),
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 600
        while not (self.project.runs / name / "checkpoints" / "last.ckpt").exists():
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return process

    def weights(self, name: str) -> dict[str, torch.Tensor]:
        """What a whole run has learned."""
        self.folder(name)
        return self.weights_of(name)

    def weights_of(self, name: str) -> dict[str, torch.Tensor]:
        agents = Path(self.project.runs / name) / "agents" / f"step={STEPS:06d}"
        return {
            f"{group}.{key}": value
            for group in MEMBERS
            for key, value in load_file(agents / group / "adapter_model.safetensors").items()
        }

    def metrics(self, name: str) -> list[dict[str, str]]:
        with (self.folder(name) / "logs" / "metrics.csv").open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def trained(make_project: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    project = make_project(tmp_path_factory.mktemp("sharding") / "project")
    project.set(trainer={"steps": STEPS, "queries_per_step": 4})
    return Trained(project)


@pytest.mark.parametrize("name", SHARDED)
def test_every_strategy_trains_the_same_agents(trained: Trained, name: str) -> None:
    one, other = trained.weights("one"), trained.weights(name)
    assert one.keys() == other.keys()
    assert max(float((one[key] - other[key]).abs().max()) for key in one) < 1e-5


@pytest.mark.parametrize("name", SHARDED)
def test_every_strategy_weighs_and_measures_the_same(trained: Trained, name: str) -> None:
    compared = 0
    for row, other in zip(trained.metrics("one"), trained.metrics(name), strict=True):
        for key in (
            key for key in row if key.startswith(("train/loss", "utility/", "weight/", "validation/")) and row[key]
        ):
            assert float(row[key]) == pytest.approx(float(other[key]), abs=1e-5), (row["step"], key)
            compared += 1
    assert compared > 2 * 2 * len(MEMBERS) * STEPS


def test_at_stage_3_each_rank_holds_its_share_of_all_weights(trained: Trained) -> None:
    trained.folder("zero3")
    found = re.search(r"The ranks hold (\d+), (\d+) of (\d+) weights", trained.said["zero3"])
    assert found
    first, second, whole = (int(number) for number in found.groups())
    # A tensor of an odd number of elements is padded by one.
    assert whole <= first + second < 1.01 * whole
    assert first == second
    assert whole > 20_000


@pytest.mark.parametrize("name", ZERO)
def test_no_frozen_weight_is_in_a_resumable_state(trained: Trained, name: str) -> None:
    state = trained.folder(name) / "checkpoints" / "last.ckpt"
    files = sorted((state / "checkpoint").glob("*model_states.pt"))
    assert files
    for file in files:
        module = torch.load(file, weights_only=False)["module"]
        assert module
        assert all("lora_" in key or key == "utilities" for key in module)


@pytest.mark.parametrize("name", SHARDED)
def test_agents_of_every_strategy_load_in_plain_peft(trained: Trained, name: str) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    stated = yaml.safe_load((trained.project.folder / "mine.yaml").read_text(encoding="utf-8"))
    base = AutoModelForCausalLM.from_pretrained(stated["model"]["path"])
    folder = trained.folder(name) / "agents" / f"step={STEPS:06d}" / "south"
    model = PeftModel.from_pretrained(base, str(folder))
    loaded = {key: value for key, value in model.named_parameters() if "lora_B" in key}
    assert loaded
    assert all(value.numel() and value.abs().max() > 0 for value in loaded.values())


def kill_and_resume(trained: Trained, name: str, log: Path, dead: int, delay: float) -> None:
    """Kills one rank so long after the first state, and holds what the resumed run has learned to the whole one's."""
    process = trained.begun(name, log, *STRATEGIES["zero3"])
    time.sleep(delay)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ranks = [pid for pid in children if b"trialign.cli" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    if len(ranks) == 2:  # otherwise the run was done before
        os.kill(int(ranks[dead]), signal.SIGKILL)
    code = process.wait(timeout=120)
    said = log.read_text(encoding="utf-8")
    if code:
        assert code == 1, said
        assert re.search(r"Rank \d was ended by SIGKILL", said), said
    done = trained.fit(name, *STRATEGIES["zero3"], "--resume")
    assert done.returncode == 0, done.stderr
    one, other = trained.weights("zero3"), trained.weights_of(name)
    assert max(float((one[key] - other[key]).abs().max()) for key in one) < 1e-6


def test_a_killed_rank_takes_the_job_down_and_the_run_goes_on(trained: Trained, tmp_path: Path) -> None:
    trained.folder("zero3")
    kill_and_resume(trained, "killed", tmp_path / "log", dead=1, delay=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(10))
def test_a_rank_killed_at_any_moment(trained: Trained, tmp_path: Path, number: int) -> None:
    trained.folder("zero3")
    chance = random.Random(number)
    kill_and_resume(trained, f"killed-{number}", tmp_path / "log", number % 2, chance.uniform(0, 2))


def test_shares_go_on_with_as_many_ranks_as_wrote_them(trained: Trained) -> None:
    folder = trained.folder("zero3")
    finished = folder / "finished.json"
    kept = finished.read_bytes()
    finished.unlink()
    try:
        refused = trained.fit("zero3", *STRATEGIES["zero3"], "trainer.devices=1", "--resume")
    finally:
        finished.write_bytes(kept)
    assert refused.returncode == 2
    assert "was written by 2 ranks" in refused.stderr
    assert refused.stderr.count("\n") == 1
