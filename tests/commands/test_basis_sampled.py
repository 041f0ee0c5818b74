"""Runs whose steps ask some of the groups: every strategy trains the same agents, and a stopped run goes on."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from .test_basis import MEMBERS, SLOW, STEPS, WORDS, weights_of
from .test_sharding import Trained, furthest

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def trained(make_project: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    project = make_project(tmp_path_factory.mktemp("sampled") / "project")
    project.set(trainer={"steps": STEPS, "queries_per_step": 4, "groups_per_step": 2})
    return Trained(project, WORDS)


def test_a_step_asks_so_many_groups_and_all_of_them_come_to_learn(trained: Trained) -> None:
    run = trained.folder("one")
    learned = weights_of(trained, "one")
    z = {group: learned[f"{group}.coordinates.z"] for group in MEMBERS}
    assert all(value.abs().max() > 0.01 for value in z.values())
    assert len({tuple(value.tolist()) for value in z.values()}) == 3
    with (run / "logs" / "metrics.csv").open(encoding="utf-8") as file:
        columns = csv.DictReader(file).fieldnames or ()
    assert "utility/truth/lowest of all" in columns
    # Validation is of the two groups of the first step.
    assert sum(column.startswith("validation/truth/accuracy/") for column in columns) == 2


@pytest.mark.parametrize("name", [pytest.param("ddp", marks=SLOW), pytest.param("zero2", marks=SLOW), "zero3"])
def test_every_strategy_asks_the_same_groups(trained: Trained, name: str) -> None:
    trained.folder("one")
    trained.folder(name)
    assert furthest(weights_of(trained, "one"), weights_of(trained, name)) < 1e-5


def test_a_run_goes_on_with_the_groups_that_come_next(trained: Trained) -> None:
    moved = trained.half_way("one")
    assert torch.load(moved / "checkpoints" / "last.ckpt")["global_step"] == STEPS // 2
    done = trained.fit(moved.name, "--resume")
    assert done.returncode == 0, done.stderr
    assert furthest(weights_of(trained, "one"), weights_of(trained, moved.name)) < 1e-12
