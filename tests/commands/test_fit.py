"""The whole path through the command line: what it writes, what repeats, and what a stop leaves."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from trialign.audit.files.items import read_items
from trialign.checkpoints import read_agents

pytestmark = pytest.mark.integration

MEMBERS = ("north", "south", "island")
STEPS = 6


def adapters(project: Any, run: str, step: int) -> dict[str, bytes]:
    """Every group's adapter file, verified against the manifest."""
    folder = read_agents(project.runs / run / "agents" / f"step={step:06d}").folder
    return {group: (folder / group / "adapter_model.safetensors").read_bytes() for group in MEMBERS}


def weights(project: Any, run: str, step: int) -> dict[str, torch.Tensor]:
    folder = project.runs / run / "agents" / f"step={step:06d}"
    return {
        f"{group}.{name}": tensor
        for group in MEMBERS
        for name, tensor in load_file(folder / group / "adapter_model.safetensors").items()
    }


def metrics(project: Any, run: str) -> list[dict[str, str]]:
    with (project.runs / run / "logs" / "metrics.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def resumable(project: Any, run: str) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(project.runs / run / "checkpoints" / "last.ckpt", weights_only=False)
    return state


@pytest.fixture(scope="module")
def house(make_project: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One project for many runs, which share their collection."""
    project = make_project(tmp_path_factory.mktemp("house") / "project")
    project.set(trainer__steps=STEPS, trainer__validate_every=3, trainer__resume_every=6)
    return project


@pytest.fixture(scope="module")
def whole(house: Any) -> Any:
    """The house with two uninterrupted runs: ``whole``, and ``halves`` with two micro-batches a step."""
    assert house.fit("name=whole").code == 0
    assert house.fit("name=halves", "trainer.micro_batches=2").code == 0
    return house


@pytest.fixture
def shown(house: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    return replace(house, capture=capsys)


def test_a_fit_leaves_the_files_that_the_design_names(trained: Any) -> None:
    run = trained.runs / "mine"
    found = {name.removeprefix("runs/") for name in trained.files() if name.startswith("runs/")}
    collection = trained.collections()[0].name
    assert found == {
        ".answers/base-scores.jsonl",
        f".trajectories/{collection}/manifest.json",
        f".trajectories/{collection}/part-00000.parquet",
        f".trajectories/{collection}/questions.jsonl",
        "mine/config.yaml",
        "mine/finished.json",
        "mine/checkpoints/last.ckpt",
        "mine/checkpoints/previous.ckpt",
        "mine/logs/metrics.csv",
        "mine/agents/step=000004/manifest.json",
        *(f"mine/agents/step=000004/{group}/adapter_model.safetensors" for group in MEMBERS),
        *(f"mine/agents/step=000004/{group}/adapter_config.json" for group in MEMBERS),
        *(f"mine/audits/step={step:06d}.house.test/items.parquet" for step in (0, 4)),
        *(f"mine/audits/step={step:06d}.house.test/summary.json" for step in (0, 4)),
        *(f"mine/audits/step={step:06d}.house.test/analysis.json" for step in (0, 4)),
        *(f"mine/audits/step={step:06d}.house.test/about.json" for step in (0, 4)),
        *(f"mine/audits/step={step:06d}.house.test/questions.jsonl" for step in (0, 4)),
    }
    text = (run / "config.yaml").read_text(encoding="utf-8")
    assert collection in text.splitlines()[0]
    assert yaml.safe_load(text)["trainer"]["steps"] == 4
    assert read_agents(run / "agents" / "step=000004").manifest["run"] == "mine"


def test_training_changes_the_groups_answers(trained: Any) -> None:
    run = trained.runs / "mine"
    before, after = (
        read_items(run / "audits" / f"step={step:06d}.house.test" / "items.parquet").set_index(
            ["query_id", "group", "profile_group"]
        )["option_probabilities"]
        for step in (0, 4)
    )
    changed = {key[2]: abs(before[key] - after[key]).max() for key in before.index if key[1] == key[2]}
    assert min(changed[group] for group in MEMBERS) > 1e-3
    # The control answers with the base weights.
    assert changed["control"] == 0


def test_the_log_has_a_row_a_step_and_one_a_validation(trained: Any) -> None:
    rows = metrics(trained, "mine")
    assert [row["step"] for row in rows if row["train/loss"]] == ["0", "1", "2", "3"]
    validated = [row for row in rows if row["validation/truth/flip_rate"]]
    assert [row["step"] for row in validated] == ["1", "3"]
    for key in ("truth/accuracy/north", "truth/unanimous", "preference/score/island", "welfare/nash"):
        assert all(0 <= float(row[f"validation/{key}"]) <= 1 for row in validated), key
    assert all(0 < float(row["utility/truth/south"]) < 1 for row in rows if row["train/loss"])


def test_a_finished_run_prints_its_table_and_trains_no_more(trained: Any) -> None:
    before = trained.files()
    outcome = trained.fit()
    assert outcome.code == 0
    assert "accuracy, worst group" in outcome.out
    assert "step 4" in outcome.out
    words = " ".join(outcome.out.split())
    assert "Before: Not enough evidence: 2 facts" in words
    assert "After: Not enough evidence: 2 facts" in words
    assert trained.files() == before


def test_overwrite_trains_anew_and_keeps_the_collection(trained_copy: Any) -> None:
    stray = trained_copy.runs / "mine" / "audits" / "step=000009.house.test"
    stray.mkdir()
    (stray / "summary.json").write_text("{}")
    old, collected = adapters(trained_copy, "mine", 4), trained_copy.collections()[0].stat().st_mtime_ns
    # Another value than before, which without --overwrite would be refused.
    assert trained_copy.fit("--overwrite", "optimizer.learning_rate=0.02").code == 0
    assert not stray.exists()
    assert adapters(trained_copy, "mine", 4) != old
    assert trained_copy.collections()[0].stat().st_mtime_ns == collected
    assert [path.name for path in trained_copy.runs.iterdir() if path.name.startswith(".mine")] == []


def test_a_leftover_of_a_cut_off_removal_does_not_block_the_next_one(trained_copy: Any) -> None:
    (trained_copy.runs / ".mine.removed" / "agents").mkdir(parents=True)
    assert trained_copy.fit("--overwrite").code == 0
    assert not (trained_copy.runs / ".mine.removed").exists()


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(whole: Any) -> None:
    assert whole.fit("name=again").code == 0
    assert adapters(whole, "again", STEPS) == adapters(whole, "whole", STEPS)
    assert metrics(whole, "again") == metrics(whole, "whole")
    assert whole.fit("name=other", "seed=1").code == 0
    assert adapters(whole, "other", STEPS) != adapters(whole, "whole", STEPS)


def test_equal_collections_are_shared_and_others_are_not(whole: Any) -> None:
    shared = {path.name for path in whole.collections()}
    parts = {path: path.stat().st_mtime_ns for path in (whole.runs / ".trajectories").rglob("*.parquet")}
    # What is trained, and how, is no part of the data.
    assert whole.fit("name=baseline", "objective=utilitarian", "optimizer.learning_rate=0.001").code == 0
    assert {path.name for path in whole.collections()} == shared
    assert {path: path.stat().st_mtime_ns for path in (whole.runs / ".trajectories").rglob("*.parquet")} == parts
    assert whole.call("collect", "--config", whole.folder / "mine.yaml", "collect.samples=2").code == 0
    assert len(whole.collections()) == len(shared) + 1


def test_two_micro_batches_equal_one(whole: Any) -> None:
    one, two = weights(whole, "whole", STEPS), weights(whole, "halves", STEPS)
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-6
    utilities = [resumable(whole, run)["state_dict"]["utilities"] for run in ("whole", "halves")]
    torch.testing.assert_close(*utilities, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("step", "number", "micro_batches", "micro_batch"),
    [
        pytest.param(1, signal.SIGINT, 1, -1, id="after the first step"),
        pytest.param(2, signal.SIGTERM, 1, -1, id="terminated"),
        pytest.param(3, signal.SIGINT, 1, -1, id="at a validation"),
        pytest.param(6, signal.SIGINT, 1, -1, id="after the last step"),
        pytest.param(2, signal.SIGINT, 2, 0, id="between two micro-batches"),
        pytest.param(3, signal.SIGTERM, 2, 1, id="at a validation, with micro-batches"),
    ],
)
def test_interrupted_and_resumed_equals_uninterrupted(
    whole: Any,
    shown: Any,
    stop_at: Callable[..., AbstractContextManager[None]],
    step: int,
    number: signal.Signals,
    micro_batches: int,
    micro_batch: int,
) -> None:
    name = f"cut-{step}-{number}-{micro_batches}"
    words = (f"name={name}", f"trainer.micro_batches={micro_batches}")
    with stop_at(step, number, micro_batch=micro_batch):
        stopped = shown.fit(*words)
    assert stopped.code == 1
    assert f"stopped after step {step}" in stopped.err
    assert f"trialign fit --config {shown.folder / 'mine.yaml'} {' '.join(words)} --resume" in stopped.err
    assert resumable(whole, name)["global_step"] == step
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    assert shown.fit(*words, "--resume").code == 0
    expected = "whole" if micro_batches == 1 else "halves"
    assert adapters(whole, name, STEPS) == adapters(whole, expected, STEPS)
    assert metrics(whole, name) == metrics(whole, expected)
    states = [resumable(whole, run)["state_dict"] for run in (name, expected)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    items = [
        read_items(whole.runs / run / "audits" / f"step={STEPS:06d}.house.test" / "items.parquet")
        for run in (name, expected)
    ]
    assert items[0].to_json() == items[1].to_json()


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float, float, float]]:
    """What every training step draws of the three generators, were there something random in it."""
    import random

    import numpy

    from trialign.training import TriAlignModule

    numbers: list[tuple[int, float, float, float]] = []
    original = TriAlignModule.training_step

    def spied(self: TriAlignModule, *arguments: Any) -> torch.Tensor:
        numbers.append((self.global_step, float(torch.rand(())), random.random(), float(numpy.random.random())))  # noqa: NPY002
        return original(self, *arguments)

    monkeypatch.setattr(TriAlignModule, "training_step", spied)
    return numbers


def test_a_resumed_training_draws_the_numbers_that_it_would_have_drawn(
    house: Any, stop_at: Callable[..., AbstractContextManager[None]], drawn: list[tuple[int, float, float, float]]
) -> None:
    assert house.fit("name=chance").code == 0
    whole = list(drawn)
    drawn.clear()
    with stop_at(2):
        assert house.fit("name=interrupted-chance").code == 1
    assert house.fit("name=interrupted-chance", "--resume").code == 0
    assert drawn == whole
    assert len({numbers[1:] for numbers in whole}) == len(whole) == STEPS


def test_a_killed_run_goes_on_from_its_last_state(
    whole: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault between two states: the steps since the last one are trained, and logged, a second time."""
    from trialign.training.module import TriAlignModule

    original = TriAlignModule.training_step
    words = ("name=killed", "trainer.resume_every=2")

    def failing(self: Any, batch: Any, batch_idx: int) -> Any:
        if self.global_step == 5:
            raise RuntimeError("the power went")
        return original(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(TriAlignModule, "training_step", failing)
        assert replace(whole, capture=capsys).fit(*words).code == 1
    assert resumable(whole, "killed")["global_step"] == 4
    assert whole.fit(*words, "--resume").code == 0
    assert adapters(whole, "killed", STEPS) == adapters(whole, "whole", STEPS)
    assert metrics(whole, "killed") == metrics(whole, "whole")


def test_the_second_interrupt_acts_at_once(whole: Any, shown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from trialign.training.module import TriAlignModule

    original = TriAlignModule.training_step

    def interrupted(self: Any, batch: Any, batch_idx: int) -> Any:
        if self.global_step == 1:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, batch, batch_idx)

    monkeypatch.setattr(TriAlignModule, "training_step", interrupted)
    outcome = shown.fit("name=twice")
    assert outcome.code == 1
    assert "trialign fit: Stopped." in outcome.err
    assert "--resume" in outcome.err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_while_collecting_keeps_what_is_collected(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from trialign.trajectories import store

    original = store.write_part
    written: list[str] = []

    def interrupted(path: Path, trajectories: Any) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        original(path, trajectories)
        written.append(path.name)

    words = ("collect.queries_per_part=3",)
    with monkeypatch.context() as patch:
        patch.setattr(store, "write_part", interrupted)
        outcome = project.call("collect", "--config", "mine.yaml", *words)
    assert outcome.code == 1
    assert "Run the same command again" in outcome.err
    folder = project.collections()[0]
    kept = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert sorted(kept) == ["part-00000.parquet", "part-00001.parquet"]
    assert project.call("collect", "--config", "mine.yaml", *words).code == 0
    # 10 questions of the splits train and validation, 3 a part.
    assert sorted(path.name for path in folder.iterdir()) == [
        "manifest.json",
        *(f"part-0000{number}.parquet" for number in range(4)),
        "questions.jsonl",
    ]
    assert {name: (folder / name).stat().st_mtime_ns for name in kept} == kept


def test_the_resumable_state_is_no_more_than_what_training_changes(whole: Any) -> None:
    state = resumable(whole, "whole")
    names = set(state["state_dict"])
    assert {name for name in names if "lora_" not in name} == {"utilities"}
    trained = weights(whole, "whole", STEPS)
    assert len(names) == len(trained) + 1
    size = sum(tensor.numel() for tensor in trained.values())
    # AdamW keeps two moments for each trained weight; nothing else in the file is large.
    moments = [
        value.numel()
        for entry in state["optimizer_states"][0]["state"].values()
        for name, value in entry.items()
        if name != "step"
    ]
    assert sum(moments) == 2 * size
    stored = (whole.runs / "whole" / "checkpoints" / "last.ckpt").stat().st_size
    assert stored < 3 * 4 * size + 150_000


def test_agents_are_written_as_often_as_asked(whole: Any) -> None:
    assert whole.fit("name=often", "trainer.agents_every=2").code == 0
    folders = sorted(path.name for path in (whole.runs / "often" / "agents").iterdir())
    assert folders == ["step=000002", "step=000004", "step=000006"]
    assert adapters(whole, "often", 6) == adapters(whole, "whole", 6)
    assert adapters(whole, "often", 2) != adapters(whole, "often", 4)


def test_a_shared_adapter_is_the_same_for_all_groups(whole: Any) -> None:
    assert whole.fit("name=shared", "policy.adapters=shared").code == 0
    assert len(set(adapters(whole, "shared", STEPS).values())) == 1
    assert len(set(adapters(whole, "whole", STEPS).values())) == 3


def test_sampled_updates_train_too(whole: Any) -> None:
    assert whole.fit("name=awr", "objective.update=awr", "optimizer.learning_rate=0.02").code == 0
    trained = weights(whole, "awr", STEPS)
    assert all(torch.isfinite(tensor).all() for tensor in trained.values())
    assert max(float(tensor.abs().max()) for name, tensor in trained.items() if "lora_B" in name) > 0
    assert all(float(row["train/loss"]) >= 0 for row in metrics(whole, "awr") if row["train/loss"])
