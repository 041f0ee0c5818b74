"""Every method by its one word of configuration, through the real command line."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from trialign.audit.files.items import read_items
from trialign.audit.files.record import read_about
from trialign.composition import config_root
from trialign.models import ModelConfig
from trialign.runs import RunFolder
from trialign.trajectories.records import Trajectory, read_part

from . import losses_by_hand as hand

pytestmark = pytest.mark.integration

METHODS = sorted(path.stem for path in (config_root() / "objective").glob("*.yaml"))
UNTRAINED = {"prompt_fair", "prompt_stripped"}
# Nothing is trained, and agents are written all the same: their adapters change nothing, and a gate stands before them.
GATED = {"strip", "steer"}
# Trained in two parts, with logs and losses of their own; see test_parts.py.
PARTED = {"two_adapters", "gate_adapter"}
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
        "options_only",
        *("trialign", "utilitarian", "egalitarian", "generalized_gini", "p_mean", "independent", "preference_only"),
        *("sft", "bct", "dpo", "dpo_likelihood", "group_dro_dpo", "gate", *UNTRAINED, *GATED, *PARTED),
    } == set(METHODS)


@pytest.mark.parametrize("method", [method for method in METHODS if method not in UNTRAINED | GATED | PARTED])
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


def rows_of(house: Any, split: str, group: str | None = None, run: Path | None = None) -> list[Trajectory]:
    """The stored observations of the members (or of one group), of all collections or of that of a run."""
    own = None if run is None else RunFolder(run).trajectories
    folders = [folder for folder in house.collections() if own in (None, folder.name)]
    parts = [part for folder in folders for part in sorted(folder.glob("*.parquet"))]
    rows = [row for part in parts for row in read_part(part) if row.split == split]
    return [row for row in rows if (row.group in MEMBERS if group is None else row.group == group)]


def observed(rows: list[Trajectory], kinds: tuple[str, ...], turns: int) -> tuple[tuple[Trajectory, ...], ...]:
    """Rows of one trajectory a group, of some kinds of question and so many turns."""
    seats = {(row.query_id, row.turn, row.group): row for row in rows if row.kind in kinds and row.turn < turns}
    places = sorted({(query_id, turn) for query_id, turn, _ in seats})
    return tuple(tuple(seats[(*place, group)] for group in MEMBERS) for place in places)


KINDS = {"preference_only": ("preference",), "gate": ("preference",), "bct": ("truth",)}
TURNS = {"independent": 1, "bct": 1}


@pytest.fixture(scope="module")
def yard(make_project: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A project in which every step trains on all questions, and whose agents are kept after each of two steps."""
    project = make_project(tmp_path_factory.mktemp("yard") / "project")
    number = {"id": "number", "split": "train", "kind": "truth", "answer_kind": "numeric", "gold": 12}
    project.write_rows([*project.rows, {**number, "question": "How much is 5 and 7?"}])
    project.set(trainer__steps=2, trainer__validate_every=0, trainer__agents_every=1, optimizer__warmup_steps=0)
    project.set(collect__max_new_tokens=3, trainer__gradient_clip=0.0)
    return project


@pytest.mark.parametrize("method", [method for method in METHODS if method not in UNTRAINED | GATED | PARTED])
def test_the_losses_of_the_first_two_steps_by_hand(yard: Any, tiny_config: ModelConfig, method: str) -> None:
    kinds = KINDS.get(method, ("truth", "preference"))
    questions = sum(row["split"] == "train" and row["kind"] in kinds for row in yard.rows)
    words = (f"name={method}", f"objective={method}", f"trainer.queries_per_step={questions}")
    assert yard.fit(*words).code == 0
    run = yard.runs / method
    with (run / "logs" / "metrics.csv").open(encoding="utf-8", newline="") as lines:
        losses = [float(row["train/loss"]) for row in csv.DictReader(lines) if row["train/loss"]]

    base = AutoModelForCausalLM.from_pretrained(tiny_config.path).eval()

    @cache
    def reference(group: str, prompt: tuple[int, ...], answer: tuple[int, ...]) -> float:
        return hand.log_probability(base, prompt, answer)

    agents = {
        group: PeftModel.from_pretrained(
            AutoModelForCausalLM.from_pretrained(tiny_config.path), str(run / "agents" / "step=000001" / group)
        ).eval()
        for group in MEMBERS
    }

    @cache
    def trained(group: str, prompt: tuple[int, ...], answer: tuple[int, ...]) -> float:
        return hand.log_probability(agents[group], prompt, answer)

    rows = observed(rows_of(yard, "train", run=run), kinds, TURNS.get(method, 2))
    assert len({observation[0].query_id for observation in rows}) == questions
    steps = [hand.Step(MEMBERS, rows, score) for score in (reference, trained)]
    if method == "sft":
        expected = [
            hand.likelihood_loss(step, lambda row: row.options[b] if (b := hand.best(row)) is not None else None)
            for step in steps
        ]
    elif method == "bct":
        own = hand.first_sample(rows_of(yard, "train", "control"))
        expected = [hand.likelihood_loss(step, lambda row: own[row.query_id].token_ids) for step in steps]
    elif method == "dpo_likelihood":
        expected = [fmean(hand.pair_losses(step, reference)) + hand.chosen_likelihood(step) for step in steps]
    elif method in ("dpo", "group_dro_dpo"):
        # Every group has as many pairs, and before the first step no margin: all weigh alike in both.
        expected = [fmean(hand.pair_losses(step, reference)) for step in steps]
    else:
        level = hand.utilities(steps[0])
        after = hand.averaged(level, level)  # the first step sees the base model itself
        trained_as = {"gate": "preference_only", "options_only": "trialign"}.get(method, method)
        expected = [hand.welfare_loss(trained_as, step, one) for step, one in zip(steps, (level, after), strict=True)]
    assert losses == pytest.approx(expected, rel=2e-4)
    assert abs(losses[0] - losses[1]) > 1e-3


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
