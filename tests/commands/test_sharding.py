"""The same training by one process, by DDP and by DeepSpeed's stages, each over two real ranks on the CPU."""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
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

from trialign.models import ModelConfig, load_model, locate_base_model
from trialign.training.states import SavedStates

pytestmark = pytest.mark.integration

STEPS = 20
# So many that the kills come in the midst of them: one process makes its small steps while the test looks away.
LONG = {"one": 400, "zero3": 90}
MEMBERS = ("north", "south", "island")
# Adam divides by the size of the gradient: where that is all rounding, so is the step, as large as the learning rate.
WORDS = ("optimizer.learning_rate=0.001", "trainer.validate_every=10", "trainer.resume_every=10")
STRATEGIES = {
    "one": (),
    "ddp": ("trainer.devices=2",),
    "zero1": ("trainer=deepspeed_zero1_cpu",),
    "zero2": ("trainer=deepspeed_zero2_cpu",),
    "zero3": ("trainer=deepspeed_zero3_cpu",),
    "fsdp2": ("trainer=fsdp2_cpu",),
    "fsdp2-computed-again": ("trainer=fsdp2_cpu", "trainer.activation_checkpointing=true"),
    "zero3-unaudited": ("trainer=deepspeed_zero3_cpu", "trainer.audits=false"),
    "zero3-computed-again": ("trainer=deepspeed_zero3_cpu", "trainer.activation_checkpointing=true"),
}
SHARDED = tuple(name for name in STRATEGIES if name != "one")
# Whose state, and who goes on from it.
MOVES = (
    ("one", STRATEGIES["zero3"]),
    ("ddp", STRATEGIES["zero2"]),
    ("zero1", STRATEGIES["one"]),
    ("zero3", (*STRATEGIES["zero3"], "trainer.devices=1")),
    ("zero2", STRATEGIES["fsdp2"]),
    ("fsdp2", STRATEGIES["ddp"]),
)


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


class Trained:
    """Runs of one project, each trained when it is first asked for."""

    def __init__(self, project: Any, words: tuple[str, ...] = WORDS) -> None:
        self.project, self.words = project, words
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
            [sys.executable, "-m", "trialign.cli", "fit", "--config", config, f"name={name}", *self.words, *words],
            cwd=self.project.folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def begin(self, name: str, log: Path, *words: str) -> subprocess.Popen[bytes]:
        """A fit in the background, which goes on where there is something to go on from."""
        config = str(self.project.folder / "mine.yaml")
        with log.open("wb") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "trialign.cli", "fit", "--config", config, f"name={name}", *words, "--resume"],
                cwd=self.project.folder,
                env=environment(),
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def half_way(self, name: str) -> Path:
        """A run of its own, as a whole one was at its last state but one."""
        whole, moved = self.folder(name), Path(self.project.runs / f"moved-{name}")
        (moved / "checkpoints").mkdir(parents=True)
        shutil.copytree(whole / "logs", moved / "logs")
        shutil.copytree(whole / "audits", moved / "audits")
        shutil.copyfile(whole / "checkpoints" / "previous.ckpt", moved / "checkpoints" / "last.ckpt")
        stated = (whole / "config.yaml").read_text(encoding="utf-8")
        (moved / "config.yaml").write_text(stated.replace(f"\nname: {name}\n", f"\nname: {moved.name}\n"))
        return moved

    def weights(self, name: str) -> dict[str, torch.Tensor]:
        """What a whole run has learned."""
        self.folder(name)
        return self.weights_of(name)

    def weights_of(self, name: str, steps: int = STEPS) -> dict[str, torch.Tensor]:
        agents = Path(self.project.runs / name) / "agents" / f"step={steps:06d}"
        return {
            f"{group}.{key}": value
            for group in MEMBERS
            for key, value in load_file(agents / group / "adapter_model.safetensors").items()
        }

    def metrics(self, name: str) -> list[dict[str, str]]:
        self.folder(name)
        return self.metrics_of(name)

    def metrics_of(self, name: str) -> list[dict[str, str]]:
        with (self.project.runs / name / "logs" / "metrics.csv").open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def trained(make_project: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    project = make_project(tmp_path_factory.mktemp("sharding") / "project")
    project.set(trainer={"steps": STEPS, "queries_per_step": 4})
    return Trained(project)


@pytest.mark.parametrize("name", SHARDED)
def test_every_strategy_trains_the_same_agents(trained: Trained, name: str) -> None:
    assert furthest(trained.weights("one"), trained.weights(name)) < 1e-5


def furthest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[key] - other[key]).abs().max()) for key in one)


def assert_same_metrics(rows: list[dict[str, str]], others: list[dict[str, str]]) -> None:
    compared = 0
    for row, other in zip(rows, others, strict=True):
        for key in (
            key for key in row if key.startswith(("train/loss", "utility/", "weight/", "validation/")) and row[key]
        ):
            assert float(row[key]) == pytest.approx(float(other[key]), abs=1e-5), (row["step"], key)
            compared += 1
    assert compared > 2 * 2 * len(MEMBERS) * STEPS


@pytest.mark.parametrize("name", SHARDED)
def test_every_strategy_weighs_and_measures_the_same(trained: Trained, name: str) -> None:
    assert_same_metrics(trained.metrics("one"), trained.metrics(name))


@pytest.mark.parametrize(("before", "after"), MOVES)
def test_a_run_goes_on_with_other_ranks_and_under_another_strategy(
    trained: Trained, before: str, after: tuple[str, ...]
) -> None:
    """From the state of the tenth step on, as if the run had been stopped there."""
    moved = trained.half_way(before)
    assert torch.load(moved / "checkpoints" / "last.ckpt")["global_step"] == STEPS // 2
    done = trained.fit(moved.name, *after, "--resume")
    assert done.returncode == 0, done.stderr
    assert furthest(trained.weights("one"), trained.weights_of(moved.name)) < 1e-5
    assert_same_metrics(trained.metrics("one"), trained.metrics_of(moved.name))


def test_at_stage_3_each_rank_holds_its_share_of_all_weights(trained: Trained) -> None:
    trained.folder("zero3")
    found = re.search(r"The ranks hold (\d+), (\d+) of (\d+) weights", trained.said["zero3"])
    assert found
    first, second, whole = (int(number) for number in found.groups())
    # A tensor of an odd number of elements is padded by one.
    assert whole <= first + second < 1.01 * whole
    assert first == second
    assert whole > 20_000


def test_a_run_without_audits_says_so(trained: Trained) -> None:
    assert not (trained.folder("zero3-unaudited") / "audits").exists()
    assert (trained.folder("zero3") / "audits").exists()


def test_under_fsdp2_each_rank_holds_its_share_of_the_layers(trained: Trained, tiny_config: ModelConfig) -> None:
    trained.folder("fsdp2")
    found = re.search(r"The ranks hold (\d+), (\d+) of (\d+) weights", trained.said["fsdp2"])
    assert found
    first, second, whole = (int(number) for number in found.groups())
    model = load_model(locate_base_model(tiny_config), tiny_config)
    outside = sum(one.numel() for name, one in model.named_parameters() if ".layers." not in name)
    # What lies outside of the layers is whole on both; a tensor of an odd number of rows is cut unevenly.
    assert first + second == whole + outside
    assert abs(first - second) < 0.02 * (whole - outside)


def state_of(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(folder / "checkpoints" / "last.ckpt")
    return loaded


@pytest.mark.parametrize("name", SHARDED)
def test_a_resumable_state_is_the_same_whoever_wrote_it(trained: Trained, name: str) -> None:
    one, other = (state_of(trained.folder(which)) for which in ("one", name))
    assert all("lora_" in key or key in ("utilities", "pair_losses") for key in other["state_dict"]), "a frozen weight"
    assert one["state_dict"].keys() == other["state_dict"].keys()
    for key, value in one["state_dict"].items():
        assert float((value - other["state_dict"][key]).abs().max()) < 1e-5, key
    (mine,), (yours,) = one["optimizer_states"], other["optimizer_states"]
    assert mine["state"].keys() == yours["state"].keys()
    assert mine["param_groups"][0]["lr"] == yours["param_groups"][0]["lr"]
    for moment in ("exp_avg", "exp_avg_sq"):
        largest = max(float(state[moment].abs().max()) for state in mine["state"].values())
        for index, state in mine["state"].items():
            assert state["step"] == yours["state"][index]["step"] == STEPS
            assert float((state[moment] - yours["state"][index][moment]).abs().max()) < 1e-5 * largest


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


def ranks_of(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes that train: this one's children where it is a launcher, else itself."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ranks = [int(pid) for pid in children if b"trialign.cli" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return ranks or [process.pid]


def written(file: Path) -> int:
    """When a file was written, in nanoseconds; 0 where there is none."""
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


class Killed:
    """A run that is killed while it trains, as often as one likes."""

    def __init__(self, trained: Trained, name: str, words: tuple[str, ...], log: Path, chance: random.Random) -> None:
        self.trained, self.name, self.words, self.log, self.chance = trained, name, words, log, chance
        self.folder = trained.project.runs / name
        self.last = self.folder / "checkpoints" / "last.ckpt"
        self.draft = self.last.with_name(".last.ckpt.tmp")

    def kill(self, *, writing: bool = False) -> bool:
        """Begins or goes on, and kills one rank after two more states were written.

        Args:
            writing: kill the rank that writes, as soon as a third state is begun; otherwise any rank, at any moment
                of as long a time as lay between the two.

        Returns:
            Whether a half-written state was left behind.
        """
        process = self.trained.begin(self.name, self.log, *self.words)
        self._next_state(process)
        begin = time.monotonic()
        self._next_state(process)
        between = time.monotonic() - begin
        ranks = ranks_of(process)
        if writing:
            while not self.draft.exists():
                assert process.poll() is None, self.said
            dead = ranks[0]
        else:
            time.sleep(self.chance.uniform(0, between))
            dead = self.chance.choice(ranks)
        assert process.poll() is None, self.said
        os.kill(dead, signal.SIGKILL)
        code = process.wait(timeout=300)
        if dead == process.pid:
            assert code == -signal.SIGKILL
        else:
            assert code == 1, self.said
            assert f"Rank {ranks.index(dead)} was ended by SIGKILL" in self.said
        # It was killed while it trained: neither at its end nor after it.
        state = SavedStates(self.last).newest()
        assert state is not None
        assert torch.load(state)["global_step"] < self.steps
        assert not (self.folder / "agents").exists()
        return self.draft.exists()

    @property
    def steps(self) -> int:
        return int(next(word for word in self.words if word.startswith("trainer.steps=")).partition("=")[2])

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def _next_state(self, process: subprocess.Popen[bytes]) -> None:
        seen, deadline = written(self.last), time.monotonic() + 600
        while written(self.last) in (0, seen):
            assert process.poll() is None, self.said
            assert time.monotonic() < deadline
            time.sleep(0.001)


def test_a_killed_rank_takes_the_job_down_and_the_run_goes_on(trained: Trained, tmp_path: Path) -> None:
    words = (*STRATEGIES["zero3"], *WORDS, f"trainer.steps={STEPS}", "trainer.resume_every=4")
    whole = trained.fit("whole", *words)
    assert whole.returncode == 0, whole.stderr
    Killed(trained, "killed", words, tmp_path / "log", random.Random(0)).kill()
    done = trained.fit("killed", *words, "--resume")
    assert done.returncode == 0, done.stderr
    assert furthest(trained.weights_of("whole"), trained.weights_of("killed")) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("strategy", ["one", "zero3"])
def test_killed_at_any_moment_and_in_the_midst_of_writing(
    trained: Trained, tmp_path: Path, strategy: str, number: int
) -> None:
    """Three kills at random moments and one that tears a state, one after the other in the same run."""
    words = (*STRATEGIES[strategy], *WORDS, f"trainer.steps={LONG[strategy]}", "trainer.resume_every=3")
    whole, name = f"long-{strategy}", f"killed-{strategy}-{number}"
    if not (trained.project.runs / whole / "finished.json").exists():
        done = trained.fit(whole, *words)
        assert done.returncode == 0, done.stderr
    killed = Killed(trained, name, words, tmp_path / "log", random.Random(number))
    for _ in range(3):
        killed.kill()
    # The kill may come after the renaming: then it was one more at a random moment.
    assert any(killed.kill(writing=True) for _ in range(3))
    done = trained.fit(name, *words, "--resume")
    assert done.returncode == 0, done.stderr
    one, other = (trained.weights_of(run, LONG[strategy]) for run in (whole, name))
    if strategy == "one":
        assert furthest(one, other) == 0
        assert trained.metrics_of(whole) == trained.metrics_of(name)
    else:
        assert furthest(one, other) < 1e-6
