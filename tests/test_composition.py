"""Configurations: every file composes, own folders work as the installed one, and faults name their key."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import yaml

from trialign import composition
from trialign.composition import compose, config_root
from trialign.config import RunConfig, load
from trialign.errors import UserError
from trialign.group_config import build_groups

pytestmark = pytest.mark.unit

ROOT = config_root()


def is_entry(path: Path) -> bool:
    """Whether a file is composed by itself; in a subfolder its first line says so."""
    return path.parent == ROOT or path.read_text(encoding="utf-8").startswith("# @package _global_\n")


FILES = sorted(ROOT.rglob("*.yaml"))
ENTRIES = [path.relative_to(ROOT).as_posix() for path in FILES if is_entry(path)]
OPTIONS = [path.relative_to(ROOT).with_suffix("").as_posix() for path in FILES if not is_entry(path)]
# What an entry cannot know.
NEEDED = {
    "audit/adapters.yaml": ["model.adapters=folder"],
    "audit/endpoint.yaml": ["model.name=served", "model.base_url=http://127.0.0.1:8000/v1"],
    "audit/logs.yaml": ["model.name=theirs", "model.logs.files=[log.eval]"],
}


def unset_keys(option: str) -> list[str]:
    """Overrides that fill an option's ``???`` with dummies."""
    group = option.split("/")[0]
    values = yaml.safe_load((ROOT / f"{option}.yaml").read_text(encoding="utf-8"))
    values |= {f"logs.{key}": value for key, value in values.get("logs", {}).items()}  # of model/logs
    dummies = {"files": "[questions.jsonl]"}
    return [f"{group}.{key}={dummies.get(key, 'dummy')}" for key, value in values.items() if value == "???"]


def write(folder: Path, text: str, name: str = "mine.yaml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_the_scan_finds_the_configuration() -> None:
    assert {"base.yaml", "quickstart.yaml", "smoke.yaml", *NEEDED} <= set(ENTRIES)
    assert {"objective/trialign", "model/hub", "trainer/ddp", "groups/politics"} <= set(OPTIONS)


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_file_composes_and_loads(entry: str) -> None:
    composed = compose(f"conf/{entry}", NEEDED.get(entry, []))
    assert isinstance(load(composed), RunConfig)
    # Every key of a run is stated, so that config.yaml holds all that the run depends on.
    assert set(composed) == {field.name for field in dataclasses.fields(RunConfig)}
    for field in dataclasses.fields(RunConfig):
        default = None if field.default_factory is dataclasses.MISSING else field.default_factory()
        if default is not None:
            assert set(composed[field.name]) == {part.name for part in dataclasses.fields(default)}, field.name


@pytest.mark.parametrize("entry", NEEDED)
def test_an_entry_asks_for_what_it_cannot_know(entry: str) -> None:
    for needed in NEEDED[entry]:
        key = needed.split("=")[0]
        with pytest.raises(UserError, match=rf"Missing mandatory value: \w+ \({key}\)"):
            compose(f"conf/{entry}", [word for word in NEEDED[entry] if word != needed])


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_of_every_group_composes_with_the_quickstart(option: str) -> None:
    group, name = option.split("/")
    assert isinstance(load(compose("conf/quickstart.yaml", [f"{group}={name}", *unset_keys(option)])), RunConfig)
    composed = compose("conf/base.yaml", [f"{group}={name}", *unset_keys(option)])
    stated = yaml.safe_load((ROOT / f"{option}.yaml").read_text(encoding="utf-8"))
    section = composed[group][name] if group == "groups" else composed[group]
    for key, value in stated.items():
        if key != "defaults" and value != "???" and not isinstance(value, dict):
            assert section[key] == value


def test_sets_of_groups_are_chosen_alone_or_together(tmp_path: Path) -> None:
    alone = compose("conf/quickstart.yaml", ["groups=country"])["groups"]
    assert build_groups(alone).names == ("usa", "iran", "china")
    together = compose("conf/quickstart.yaml", ["groups=[education,country]"])["groups"]
    assert list(together) == ["education", "country"]
    assert together["country"] == alone["country"]
    assert build_groups(together).names[-1] == "university-china"
    listed = "defaults:\n  - base\n  - override groups: [country, education]\n  - _self_\n"
    assert list(compose(write(tmp_path, listed), [])["groups"]) == ["country", "education"]
    changed = compose("conf/quickstart.yaml", ["groups=country", "groups.country.members.usa.label=Americans"])
    assert build_groups(changed["groups"]).members[0].label == "Americans"


def test_a_file_of_ones_own_needs_a_package_line_only_to_be_combined(tmp_path: Path) -> None:
    (tmp_path / "groups").mkdir()
    text = "name: town\nattribute: home\nmembers: {oslo: {explicit: [The user lives in Oslo.]}}\n"
    write(tmp_path / "groups", text, "plain.yaml")
    write(tmp_path / "groups", f"# @package groups.town\n{text}", "packaged.yaml")
    own = write(tmp_path, "defaults: [base, {override groups: plain}, _self_]\n")
    assert build_groups(compose(own, [])["groups"]) == build_groups(compose(own, ["groups=packaged"])["groups"])
    assert build_groups(compose(own, ["groups=[packaged,age]"])["groups"]).names[0] == "oslo-young"
    with pytest.raises(UserError, match=r"begin it with '# @package groups\.'"):
        build_groups(compose(own, ["groups=[plain,age]"])["groups"])


def test_a_resolved_config_keeps_several_sets(tmp_path: Path) -> None:
    composed = compose("conf/quickstart.yaml", ["groups=[education,country]"])
    file = write(tmp_path, yaml.safe_dump(composed, sort_keys=False, allow_unicode=True), "config.yaml")
    assert compose(file, []) == composed
    # The order of the sets is that of the groups' names.
    assert build_groups(compose(file, [])["groups"]) == build_groups(composed["groups"])


@pytest.mark.parametrize("option", [option for option in OPTIONS if unset_keys(option)])
def test_an_option_asks_for_what_it_cannot_know(option: str) -> None:
    group, name = option.split("/")
    key = unset_keys(option)[0].split("=")[0]
    with pytest.raises(UserError, match=rf"Missing mandatory value: \w+ \({key}\)"):
        compose("conf/quickstart.yaml", [f"{group}={name}"])


def test_the_installed_files_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = compose("conf/quickstart.yaml", [])
    monkeypatch.chdir(tmp_path)
    assert compose("conf/quickstart.yaml", []) == expected
    assert compose(str(ROOT / "quickstart.yaml"), []) == expected


def test_a_file_of_the_same_name_in_the_working_folder_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf").mkdir()
    write(tmp_path / "conf", "defaults: [base, _self_]\nname: own\n", "quickstart.yaml")
    monkeypatch.chdir(tmp_path)
    assert compose("conf/quickstart.yaml", [])["name"] == "own"


@pytest.mark.parametrize("name", ["mine.yaml", "mine.v2.yaml", "my own.yaml"])
def test_a_file_outside_finds_installed_groups_and_those_of_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "a folder (copy), with=signs"
    (folder / "objective").mkdir(parents=True)
    write(
        folder / "objective", "defaults: [trialign, _self_]\nname: gentle\ninconsistency: {weight: 0.25}\n", "mild.yaml"
    )
    text = "defaults:\n  - base\n  - override trainer: gpu\n  - override objective: mild\n  - _self_\nname: mine\n"
    composed = compose(write(folder, text, name), ["policy=shared", "trainer.steps=9"])
    assert composed["name"] == "mine"
    assert composed["trainer"]["accelerator"] == "gpu"
    assert composed["trainer"]["steps"] == 9
    assert composed["policy"]["adapters"] == "shared"
    assert (composed["objective"]["name"], composed["objective"]["inconsistency"]["weight"]) == ("gentle", 0.25)
    assert composed["objective"]["inconsistency"]["gate"] == "anchor"


def test_the_configuration_folder_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = write(tmp_path, "defaults: [quickstart, _self_]\nname: mine\n")
    usual = compose(entry, [])
    odd = tmp_path / "site (x86), new"
    shutil.copytree(ROOT, odd)
    monkeypatch.setattr(composition, "config_root", lambda: odd)
    assert compose(entry, []) == usual


def test_values_refer_to_each_other(tmp_path: Path) -> None:
    assert compose("conf/quickstart.yaml", ["seed=7"])["collect"]["seed"] == 7
    assert compose("conf/quickstart.yaml", ["seed=7", "collect.seed=1"])["collect"]["seed"] == 1
    own = write(tmp_path, "defaults: [base, _self_]\nname: run-${seed}-${objective.name}\n")
    assert compose(own, ["seed=3", "objective=utilitarian"])["name"] == "run-3-utilitarian"


def test_a_resolved_config_composes_to_itself_and_takes_values(tmp_path: Path) -> None:
    composed = compose("conf/quickstart.yaml", ["seed=5", "trainer.steps=7"])
    file = write(tmp_path, yaml.safe_dump(composed, allow_unicode=True), "config.yaml")
    assert compose(file, []) == composed
    assert load(compose(file, [])) == load(composed)
    changed = compose(file, ["trainer.steps=8"])
    assert changed == {**composed, "trainer": {**composed["trainer"], "steps": 8}}


def test_a_resolved_config_has_no_groups_to_choose(tmp_path: Path) -> None:
    file = write(tmp_path, yaml.safe_dump(compose("conf/quickstart.yaml", [])), "config.yaml")
    with pytest.raises(UserError, match=r"is resolved, so the group 'objective' can no longer be chosen\. Override"):
        compose(file, ["objective=utilitarian"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.stpes=4", r"Unknown config key trainer\.stpes\. Did you mean trainer\.steps\?"),
        ("audit.delta=0", r"audit\.delta is 0\. Set it between 0\.001 and 1"),
        ("audit.alpha=0.7", r"audit\.alpha is 0\.7"),
        ("+trainer.stpes=4", r"Unknown config key trainer\.stpes\. Did you mean trainer\.steps\?"),
        ("objctive=utilitarian", r"Unknown config key objctive\. Did you mean objective\?"),
        (
            "objective.inconsistency.wieght=0",
            r"wieght\. Did you mean objective\.inconsistency\.weight\?",
        ),
        ("zzz=1", r"Unknown config key zzz\. Known keys here: name, runs, seed"),
        ("objective=nonsense", r"Could not find 'objective/nonsense'; there are .*trialign"),
        ("trainer.steps", r"The word 'trainer\.steps' is no override"),
        ("trainer.steps=[1", r"The value of trainer\.steps cannot be read: \[1"),
        ("data.folder=there", r"states no such key; to add it write \+data\.folder=there"),
        ("data.files={}", r"data\.files takes a list, in brackets, and got a mapping, in braces\. "),
        ("scoring=[1]", r"scoring takes a mapping, in braces, and got a list, in brackets\. "),
        ("name=${nothing}", r"cannot be composed: Interpolation key 'nothing' not found"),
        ("name=${}", r"in name='\$\{\}', '\$\{' begins a reference to another key, as in \$\{seed\}, and none follows"),
    ],
)
def test_a_wrong_override_is_named(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(compose("conf/quickstart.yaml", [override]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("defaults: [base, _self_]\ntrainer: {stpes: 4}\n", r"trainer\.stpes\. Did you mean trainer\.steps\?"),
        ("defaults: [base, _self_]\nnmae: x\n", r"Unknown config key nmae\. Did you mean name\?"),
        ("defaults: [base, {override objective: nonsense}, _self_]\n", r"Could not find 'objective/nonsense'"),
        ("defaults: [basis, _self_]\n", r"Could not load 'basis'|Could not find 'basis'"),
        ("defaults: [base, _self_]\nname: [unclosed\n", r"mine\.yaml cannot be composed: .* in line 3"),
        ("name: mine\n", r"The config key runs is missing\. Set it, or begin with 'defaults: \[base, _self_\]'"),
        ("", r"The config key name is missing"),
        ("defaults: [base, _self_]\nname: ${x\n", r": in name, '\$\{' begins a reference to another key, as in"),
        ("defaults: [base, _self_]\nname: x\ndata: {name: '${x', files: []}\n", r": in data\.name, '\$\{' begins a"),
        ("a: !!set [b]\n", r": YAML cannot make a value of what is written in it; write it without '!!', or in quotes"),
        ("a: !!timestamp b\n", r": YAML cannot make a value of what is written in it"),
        (f"seed: {'7' * 5000}\n", r": YAML cannot make a value of what is written in it"),
        ("- a\n", r": the file .*/mine\.yaml holds a list, and no keys with values\."),
        ("7\n", r": the file .*/mine\.yaml holds one value, and no keys with values\."),
        ("defaults: [~]\n", r": Unsupported type in defaults : nothing\."),
        ("defaults: [base, _self_]\nname: x\naudit: 7\n", r"audit is wrong: Input should be a mapping \(got 7\)"),
        (
            "defaults: [base, _self_]\nname: x\ndata: {name: x, files: 7}\n",
            r"data\.files is wrong: .* a list \(got 7\)",
        ),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(compose(write(tmp_path, text), []))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("conf/nothing.yaml", r"There is no config file conf/nothing\.yaml\. Name one of your own"),
        ("nothing.yaml", r"There is no config file nothing\.yaml"),
        (".", r"There is no config file \."),
    ],
)
def test_a_missing_config_file_is_named(config: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        compose(config, [])


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mine\.json does not end in \.yaml"):
        compose(write(tmp_path, "{}", "mine.json"), [])


def test_a_failed_composition_leaves_hydra_usable() -> None:
    with pytest.raises(UserError):
        compose("conf/quickstart.yaml", ["objective=nonsense"])
    assert compose("conf/quickstart.yaml", [])["objective"]["name"] == "trialign"


def test_a_mapping_may_bring_keys_that_the_one_in_its_place_has_not() -> None:
    words = [*NEEDED["audit/endpoint.yaml"], "model.endpoint.extra={chat_template_kwargs: {enable_thinking: false}}"]
    words += ['model.endpoint.query={api-version: "2024-10-21"}']
    endpoint = compose("conf/audit/endpoint.yaml", words)["model"]["endpoint"]
    assert endpoint["extra"] == {"chat_template_kwargs": {"enable_thinking": False}}
    assert endpoint["query"] == {"api-version": "2024-10-21"}
    with pytest.raises(UserError, match=r"model\.endpoint\.nosuch"):
        load(compose("conf/audit/endpoint.yaml", [*NEEDED["audit/endpoint.yaml"], "model.endpoint.nosuch={a: 1}"]))
