"""Every method by its one word of configuration, through the real command line."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from trialign.audit.items import read_items
from trialign.audit.record import read_about
from trialign.composition import config_root
from trialign.trajectories.records import read_part

pytestmark = pytest.mark.integration

METHODS = sorted(path.stem for path in (config_root() / "objective").glob("*.yaml"))
UNTRAINED = {"prompt_fair", "prompt_stripped"}
MEMBERS = ("north", "south", "island")


def probabilities(items: Any) -> list[list[float]]:
    """S_g of every row; all test questions are choices."""
    return [list(values) for values in items["option_probabilities"]]


@pytest.fixture(scope="module")
def house(make_project: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One project for all methods, which share its collection, with a number question beside the choices."""
    project = make_project(tmp_path_factory.mktemp("methods") / "project")
    number = {"id": "number", "split": "train", "kind": "truth", "answer_kind": "numeric", "gold": 12}
    project.write_rows([*project.rows, {**number, "question": "How much is 5 and 7?"}])
    project.set(trainer__steps=3, trainer__validate_every=0, collect__max_new_tokens=3)
    return project


def test_the_methods_of_the_design_are_there() -> None:
    assert {
        *("trialign", "utilitarian", "egalitarian", "generalized_gini", "p_mean", "independent", "preference_only"),
        *("sft", "bct", "dpo", "group_dro_dpo", *UNTRAINED),
    } == set(METHODS)


@pytest.mark.parametrize("method", [method for method in METHODS if method not in UNTRAINED])
def test_a_method_trains_every_group(house: Any, method: str) -> None:
    assert house.fit(f"name={method}", f"objective={method}").code == 0
    run = house.runs / method
    with (run / "logs" / "metrics.csv").open(encoding="utf-8", newline="") as lines:
        losses = [float(row["train/loss"]) for row in csv.DictReader(lines) if row["train/loss"]]
    assert len(losses) == 3
    assert all(math.isfinite(loss) for loss in losses)
    for group in MEMBERS:
        weights = load_file(run / "agents" / "step=000003" / group / "adapter_model.safetensors")
        moved = torch.cat([tensor.flatten() for name, tensor in weights.items() if "lora_B" in name])
        assert moved.abs().max() > 0, group
    about = read_about(run / "audits" / "step=000003.house.test")
    assert about is not None
    assert about.objective == method


@pytest.mark.parametrize("method", sorted(UNTRAINED))
def test_a_method_without_training_is_an_audit_of_the_base_model(house: Any, method: str) -> None:
    assert house.fit(f"name={method}", f"objective={method}").code == 0
    run = house.runs / method
    assert not (run / "agents").exists()
    assert json.loads((run / "finished.json").read_text(encoding="utf-8"))["steps"] == 3
    before, after = (read_items(run / "audits" / f"step=00000{step}.house.test" / "items.parquet") for step in (0, 3))
    assert after["adapter_sha256"].isna().all()
    assert before["query_id"].tolist() == after["query_id"].tolist()
    assert probabilities(before) != probabilities(after)
    about = read_about(run / "audits" / "step=000003.house.test")
    assert about is not None
    assert about.objective == method
    # A finished run prints its table again, and its audit can be made again.
    assert house.fit(f"name={method}", f"objective={method}").code == 0
    assert house.call("test", "--run", run).code == 0
    again = read_items(run / "audits" / "step=000003.house.test" / "items.parquet")
    assert probabilities(again) == probabilities(after)


def test_without_the_profile_all_groups_answer_facts_alike_and_tastes_as_before(house: Any) -> None:
    assert house.fit("name=stripped", "objective=prompt_stripped").code == 0
    audits = house.runs / "stripped" / "audits"
    before, after = (read_items(audits / f"step=00000{step}.house.test" / "items.parquet") for step in (0, 3))
    facts = after[(after["kind"] == "truth") & (after["exposure"] == "explicit")]
    for _, rows in facts.groupby("query_id"):
        first, *others = probabilities(rows)
        assert all(other == pytest.approx(first, abs=1e-5) for other in others)
    tastes = [frame.loc[frame["kind"] == "preference", "reward_preference"].tolist() for frame in (before, after)]
    assert tastes[0] == pytest.approx(tastes[1], abs=1e-6, nan_ok=True)  # the control has no target


def test_consistency_training_learns_what_the_base_model_says_without_profile(house: Any) -> None:
    known = {path.name for path in house.collections()}
    assert house.fit("name=consistent", "objective=bct", "collect.seed=5").code == 0
    parts = [part for folder in house.collections() if folder.name not in known for part in folder.glob("*.parquet")]
    rows = [row for part in parts for row in read_part(part) if row.group == "control"]
    # Its own collection: each fact of the training split once, without a profile.
    assert sorted(row.query_id for row in rows) == ["metal-0", "metal-1", "number", "planet-0", "planet-1"]
    for row in rows:
        assert len(row.samples) == 1
        if row.options:
            likeliest = max(range(len(row.options)), key=row.option_log_probabilities.__getitem__)
            assert row.samples[0].token_ids == row.options[likeliest]


def test_consistency_training_refuses_tastes(project: Any) -> None:
    outcome = project.fit("objective=bct", "objective.kinds=[truth,preference]")
    assert outcome.code == 2
    assert "Leave preference out of objective.kinds" in outcome.err
