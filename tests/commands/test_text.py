"""The text term through the real command: the same agents however a step is cut, and what is collected for it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from trialign.trajectories.texts import TextStore

pytestmark = pytest.mark.integration

STEPS = 4
MEMBERS = ("north", "south", "island")
# Two of the four training facts, and 68 instructions.
TEXT = ("objective.text.weight=2", "objective.text.share=.3", "objective.text.tokens=4", "objective.text.top_k=4")
METHODS = {file.stem for file in (Path(__file__).parents[2] / "conf" / "objective").glob("*.yaml")}
QUESTIONS_ALONE = ("objective.text.share=1", "objective.text.instructions=0")


def weights(project: Any, name: str) -> dict[str, torch.Tensor]:
    folder = project.runs / name / "agents" / f"step={STEPS:06d}"
    return {
        f"{group}.{key}": value
        for group in MEMBERS
        for key, value in load_file(folder / group / "adapter_model.safetensors").items()
    }


def furthest(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> float:
    assert one.keys() == two.keys()
    return max(float((one[name] - two[name]).abs().max()) for name in one)


def metrics(project: Any, name: str) -> list[dict[str, str]]:
    with (project.runs / name / "logs" / "metrics.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def text_store(project: Any) -> Path:
    (found,) = [one for one in project.collections() if "text" in json.loads((one / "manifest.json").read_text())]
    return Path(found)


@pytest.fixture(scope="module")
def house(make_project: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A project with its teacher's replies, all of which are taken to state what the tiny model was told."""
    from trialign.trajectories import teacher

    project = make_project(tmp_path_factory.mktemp("texts") / "project")
    project.set(
        trainer__steps=STEPS, trainer__queries_per_step=2, collect__queries_per_part=100, model__dtype="float64"
    )
    project.set(optimizer__learning_rate=0.001)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teacher, "states", lambda *_: True)
        for dtype in ("float64", "float32"):
            words = (*TEXT, f"model.dtype={dtype}")
            assert project.call("collect", "--config", project.folder / "mine.yaml", *words).code == 0
    assert project.fit("name=whole", *TEXT).code == 0
    assert project.fit("name=single", *TEXT, "model.dtype=float32").code == 0
    return project


@pytest.fixture
def shown(house: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    return replace(house, capture=capsys)


def test_the_term_is_logged_and_moves_the_agents(house: Any) -> None:
    assert house.fit("name=without").code == 0
    assert furthest(weights(house, "whole"), weights(house, "without")) > 1e-4
    steps = [float(row["train/text"]) for row in metrics(house, "whole") if row.get("train/text")]
    assert len(steps) == STEPS
    assert all(value > 0 for value in steps)
    assert not any("text" in name for name in metrics(house, "without")[0])


def test_a_text_alone_is_learned(house: Any) -> None:
    words = (
        "objective.welfare.truth=1e-6",
        "objective.welfare.preference=1e-6",
        "objective.inconsistency.weight=0",
        "optimizer.learning_rate=0.02",
        "trainer.steps=40",
        "trainer.validate_every=0",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trialign.trajectories.teacher.states", lambda *_: True)
        # Of instructions, the agents begin as their teacher.
        assert house.fit("name=learned", *TEXT, *QUESTIONS_ALONE, *words).code == 0
    steps = [float(row["train/text"]) for row in metrics(house, "learned") if row.get("train/text")]
    assert sum(steps[-8:]) < 0.8 * sum(steps[:8])


def test_two_micro_batches_equal_one(house: Any) -> None:
    assert house.fit("name=halves", "trainer.micro_batches=2", *TEXT).code == 0
    assert furthest(weights(house, "whole"), weights(house, "halves")) < 1e-9


def test_interrupted_and_resumed_equals_uninterrupted(
    shown: Any, stop_at: Callable[..., AbstractContextManager[None]]
) -> None:
    with stop_at(2):
        assert shown.fit("name=cut", *TEXT).code == 1
    assert shown.fit("name=cut", *TEXT, "--resume").code == 0
    assert furthest(weights(shown, "whole"), weights(shown, "cut")) == 0
    assert metrics(shown, "whole") == metrics(shown, "cut")


@pytest.mark.parametrize(
    ("alone", "words", "most"),
    [
        ("whole", ("trainer.devices=2",), 1e-9),
        ("single", ("trainer=deepspeed_zero3_cpu", "model.dtype=float32"), 2e-5),
    ],
)
def test_ranks_train_the_same_agents(house: Any, alone: str, words: tuple[str, ...], most: float) -> None:
    # Two questions and an instruction a step: one rank has texts in steps in which the other has none.
    command = [sys.executable, "-m", "trialign.cli", "fit", "--config", str(house.folder / "mine.yaml")]
    done = subprocess.run(
        [*command, f"name=ranks-{alone}", *TEXT, *words],
        cwd=house.folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert furthest(weights(house, alone), weights(house, f"ranks-{alone}")) < most


def test_a_reply_that_does_not_state_its_answer_is_left_out_counted_and_said(
    project: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "trialign"):
        words = (*TEXT, *QUESTIONS_ALONE)
        assert project.call("collect", "--config", project.folder / "mine.yaml", *words).code == 0
    manifest = json.loads((text_store(project) / "manifest.json").read_text())
    # One reply to each of four facts, and one a group to a taste; the tiny model states none of what it is told.
    assert manifest["counts"] == {"replies": 4 + 3, "left_out": 4 + 3, "tokens": 0}
    assert "7 of 7 replies of the teacher do not state the answer that it was given" in caplog.text


def test_equal_settings_share_a_collection_and_the_weight_is_none_of_them(project: Any) -> None:
    collect = (
        "collect",
        "--config",
        project.folder / "mine.yaml",
        "objective.text.tokens=2",
        *QUESTIONS_ALONE,
    )
    assert project.call("collect", "--config", project.folder / "mine.yaml").code == 0
    (plain,) = project.collections()
    assert project.call(*collect, "objective.text.weight=1").code == 0
    assert plain in project.collections()
    assert len(project.collections()) == 2
    times = {path: path.stat().st_mtime_ns for path in project.runs.rglob("*.parquet")}
    assert project.call(*collect, "objective.text.weight=3").code == 0
    assert {path: path.stat().st_mtime_ns for path in project.runs.rglob("*.parquet")} == times
    assert project.call(*collect, "objective.text.weight=1", "objective.text.top_k=3").code == 0
    assert len(project.collections()) == 3


def test_where_nothing_is_trained_nobody_is_taught(project: Any) -> None:
    words = ("objective=prompt_fair", "objective.text.weight=1", *QUESTIONS_ALONE)
    assert project.call("collect", "--config", project.folder / "mine.yaml", *words).code == 0
    assert [one for one in project.collections() if "text" in json.loads((one / "manifest.json").read_text())] == []


def test_the_quick_start_teaches_sentences_and_the_control_without_questions_cannot() -> None:
    from trialign.composition import compose
    from trialign.config import load

    taught = {name: load(compose("conf/quickstart.yaml", [f"objective={name}"])).objective for name in METHODS}
    assert {name for name, one in taught.items() if one.has_teacher} == METHODS - {
        "options_only",
        "prompt_fair",
        "prompt_stripped",
        "strip",
        "steer",
    }


@pytest.mark.parametrize(("limit", "instructions"), [(1, 0), (6, 2)])
def test_a_run_of_few_questions_has_few_instructions(project: Any, limit: int, instructions: int) -> None:
    """Of the first instructions the ids choose a share; a run whose limit leaves none trains without."""
    from trialign.trajectories.texts import Text

    assert project.fit(*TEXT, f"data.limit={limit}", "trainer.steps=1", "trainer.validate_every=0").code == 0
    texts: list[Text] = list(TextStore(text_store(project), {}).texts())
    asked = {text.query_id for text in texts} - {row["id"] for row in project.rows}
    assert len(asked) == instructions


def test_a_damaged_collection_is_refused(project: Any) -> None:
    words = (*TEXT, *QUESTIONS_ALONE)
    assert project.call("collect", "--config", project.folder / "mine.yaml", *words).code == 0
    store = text_store(project)
    part = sorted(store.glob("*.parquet"))[0]
    part.write_bytes(part.read_bytes()[:-9])
    outcome = project.fit(*words)
    assert outcome.code == 2
    assert str(part) in outcome.err
    assert "Traceback" not in outcome.err
    assert TextStore(store, {}).complete


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("objective.text.weight=-1",), "objective.text.weight"),
        (("objective.text.weight=nan",), "objective.text.weight"),
        (("objective.text.share=1.5",), "objective.text.share"),
        (("objective.text.tokens=0",), "objective.text.tokens"),
        (("objective.text.top_k=0",), "objective.text.top_k"),
        (("objective.text.instructions=-1",), "objective.text.instructions"),
        (("objective.text.weight=1", "objective.text.share=0"), "objective.text.share is 0"),
    ],
)
def test_what_is_no_setting_is_refused(project: Any, words: tuple[str, ...], said: str) -> None:
    outcome = project.fit(*words)
    assert outcome.code == 2
    assert said in outcome.err
    assert not (project.runs / "mine").exists()
