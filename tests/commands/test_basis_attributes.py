"""Runs whose z are made of attributes: trained, resumed, and asked at values that no group has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from trialign.attribute_agents import agent_of, maps_of
from trialign.checkpoints import AgentCheckpoint, coordinates_of, read_agents
from trialign.policy.maps import AttributeMaps

from .test_adapt import ATTRIBUTES, DRINK, MEAL
from .test_basis import MEMBERS, SLOW, STEPS, WORDS, weights_of
from .test_sharding import Trained, furthest

pytestmark = pytest.mark.integration

# 'wood' is stated, and no group lives there.
STATED: dict[str, Any] = {
    **ATTRIBUTES,
    "attributes": {
        "age": {"label": "age in years", "between": [18, 90]},
        "land": {"label": "land", "values": {"ice": None, "wood": None, "sand": None}},
    },
    "control": {"label": "No profile"},
}


@pytest.fixture(scope="module")
def trained(make_project: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    project = make_project(tmp_path_factory.mktemp("attributes") / "project")
    (project.folder / "groups" / "regions.yaml").write_text(yaml.safe_dump(STATED, sort_keys=False), encoding="utf-8")
    project.set(trainer={"steps": STEPS, "queries_per_step": 4})
    return Trained(project, (*WORDS, "policy.basis.z=attributes"))


def of_run(folder: Path) -> tuple[AgentCheckpoint, AttributeMaps]:
    checkpoint = read_agents(folder / "agents" / f"step={STEPS:06d}")
    maps = maps_of(checkpoint)
    assert maps is not None
    return checkpoint, maps


def test_what_is_learned_is_a_map_of_each_attribute(trained: Trained) -> None:
    checkpoint, maps = of_run(trained.folder("one"))
    assert [one.name for one in maps.attributes] == ["age", "land"]
    assert maps.weights.shape == (3, 8)
    assert (maps.weights.abs().max(dim=1).values > 0.01).all()
    assert f"{maps.attributes[0].mean:.2f}" == "31.67"  # of 20, 45 and 30
    for name in MEMBERS:
        stated = STATED["members"][name]["attributes"]
        z = maps.z({"age": float(stated["age"]), "land": stated["land"]})
        torch.testing.assert_close(coordinates_of(checkpoint, name), z, atol=1e-6, rtol=1e-5)
    # z of 45 and of 30 on sand, and so of what lies between them, are a line.
    south, island = (coordinates_of(checkpoint, name) for name in ("south", "island"))
    between = maps.z({"age": 37.5, "land": "sand"})
    torch.testing.assert_close(between, (south + island) / 2, atol=1e-6, rtol=1e-5)


@SLOW
def test_shared_weights_train_the_same_maps(trained: Trained) -> None:
    trained.folder("one")
    assert furthest(weights_of(trained, "one"), weights_of_run(trained, "zero3")) < 1e-5
    (_, one), (_, other) = (of_run(trained.folder(name)) for name in ("one", "zero3"))
    assert one.attributes == other.attributes
    torch.testing.assert_close(one.weights, other.weights, atol=1e-5, rtol=0)


def weights_of_run(trained: Trained, name: str) -> dict[str, torch.Tensor]:
    trained.folder(name)
    return weights_of(trained, name)


def test_a_run_goes_on_with_its_maps(trained: Trained) -> None:
    moved = trained.half_way("one")
    state = torch.load(moved / "checkpoints" / "last.ckpt")["state_dict"]
    assert state["policy.coordinates.own"].shape == (3, 8)
    assert not any("features" in key for key in state)
    done = trained.fit(moved.name, "--resume")
    assert done.returncode == 0, done.stderr
    assert furthest(weights_of(trained, "one"), weights_of(trained, moved.name)) < 1e-12
    assert of_run(moved)[1].weights.equal(of_run(trained.folder("one"))[1].weights)


def adapt(trained: Trained, name: str, land: str, age: float, data: Path | None = None) -> Any:
    file = trained.project.folder / f"{name}.yaml"
    new = {"west": {"label": "West", "attributes": {"age": age, "land": land}}}
    file.write_text(yaml.safe_dump({"members": new}), encoding="utf-8")
    words = ["adapt", "--run", trained.folder("one"), "--groups", file, "--name", name]
    return trained.project.call(*words, *(["--data", data] if data else []))


def z_of(trained: Trained, name: str) -> torch.Tensor:
    agents = Path(trained.project.runs) / name / "agents" / f"step={STEPS:06d}"
    return load_file(agents / "west" / "coordinates.safetensors")["z"]


@pytest.mark.parametrize(("age", "outside"), [(37.5, False), (80.0, True)])
def test_a_new_group_without_answers_has_the_z_of_its_attributes(
    trained: Trained, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, age: float, outside: bool
) -> None:
    name = f"unknown-{age:g}".replace(".", "p")
    assert adapt(trained, name, "ice", age).code == 0
    said = capsys.readouterr()
    assert "z = what the run learned of their attributes" in " ".join(said.out.split())
    assert ("outside the groups that were trained, 20 to 45" in said.err + caplog.text) == outside
    _, maps = of_run(trained.folder("one"))
    torch.testing.assert_close(z_of(trained, name), maps.z({"age": age, "land": "ice"}), atol=1e-6, rtol=1e-6)
    # The new run keeps the maps as they were learned, whoever was added.
    assert of_run(Path(trained.project.runs) / name)[1].attributes == maps.attributes
    assert trained.project.call("test", "--run", Path(trained.project.runs) / name).code == 0


def test_a_new_groups_prior_lies_around_what_its_attributes_say(trained: Trained) -> None:
    data = trained.project.write_rows([DRINK, MEAL], "few.jsonl")
    assert adapt(trained, "known", "ice", 37.5, data).code == 0
    _, maps = of_run(trained.folder("one"))
    z, begun = z_of(trained, "known"), maps.z({"age": 37.5, "land": "ice"})
    assert 0.001 < (z - begun).norm() < begun.norm()


def test_a_category_that_no_group_had_is_refused(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    assert adapt(trained, "wooden", "wood", 30.0).code == 2
    said = capsys.readouterr().err
    assert re.search(r"'land' is 'wood', a category that no group was told of", said)
    assert "Traceback" not in said
    assert not (Path(trained.project.runs) / "wooden").exists()


def test_a_live_question_at_another_number_is_answered_with_its_own_z(trained: Trained) -> None:
    from trialign.dashboard.live.asking import typed_query
    from trialign.dashboard.live.engine import Engine, read_setting
    from trialign.dashboard.live.replies import Question, Source

    run = trained.folder("one")
    checkpoint, maps = of_run(run)
    source = Source("one", run / "config.yaml", STEPS, checkpoint.folder)
    names = ("south", "south@age=45", "south@age=60", "island", "control")
    query = typed_query("Which metal is liquid?", ["Iron", "Mercury"])
    engine = Engine()
    replies = engine.answer(source, Question(query, "explicit", names), lambda _: False).replies
    assert [reply.group for reply in replies] == list(names)
    own = [agent_of(checkpoint, maps, {"age": age, "land": "sand"}).sha256 for age in (45.0, 60.0)]
    hashes = [checkpoint.adapter_sha256("south"), *own, checkpoint.adapter_sha256("island"), None]
    assert [reply.adapter_sha256 for reply in replies] == hashes
    shares = {reply.group: reply.probabilities or () for reply in replies}
    # The same number is the same agent, told the same; another one answers otherwise.
    assert shares["south@age=45"] == pytest.approx(shares["south"], abs=1e-6)
    assert shares["south@age=60"] != pytest.approx(shares["south"], abs=1e-6)
    # By hand: a group of 60 with the z of the maps.
    assert adapt(trained, "sixty", "sand", 60.0).code == 0
    other = Path(trained.project.runs) / "sixty"
    asked = Source("sixty", other / "config.yaml", STEPS, of_run(other)[0].folder)
    (reply,) = engine.answer(asked, Question(query, "explicit", ("west",)), lambda _: False).replies
    assert shares["south@age=60"] == pytest.approx(reply.probabilities, abs=1e-6)
    # Before training all are the base model, which is told the number.
    base = Source("one", run / "config.yaml", 0, None)
    for reply in engine.answer(base, Question(query, "explicit", names), lambda _: False).replies:
        assert reply.adapter_sha256 is None
    assert read_setting(run / "config.yaml").policy.basis.z == "attributes"


def test_a_run_whose_groups_state_nothing_is_refused_at_the_door(
    make_project: Callable[[Path], Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project(tmp_path / "project")
    assert project.fit("policy=basis", "policy.basis.z=attributes").code == 2
    assert "policy.basis.z is attributes, and the set 'regions' states none of its groups" in capsys.readouterr().err
    assert not project.runs.exists()


def test_the_plan_counts_the_maps(trained: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS, "policy.basis.z=attributes"]
    assert trained.project.call("plan", "--config", trained.project.folder / "mine.yaml", *words).code == 0
    assert "adapters: 1 of 0.0 million, and maps of 3 numbers and categories to 8 numbers" in capsys.readouterr().out


def ask(trained: Trained, *words: str) -> Any:
    question = ("Which metal is liquid?", "--option", "Iron", "--option", "Mercury")
    return trained.project.call("ask", *question, "--run", trained.folder("one"), *words)


def test_somebody_of_other_values_is_asked_beside_the_groups(
    trained: Trained, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint, maps = of_run(trained.folder("one"))
    words = ["--json", "--as", "age=45,land=sand", "--as", "land=ice,age=60"]
    assert ask(trained, *words).code == 0
    found = {one["group"]: one for one in json.loads(capsys.readouterr().out)}
    assert list(found)[-2:] == ["age=45,land=sand", "land=ice,age=60"]
    same, other = found["age=45,land=sand"], found["land=ice,age=60"]
    # The same values are the same agent as south's, told the same.
    assert same["option_probabilities"] == pytest.approx(found["south"]["option_probabilities"], abs=1e-6)
    assert same["adapter_sha256"] == agent_of(checkpoint, maps, {"age": 45.0, "land": "sand"}).sha256
    assert other["adapter_sha256"] == agent_of(checkpoint, maps, {"age": 60.0, "land": "ice"}).sha256
    for group in MEMBERS:
        difference = abs(other["option_probabilities"][0] - found[group]["option_probabilities"][0])
        assert difference > 1e-5, group
    assert "The age in years 60 is outside the groups that were trained, 20 to 45" in caplog.text
    assert caplog.text.count("outside the groups") == 1


def test_who_was_added_widens_no_range_that_was_trained(trained: Trained, caplog: pytest.LogCaptureFixture) -> None:
    assert adapt(trained, "eighty", "ice", 80.0).code == 0
    caplog.clear()
    question = ("Which metal is liquid?", "--option", "Iron", "--option", "Mercury")
    run = Path(trained.project.runs) / "eighty"
    assert trained.project.call("ask", *question, "--run", run, "--as", "age=60,land=ice").code == 0
    assert "The age in years 60 is outside the groups that were trained, 20 to 45" in caplog.text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("age=45", "'age=45' states no 'land'. Add ,land=VALUE"),
        ("age=old,land=ice", "'age' is 'old', not a number. Write age=30"),
        ("age=45,land=wood", "'land' is 'wood', a category that no group was told of"),
        ("age=91,land=ice", "'age' is 91, and 'age' is between 18 and 90"),
        ("age=nan,land=ice", "'age' is nan, and 'age' is between 18 and 90"),
        ("size=3", "'size=3' states no value of age, land. Write age=VALUE"),
    ],
)
def test_values_that_there_are_not_are_refused(
    trained: Trained, capsys: pytest.CaptureFixture[str], values: str, said: str
) -> None:
    assert ask(trained, "--as", values).code == 2
    assert said in capsys.readouterr().err
