"""``trialign adapt``: a new group in a run of one basis, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from trialign.checkpoints import read_agents
from trialign.errors import UserError

pytestmark = pytest.mark.integration

STEPS = 4
AGENTS = f"agents/step={STEPS:06d}"
WEST = {"west": {"label": "Westerners", "explicit": ["The user fells trees in a forest."]}}
DRINK = {
    "id": "cup",
    "split": "train",
    "kind": "preference",
    "question": "Which cup is best?",
    "options": ["Tea", "Coffee", "Milk"],
    "targets": {"west": [0.0, 0.0, 1.0]},
}
MEAL = {
    **DRINK,
    "id": "plate",
    "question": "Which plate is best?",
    "options": ["Soup", "Fish"],
    "targets": {"west": [0, 1]},
}


@pytest.fixture(scope="module")
def whole(make_project: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = make_project(tmp_path_factory.mktemp("adapt") / "project")
    assert made.fit("policy=basis", "policy.rank=2", "policy.alpha=8").code == 0
    assert made.fit("policy=per_group", "policy.rank=2", "policy.alpha=8", "name=apart").code == 0
    return made


@pytest.fixture
def project(whole: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A copy that the test may change; the working folder is its folder."""
    shutil.copytree(whole.folder, tmp_path / "project")
    made = replace(whole, folder=tmp_path / "project", capture=capsys)
    for config in made.runs.glob("*/config.yaml"):
        config.write_text(config.read_text(encoding="utf-8").replace(str(whole.folder), str(made.folder)))
    monkeypatch.chdir(made.folder)
    return made


def write(project: Any, groups: Any = None, rows: Any = (DRINK, MEAL)) -> tuple[Path, Path]:
    file = project.folder / "new.yaml"
    stated = groups if isinstance(groups, str) else yaml.safe_dump({"members": WEST if groups is None else groups})
    file.write_text(stated, encoding="utf-8")
    return file, project.write_rows(list(rows), "few.jsonl")


def adapt(project: Any, *words: Any, run: str = "mine", **files: Any) -> Any:
    groups, data = write(project, **files)
    return project.call("adapt", "--run", project.runs / run, "--groups", groups, "--data", data, *words)


def test_a_new_group_stands_beside_the_others_which_stay_to_the_byte(project: Any) -> None:
    before = {name: digest for name, digest in project.files().items() if name.startswith("runs/mine/")}
    done = adapt(project)
    assert done.code == 0, done.err
    assert {name: project.files()[name] for name in before} == before
    old, new = (read_agents(project.runs / name / AGENTS) for name in ("mine", "mine-west"))
    added = set(new.manifest["files"]) - set(old.manifest["files"])
    assert added == {"west/coordinates.safetensors"}
    assert {name: new.manifest["files"][name] for name in old.manifest["files"]} == old.manifest["files"]
    assert [group["name"] for group in new.manifest["groups"]] == ["north", "south", "island", "west", "control"]
    assert new.manifest["adapted"]["questions"] == 2
    assert new.adapter_sha256("west") not in {None, *(new.adapter_sha256(g) for g in ("north", "south", "island"))}
    assert (new.folder / "west" / "coordinates.safetensors").stat().st_size < 256
    z = load_file(new.folder / "west" / "coordinates.safetensors")["z"]
    assert z.shape == (8,)
    assert z.abs().max() > 0.01
    # The audit of all groups, on facts alone, and a table of it.
    summary = json.loads(
        (project.runs / "mine-west" / "audits" / f"step={STEPS:06d}.house-facts.test" / "summary.json").read_text()
    )
    assert set(summary["groups"]) == {"north", "south", "island", "west"}
    assert "Learned from 2 answered questions" in done.out
    assert "west" in done.out


def test_the_answers_are_less_surprising_and_the_new_run_answers_and_is_audited_again(project: Any) -> None:
    from trialign.api import open_run
    from trialign.api.adapting import adapt as adapting

    groups, data = write(project)
    made = adapting(open_run(project.runs / "mine"), groups, data, name="other")
    assert made.before is not None
    assert made.after is not None
    assert made.after < made.before - 0.01
    asked = project.call("ask", "Which cup is best?", "--run", made.folder, "--option", "Tea", "--option", "Milk")
    assert asked.code == 0
    assert "Westerners" in asked.out
    assert project.call("test", "--run", made.folder).code == 0
    assert project.call("export", "--run", made.folder, "--output", project.folder / "out").code == 0
    assert (project.folder / "out" / "west" / "adapter_model.safetensors").is_file()
    # Once more, beside the first.
    again = adapt(project, run="other", groups={"east": WEST["west"]}, rows=[{**DRINK, "targets": {"east": [1, 0, 0]}}])
    assert again.code == 0, again.err
    assert set(read_agents(project.runs / "other-east" / AGENTS).manifest["files"]) > {
        "west/coordinates.safetensors",
        "east/coordinates.safetensors",
    }


def test_where_some_groups_are_audited_the_new_one_is_asked_beside_them(project: Any) -> None:
    basis = (f"runs={project.runs}", "policy=basis", "policy.rank=2", "policy.alpha=8")
    assert project.fit("name=some", *basis, "audit.groups=2").code == 0
    done = adapt(project, run="some")
    assert done.code == 0, done.err
    folder = project.runs / "some-west"
    old, new = (read_agents(one / AGENTS).manifest["files"] for one in (project.runs / "some", folder))
    assert {name: new[name] for name in old} == old
    summary = json.loads((folder / "audits" / f"step={STEPS:06d}.house-facts.test" / "summary.json").read_text())
    assert set(summary["groups"]) == {"west", "north", "south"}
    assert project.fit("name=quick", *basis, "trainer.audits=false").code == 0
    unaudited = adapt(project, run="quick")
    assert unaudited.code == 0, unaudited.err
    assert "Nobody was audited" in unaudited.out
    assert not (project.runs / "quick-west" / "audits").exists()
    assert project.call("test", "--run", project.runs / "quick-west").code == 0


def test_without_answers_it_is_the_unknown_group(project: Any) -> None:
    groups, _ = write(project)
    done = project.call("adapt", "--run", project.runs / "mine", "--groups", groups, "--name", "unknown")
    assert done.code == 0, done.err
    z = load_file(project.runs / "unknown" / AGENTS / "west" / "coordinates.safetensors")["z"]
    assert z.tolist() == [0.0] * 8
    assert "answered no question: z = 0" in done.out


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("apart", {}, r"policy\.adapters=per_group, to which no group can be added.*policy=basis"),
    ("nowhere", {}, r"There is no run in"),
    ("mine", {"groups": {"north": WEST["west"]}}, r"has a group 'north' already"),
    (
        "mine",
        {"groups": "members:\n  west: {explicit: [a]}\n  west: {explicit: [b]}\n"},
        r"two groups, or keys, of one name",
    ),
    ("mine", {"groups": "members: {}"}, r"holds no group"),
    ("mine", {"groups": "members: [west]"}, r"not a mapping"),
    ("mine", {"groups": ": ["}, r"no YAML"),
    ("mine", {"groups": {"west": {"label": "W"}}}, r"members\.west' has no profile"),
    ("mine", {"groups": {"West": WEST["west"]}}, r"the name 'West' is not allowed"),
    ("mine", {"groups": {"control": WEST["west"]}}, r"takes the name of the control"),
    ("mine", {"rows": [{**DRINK, "kind": "truth", "gold": "Tea", "targets": None}]}, r"no answered question of taste"),
    ("mine", {"rows": [{**DRINK, "targets": {"west": [0.5, 0.5]}}]}, r"not a list of 3 probabilities"),
    ("mine", {"rows": [{**DRINK, "targets": {"north": [0.5, 0.5, 0]}}]}, r"'north'"),
    ("mine", {"rows": []}, r"few\.jsonl"),
]


@pytest.mark.parametrize(("run", "files", "fault"), BAD)
def test_what_cannot_be_adapted_is_refused_in_one_sentence(
    project: Any, run: str, files: dict[str, Any], fault: str
) -> None:
    write(project, **files)
    before = project.files()
    done = adapt(project, run=run, **files)
    assert done.code == 2, done.err
    assert "Traceback" not in done.err
    lines = [line for line in done.err.splitlines() if line.startswith("trialign adapt:")]
    assert len(lines) == 1
    assert re.search(fault, lines[0]), lines[0]
    assert project.files() == before


ATTRIBUTES = {
    "name": "regions",
    "attribute": "age and land",
    "attributes": {
        "age": {"label": "age in years", "between": [18, 90]},
        "land": {"label": "land", "values": {"ice": {"text": "ice"}, "sand": {"text": "sand"}}},
    },
    "explicit": ["The user is {age} years old and lives on {land}."],
    "members": {
        "north": {"attributes": {"age": 20, "land": "ice"}},
        "south": {"attributes": {"age": 45, "land": "sand"}},
        "island": {"attributes": {"age": 30, "land": "sand"}},
    },
}


@pytest.mark.parametrize(
    ("age", "land", "code", "said"),
    [
        (40, "ice", 0, ""),
        (60, "ice", 0, r"west: The age in years 60 is outside the groups that were trained, 20 to 45"),
        (99, "ice", 2, r"'age' is between 18 and 90"),
        (40, "wood", 2, r"'land' is 'wood', a category that no group was told of"),
    ],
)
def test_a_new_group_by_its_attributes(
    project: Any, age: int, land: str, code: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = project.runs / "mine" / "config.yaml"
    head, _, text = file.read_text(encoding="utf-8").partition("\n")
    stated = {**yaml.safe_load(text), "groups": ATTRIBUTES}
    file.write_text(f"{head}\n{yaml.safe_dump(stated)}", encoding="utf-8")
    new = {"west": {"attributes": {"age": age, "land": land}}}
    done = adapt(project, groups=new)
    assert done.code == code, done.err
    assert re.search(said, done.err + caplog.text)
    assert ("outside the groups" in done.err + caplog.text) == (age == 60)
    made = project.runs / "mine-west" / "agents"
    assert made.exists() == (code == 0)
    if code == 0:
        (west,) = (one for one in read_agents(made / f"step={STEPS:06d}").manifest["groups"] if one["name"] == "west")
        assert west["explicit"] == [f"The user is {age} years old and lives on {land}."]


def test_groups_that_were_drawn_are_listed_beside_a_new_one() -> None:
    from trialign.api.adapting import _section
    from trialign.group_config import build_groups

    drawn = {**{k: v for k, v in ATTRIBUTES.items() if k != "members"}, "population": {"size": 3, "seed": 1}}
    groups = build_groups(drawn)
    section = _section(drawn, groups, {"west": {"attributes": {"age": 40, "land": "ice"}}}, Path("new.yaml"))
    extended = build_groups(section)
    assert extended.names == (*groups.names, "west")
    assert extended.members[:3] == groups.members
    before = _section(drawn, groups, {"west": {"attributes": {"age": 40, "land": "ice"}}}, Path("new.yaml"), first=True)
    assert build_groups(before).names == ("west", *groups.names)
    with pytest.raises(UserError, match="combines the sets a, b, and a new group has to be of one set"):
        _section({"a": ATTRIBUTES, "b": ATTRIBUTES}, groups, {}, Path("new.yaml"))


def test_a_group_that_a_run_left_out_may_join_it() -> None:
    from trialign.api.adapting import _section
    from trialign.group_config import build_groups

    without = {**ATTRIBUTES, "members": {**ATTRIBUTES["members"], "south": None}}
    groups = build_groups(without)
    assert groups.names == ("north", "island")
    section = _section(without, groups, {"south": ATTRIBUTES["members"]["south"]}, Path("new.yaml"))
    assert build_groups(section).names == build_groups(ATTRIBUTES).names
    with pytest.raises(UserError, match=r"has a group 'island' already, and new\.yaml names another"):
        _section(without, groups, {"island": ATTRIBUTES["members"]["south"]}, Path("new.yaml"))


def test_a_run_of_the_new_name_is_not_replaced(project: Any) -> None:
    before = project.files()
    done = adapt(project, "--name", "apart")
    assert done.code == 2
    assert "There is a run in" in done.err
    del before["runs/mine/config.yaml"]
    assert before.items() <= project.files().items()


def test_a_changed_basis_is_refused(project: Any) -> None:
    file = project.runs / "mine" / AGENTS / "basis.shared" / "scales.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(bytes(content))
    done = adapt(project)
    assert done.code == 2
    assert "is not the one that was written" in done.err
    assert not (project.runs / "mine-west").exists()


def test_the_most_probable_z_by_hand() -> None:
    """Two options whose log-odds are the first number of z: maximise log sigmoid(z) - z^2 / 2."""
    from types import SimpleNamespace

    from trialign.api.adapting import learn
    from trialign.policy.adapters import BasisConfig
    from trialign.policy.basis import Coordinates
    from trialign.scoring import Scoring

    from ..training.agents import fact

    coordinates = Coordinates(1, BasisConfig(dimensions=2, speed=1.0))
    episode = fact("a", 0)
    ((north, _),) = episode.turns
    taste = replace(episode, turns=((replace(north, gold=None, target=(1.0, 0.0)),),))

    def score(tree: Any) -> torch.Tensor:
        return torch.stack([coordinates.all()[0, 0], coordinates.all()[0, 1] * 0])

    policy: Any = SimpleNamespace(coordinates=coordinates, adapter_index=lambda _: 0, device="cpu", score=score)
    before, after = learn(policy, [taste], ("north",), Scoring())
    # 1 - sigmoid(z) = z at z = .4011; log 2 before, - log sigmoid(.4011) = .5123 after.
    assert coordinates.of(0).tolist() == pytest.approx([0.4011, 0], abs=1e-3)
    assert before == pytest.approx(0.6931, abs=1e-4)
    assert after == pytest.approx(0.5126, abs=1e-3)
