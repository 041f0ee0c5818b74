"""Whatever is wrong: exit code 2, one clear sentence with the remedy, and nothing on disk harmed."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

pytestmark = pytest.mark.integration

Change = Callable[[list[dict[str, Any]]], Any]


def refused(project: Any, *argv: str, names: tuple[str, ...] = (), changes_nothing: bool = True) -> str:
    """Runs a command that must be refused, and returns its one sentence."""
    before = project.files()
    outcome = project.call(*argv)
    assert outcome.code == 2, outcome.err
    assert outcome.err.count("\n") == 1, outcome.err
    assert outcome.err.startswith(f"trialign {argv[0]}: ")
    assert "Traceback" not in outcome.err
    for name in names:
        assert name in outcome.err
    if changes_nothing:
        assert project.files() == before
    return str(outcome.err)


def refused_fit(project: Any, *words: str, names: tuple[str, ...]) -> str:
    return refused(project, "fit", "--config", "mine.yaml", *words, names=names)


# Configuration


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["trainer.stpes=4"], ("Unknown config key trainer.stpes", "Did you mean trainer.steps?")),
        (["objective=nonsense"], ("objective/nonsense", "there are", "trialign")),
        (["trainer.steps=many"], ("trainer.steps", "'many'")),
        (["trainer.steps=0"], ("trainer.steps is 0", "Set it between 1 and")),
        (["name=a/b"], ("'a/b'", "Set name=... to a plain word")),
        (["scoring.kind=letter"], ("prompt.options", "Set prompt.options=lettered")),
        (["trainer.queries_per_step=3", "trainer.micro_batches=2"], ("Set it to a multiple of 2",)),
        (["collect.exposures=[implicit]"], ("group 'north' has no implicit profile", "groups.members.north.implicit")),
    ],
)
def test_a_wrong_override(project: Any, words: list[str], names: tuple[str, ...]) -> None:
    refused_fit(project, *words, names=names)


def test_an_unknown_key_in_the_file(project: Any) -> None:
    project.set(collect__smaples=3)
    refused_fit(project, names=("Unknown config key collect.smaples", "Did you mean collect.samples?"))


def test_a_fault_in_the_groups(project: Any) -> None:
    file = project.folder / "groups" / "regions.yaml"
    stated = yaml.safe_load(file.read_text(encoding="utf-8"))
    stated["members"]["north"]["expl"] = stated["members"]["north"].pop("explicit")
    file.write_text(yaml.safe_dump(stated), encoding="utf-8")
    refused_fit(project, names=("groups.members.north", "'expl'", "explicit"))


def test_a_missing_config_file(project: Any) -> None:
    refused(project, "fit", "--config", "yours.yaml", names=("no config file yours.yaml", "Name one of your own"))


def test_a_group_override_on_a_resolved_config(trained: Any) -> None:
    config = "runs/mine/config.yaml"
    refused(
        trained, "fit", "--config", config, "objective=utilitarian", names=(config, "'objective'", "objective.<key>")
    )
    assert trained.call("fit", "--config", config).code == 0


# Questions


def gold_gone(rows: list[dict[str, Any]]) -> None:
    del rows[1]["gold"]


def one_option(rows: list[dict[str, Any]]) -> None:
    rows[1].update(options=["Mercury"])


def twice(rows: list[dict[str, Any]]) -> None:
    rows[1]["id"] = rows[0]["id"]


def in_two_splits(rows: list[dict[str, Any]]) -> None:
    rows[1]["split"] = "test"


def same_question_in_two_splits(rows: list[dict[str, Any]]) -> None:
    rows[10].update(question=rows[0]["question"], options=rows[0]["options"], gold=rows[0]["gold"])


def unknown_group(rows: list[dict[str, Any]]) -> None:
    rows[12]["targets"]["west"] = rows[12]["targets"].pop("north")


def unknown_set(rows: list[dict[str, Any]]) -> None:
    rows[12]["targets"] = {f"region:{group}": target for group, target in rows[12]["targets"].items()}


def too_much(rows: list[dict[str, Any]]) -> None:
    rows[12]["targets"]["north"] = [0.7, 0.2, 0.2]


def gold_elsewhere(rows: list[dict[str, Any]]) -> None:
    rows[1]["gold"] = "Helium"


@pytest.mark.parametrize(
    ("change", "row", "names"),
    [
        (gold_gone, 2, ("'metal-1'", "'gold' is missing", "Add a text under 'gold'")),
        (gold_elsewhere, 2, ("'Helium' is not among the options", "Iron, Mercury")),
        (one_option, 2, ("'metal-1'", "has 1 option(s)", "at least two")),
        (twice, 2, ("'metal-0' is taken already", "row 1", "its own id")),
        (in_two_splits, 2, ("cluster 'metal' is in split 'test'", "'train'", "into one split")),
        (same_question_in_two_splits, 11, ("the same question is in split", "row 1", "one split only")),
        (unknown_group, 13, ("the group 'west'", "north, south, island")),
        (unknown_set, 13, ("set of groups 'region'", "Did you mean 'regions'?")),
        (too_much, 13, ("target of 'north' sums to 1.1", "sum to 1")),
    ],
)
def test_a_wrong_question(project: Any, change: Change, row: int, names: tuple[str, ...]) -> None:
    rows = project.rows
    change(rows)
    project.write_rows(rows)
    refused_fit(project, names=(f"questions.jsonl, row {row}", *names))


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_an_empty_file(project: Any, suffix: str) -> None:
    file = project.folder / f"mine.{suffix}"
    file.touch()
    refused_fit(project, f"data.files=[{file}]", names=(str(file), "is empty", "Write at least one row"))


def test_a_torn_jsonl_file(project: Any) -> None:
    file = project.folder / "questions.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    refused_fit(project, names=(f"{file}, row 15", "no valid JSON", "one complete JSON object a line"))


def test_a_torn_parquet_file(project: Any) -> None:
    file = project.folder / "mine.parquet"
    pq.write_table(
        pa.Table.from_pylist([{**row, "targets": json.dumps(row.get("targets"))} for row in project.rows]), file
    )
    file.write_bytes(file.read_bytes()[:-40])
    refused_fit(project, f"data.files=[{file}]", names=(str(file), "no complete Parquet file", "again"))


def test_a_file_that_is_not_there(project: Any) -> None:
    refused_fit(project, "data.files=[yours.jsonl]", names=("yours.jsonl does not exist", "Check the path"))


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_fit_without_questions_of_a_split(project: Any, split: str) -> None:
    project.write_rows([row for row in project.rows if row["split"] != split])
    refused_fit(project, names=(f"'house' has no {split} questions", "Give some rows that split"))


def test_an_audit_without_questions_of_its_split(project: Any) -> None:
    project.write_rows([row for row in project.rows if row["split"] != "validation"])
    refused(project, "validate", "--config", "mine.yaml", names=("has no validation questions",))


def test_nothing_of_the_kinds_that_are_trained_on(project: Any) -> None:
    refused_fit(project, "objective.kinds=[mixed]", names=("no train questions of the kinds mixed", "objective.kinds"))


@pytest.mark.parametrize("words", [(), ("--overwrite",)])
def test_a_profile_longer_than_the_context(trained_copy: Any, words: tuple[str, ...]) -> None:
    """Found while the data is collected: also with --overwrite, the older run is still whole then."""
    file = trained_copy.folder / "groups" / "regions.yaml"
    stated = yaml.safe_load(file.read_text(encoding="utf-8"))
    stated["members"]["south"]["explicit"] = ["The user walks. " * 400]
    file.write_text(yaml.safe_dump(stated), encoding="utf-8")
    run = () if words else ("name=other",)
    refused_fit(
        trained_copy,
        *run,
        *words,
        names=("explicit profile of group 'south'", "context has 1024", "Shorten the profile"),
    )


# Models


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["model.path=/no/such/folder"], ("/no/such/folder", "no config.json", "model.path")),
        (["model=smollm2", "model.package=no_such_package"], ("no_such_package", "'make setup'", "model=hub")),
        (["model=gguf", "model.path=/no/such.gguf", "model.name=x/y"], ("/no/such.gguf", "model.path")),
        (["model=hub", "model.name=house/absent"], ("house/absent",)),
    ],
)
def test_a_model_that_cannot_be_found(project: Any, words: list[str], names: tuple[str, ...]) -> None:
    project.set(model={})
    given = [*words] if any(word.startswith("model=") for word in words) else ["model.name=house/tiny", *words]
    refused_fit(project, *given, names=names)


def test_a_model_without_weights(project: Any, tmp_path: Path) -> None:
    folder = tmp_path / "hollow"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    refused_fit(project, f"model.path={folder}", names=(str(folder), "no safetensors weights", "save_pretrained"))


@pytest.fixture
def other_base(trained_copy: Any, tiny_config: Any, tmp_path: Path) -> Any:
    """The trained project on another base model of the same shape."""
    from transformers import AutoModelForCausalLM

    folder = tmp_path / "other-base"
    shutil.copytree(tiny_config.path, folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.get_input_embeddings().weight.add_(0.01)
    model.save_pretrained(folder)
    file = trained_copy.runs / "mine" / "config.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace(tiny_config.path, str(folder)), encoding="utf-8")
    return trained_copy


@pytest.mark.parametrize(
    "argv",
    [
        ("ask", "Why?", "--run", "runs/mine"),
        ("test", "--run", "runs/mine"),
        ("predict", "questions.jsonl", "--run", "runs/mine", "--output", "answers.jsonl"),
        ("export", "--run", "runs/mine", "--output", "out", "--merged"),
    ],
)
def test_agents_that_do_not_fit_the_base_model(other_base: Any, argv: tuple[str, ...]) -> None:
    refused(other_base, *argv, names=("do not fit the base model house/tiny-llama", "that the manifest names"))


# Runs


def test_a_run_that_exists_with_another_configuration(trained: Any) -> None:
    words = ("trainer.steps=5", "objective.inconsistency.weight=0")
    said = refused_fit(trained, *words, names=(str(trained.runs / "mine"), "another configuration", "--overwrite"))
    assert "(it differs in objective.inconsistency.weight, trainer.steps)" in said
    refused_fit(trained, *words, "--resume", names=("another configuration",))


@pytest.mark.parametrize("words", [(), ("--resume",)])
def test_a_run_whose_questions_changed_since(trained_copy: Any, words: tuple[str, ...]) -> None:
    rows = trained_copy.rows
    rows[0]["question"] = "Which metal flows?"
    trained_copy.write_rows(rows)
    refused_fit(trained_copy, *words, names=("runs/mine", "other data", "Put them back", "--overwrite"))


def test_an_unfinished_run(project: Any, stop_at: Callable[..., AbstractContextManager[None]]) -> None:
    with stop_at(3, signal.SIGINT):
        assert project.fit().code == 1
    refused_fit(project, names=("was begun and not finished", "--resume", "--overwrite"))
    assert project.fit("--resume").code == 0


@pytest.mark.parametrize(
    "argv",
    [
        ("ask", "Why?", "--run", "runs/none"),
        ("test", "--run", "runs/none"),
        ("validate", "--run", "runs/none"),
        ("predict", "questions.jsonl", "--run", "runs/none", "--output", "answers.jsonl"),
        ("export", "--run", "runs/none", "--output", "out"),
    ],
)
def test_a_run_that_is_not_there(trained: Any, argv: tuple[str, ...]) -> None:
    refused(trained, *argv, names=("There is no run in runs/none", "trialign fit"))


@pytest.mark.parametrize(
    "argv",
    [
        ("ask", "Why?", "--run", "runs/mine"),
        ("test", "--run", "runs/mine"),
        ("predict", "questions.jsonl", "--run", "runs/mine", "--output", "answers.jsonl"),
        ("export", "--run", "runs/mine", "--output", "out"),
    ],
)
def test_a_run_without_agents(trained_copy: Any, argv: tuple[str, ...]) -> None:
    shutil.rmtree(trained_copy.runs / "mine" / "agents")
    refused(trained_copy, *argv, names=("runs/mine has no agents yet", "Train them with 'trialign fit'"))


def test_a_step_that_was_not_kept(trained: Any) -> None:
    argv = ("ask", "Why?", "--run", "runs/mine", "--step", "3")
    refused(trained, *argv, names=("no agent checkpoint in", "step=000003", "another step"))


def test_damaged_agents(trained_copy: Any) -> None:
    file = trained_copy.runs / "mine" / "agents" / "step=000004" / "south" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    argv = ("export", "--run", "runs/mine", "--output", "out")
    refused(trained_copy, *argv, names=("south/adapter_model.safetensors", "not the one that was written"))


def test_damaged_trajectories(trained_copy: Any) -> None:
    """Even with --overwrite the older run is kept until all that the new one needs is there."""
    part = trained_copy.collections()[0] / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-8])
    refused_fit(trained_copy, "--overwrite", names=(str(part), "collect again"))


def test_overrides_and_steps_where_they_mean_nothing(trained: Any) -> None:
    refused(trained, "test", "--run", "runs/mine", "scoring.kind=mean", names=("was given with --run",))
    refused(trained, "test", "--config", "mine.yaml", "--step", "4", names=("--step was given with --config",))


# A loss that is no number


def test_a_loss_that_is_not_a_number(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from trialign.policy import GroupPolicy

    words = ("trainer.agents_every=2", "trainer.validate_every=0")
    original, trained = GroupPolicy.score, []

    def score(self: Any, batch: Any, **options: Any) -> Any:
        values = original(self, batch, **options)
        trained.append(self.training)
        # Training begins with its fourth step to give what is no number.
        return values * float("nan") if sum(trained) >= 4 else values

    with monkeypatch.context() as patch:
        patch.setattr(GroupPolicy, "score", score)
        outcome = project.fit(*words)
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "trialign fit: The model's scores are not numbers at step 3" in outcome.err
    ids = outcome.err.split("in the questions ")[1].split(". ")[0].split(", ")
    assert len(ids) == 2
    assert set(ids) <= {row["id"] for row in project.rows if row["split"] == "train"}
    assert f"The last good checkpoint: {project.runs / 'mine' / 'checkpoints' / 'last.ckpt'}" in outcome.err
    assert "smaller optimizer.learning_rate" in outcome.err

    from trialign.checkpoints import read_agents

    assert [path.name for path in (project.runs / "mine" / "agents").iterdir()] == ["step=000002"]
    assert read_agents(project.runs / "mine" / "agents" / "step=000002").step == 2
    state = torch.load(project.runs / "mine" / "checkpoints" / "last.ckpt", weights_only=False)
    assert state["global_step"] == 2
    assert all(torch.isfinite(value).all() for value in state["state_dict"].values())
    assert project.fit(*words, "--resume").code == 0
