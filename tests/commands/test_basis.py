"""Runs whose groups share one basis: every strategy trains the same agents, and every verb reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from trialign.checkpoints import read_agents

from .test_sharding import Trained, furthest

pytestmark = pytest.mark.integration

STEPS = 8
MEMBERS = ("north", "south", "island")
WORDS = ("policy=basis", "policy.rank=2", "policy.alpha=8", "trainer.validate_every=4", "trainer.resume_every=4")
WORDS = (*WORDS, f"trainer.steps={STEPS}", "optimizer.learning_rate=0.001")


@pytest.fixture(scope="module")
def trained(make_project: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    project = make_project(tmp_path_factory.mktemp("basis") / "project")
    project.set(trainer={"steps": STEPS, "queries_per_step": 4})
    return Trained(project, WORDS)


def weights_of(trained: Trained, name: str) -> dict[str, torch.Tensor]:
    agents = Path(trained.project.runs / name) / "agents" / f"step={STEPS:06d}"
    return {
        f"{file.parent.name}.{file.stem}.{key}": value
        for file in sorted(agents.glob("*/*.safetensors"))
        for key, value in load_file(file).items()
    }


def test_one_process_learns_a_basis_and_what_each_group_owns(trained: Trained) -> None:
    agents = trained.folder("one") / "agents" / f"step={STEPS:06d}"
    learned = weights_of(trained, "one")
    z = {group: learned[f"{group}.coordinates.z"] for group in MEMBERS}
    assert all(value.shape == (8,) and value.abs().max() > 0.01 for value in z.values())
    assert len({tuple(value.tolist()) for value in z.values()}) == 3
    manifest = json.loads((agents / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["adapters"] == {"mode": "basis", "rank": 2, "alpha": 8, "dimensions": 8}
    assert all(f"{group}/coordinates.safetensors" in manifest["files"] for group in MEMBERS)


SLOW = pytest.mark.slow  # between the two that share nothing and everything; the other policies' tests run them


@pytest.mark.parametrize("name", ["ddp", pytest.param("zero1", marks=SLOW), pytest.param("zero2", marks=SLOW), "zero3"])
def test_every_strategy_trains_the_same_basis(trained: Trained, name: str) -> None:
    trained.folder("one")
    trained.folder(name)
    assert furthest(weights_of(trained, "one"), weights_of(trained, name)) < 1e-5


@pytest.mark.parametrize("before", ["zero3", "one"])
def test_a_run_goes_on_as_if_it_had_not_been_stopped(trained: Trained, before: str) -> None:
    moved = trained.half_way(before)
    state = torch.load(moved / "checkpoints" / "last.ckpt")
    assert state["global_step"] == STEPS // 2
    assert any("group_scales" in key for key in state["state_dict"])
    assert "policy.coordinates.own" in state["state_dict"]
    done = trained.fit(moved.name, "--resume")  # in one process, whoever wrote the state
    assert done.returncode == 0, done.stderr
    assert furthest(weights_of(trained, "one"), weights_of(trained, moved.name)) < (1e-12 if before == "one" else 1e-5)


def test_every_verb_reads_a_run_of_a_basis(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, project = trained.folder("one"), trained.project
    assert (
        project.call("ask", "Which metal is liquid?", "--run", run, "--option", "Iron", "--option", "Mercury").code == 0
    )
    assert "Islanders" in capsys.readouterr().out
    assert project.call("test", "--run", run).code == 0
    assert project.call("report", run).code == 0
    assert project.call("plan", "--config", project.folder / "mine.yaml", *WORDS).code == 0
    said = capsys.readouterr().out
    # 2 layers of 7 linear maps at rank 2: A, B and U of 8 columns.
    assert "adapters: 1 of 0.0 million, and 8 numbers for each of 3 groups" in said
    assert project.call("export", "--run", run, "--output", tmp_path / "out").code == 0
    exported = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert {f"{group}/adapter_model.safetensors" for group in MEMBERS} < exported
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["files"]) == {
        f"{g}/{f}" for g in MEMBERS for f in ("adapter_model.safetensors", "adapter_config.json")
    }


def test_live_questions_reach_the_agents_of_a_basis(trained: Trained) -> None:
    from trialign.dashboard.live.asking import typed_query
    from trialign.dashboard.live.engine import Engine
    from trialign.dashboard.live.replies import Question, Source

    run = trained.folder("one")
    checkpoint = read_agents(run / "agents" / f"step={STEPS:06d}")
    source = Source("one", run / "config.yaml", STEPS, checkpoint.folder)
    query = typed_query("Which metal is liquid?", ["Iron", "Mercury"])
    answers = Engine().answer(source, Question(query, "explicit", (*MEMBERS, "control")), lambda _: False)
    assert [reply.adapter_sha256 for reply in answers.replies] == [
        *(checkpoint.adapter_sha256(group) for group in MEMBERS),
        None,
    ]
