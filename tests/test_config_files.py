"""Configurations as users keep them: beside folders named like keys, in other encodings, named like ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialign.composition import compose, hydra_of
from trialign.errors import UserError

pytestmark = pytest.mark.unit
MINE = "defaults: [base, _self_]\nname: mine\n"


def write(folder: Path, text: str | bytes, name: str = "mine.yaml") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(folder / name)


@pytest.mark.parametrize(
    ("folder", "override", "read"),
    [
        ("runs", "runs=elsewhere", "elsewhere"),
        ("seed", "seed=3", 3),
        ("name", "name=other", "other"),
        ("collect", "collect.samples=2", 2),
        ("data", "data.limit=4", 4),
    ],
)
def test_a_folder_named_like_a_key_is_no_group_of_configurations(
    tmp_path: Path, folder: str, override: str, read: object
) -> None:
    (tmp_path / folder).mkdir()
    value = compose(write(tmp_path, MINE), [override])
    for part in override.partition("=")[0].split("."):
        value = value[part]
    assert value == read


def test_groups_of_ones_own_are_found_beside_such_a_folder(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    write(tmp_path / "objective", "defaults: [trialign, _self_]\nname: mild\n", "mild.yaml")
    composed = compose(write(tmp_path, MINE), ["objective=mild", "runs=there"])
    assert (composed["objective"]["name"], composed["runs"]) == ("mild", "there")


def test_a_sweep_sees_no_such_folder_either(tmp_path: Path) -> None:
    (tmp_path / "seed").mkdir()
    with hydra_of(write(tmp_path, MINE), ["seed=0,1"]) as (name, values):
        from hydra.core.global_hydra import GlobalHydra

        loader = GlobalHydra.instance().config_loader()
        assert (name, values[0]) == ("mine", "seed=0,1")
        assert "seed" not in loader.list_groups("")


def test_the_temporary_folder_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    (tmp_path / "runs").mkdir()
    compose(write(tmp_path, MINE), ["runs=there"])
    assert not list((tmp_path / "scratch").iterdir())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf_8_is_read(tmp_path: Path, encoding: str) -> None:
    composed = compose(write(tmp_path, f"{MINE}prompt: {{system: Réponds.}}\n".encode(encoding)), [])
    assert composed["prompt"]["system"] == "Réponds."


@pytest.mark.parametrize(("encoding", "named"), [("utf-16", "UTF-16"), ("latin-1", "another encoding")])
def test_another_encoding_is_named_with_its_file(tmp_path: Path, encoding: str, named: str) -> None:
    text = "name: town\nattribute: home\nmembers: {oslo: {label: Født, explicit: [The user lives in Oslo.]}}\n"
    write(tmp_path / "groups", text.encode(encoding), "town.yaml")
    with pytest.raises(UserError, match=rf"groups/town\.yaml is written in {named}.* save it anew as UTF-8"):
        compose(write(tmp_path, "defaults: [base, override groups: town, _self_]\n"), [])
    with pytest.raises(UserError, match=rf"mine\.yaml is written in {named}"):
        compose(write(tmp_path, f"{MINE}prompt: {{system: é}}\n".encode(encoding)), [])


def test_a_file_in_another_encoding_that_is_not_asked_for_does_no_harm(tmp_path: Path) -> None:
    write(tmp_path, "name: é\n".encode("latin-1"), "other.yaml")
    assert compose(write(tmp_path, MINE), [])["name"] == "mine"


@pytest.mark.parametrize("name", ["base.yaml", "quickstart.yaml"])
def test_a_file_that_includes_itself_instead_of_ours_is_named(tmp_path: Path, name: str) -> None:
    text = f"defaults: [{name.removesuffix('.yaml')}, _self_]\nname: mine\n"
    with pytest.raises(UserError, match=rf"{name} has the name of a file that it builds on.* rename it"):
        compose(write(tmp_path, text, name), [])


def test_a_neighbour_that_includes_itself_is_named(tmp_path: Path) -> None:
    write(tmp_path, "defaults: [base, _self_]\nseed: 3\n", "base.yaml")
    with pytest.raises(UserError, match=r"/base\.yaml has the name of a file that it builds on"):
        compose(write(tmp_path, MINE), [])


def test_a_key_that_yaml_reads_as_nothing_is_named_with_its_place(tmp_path: Path) -> None:
    text = "name: party\nattribute: party\nmembers:\n  null: {label: None, explicit: [The user has no party.]}\n"
    write(tmp_path / "groups", text, "party.yaml")
    with pytest.raises(UserError, match=r"groups/party\.yaml, the key 'null' under 'members' .* put the key in quotes"):
        compose(write(tmp_path, "defaults: [base, override groups: party, _self_]\nname: mine\n"), [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("defaults: base\nname: x\n", "defaults must be a list"),
        ("defaults: [base, {groups: country, model: hub}]\n", "Too many keys in default item"),
        ("- a\n- b\n", "holds a list, and no keys with values"),
        ("name: a\nname: b\n", r"found duplicate key name in line 2"),
        ("\tname: a\n", r"found character '\\t' that cannot start any token in line 1"),
        ("name: *nothing\n", "found undefined alias 'nothing'"),
        ("x: !!python/object:os.system {}\n", "could not determine a constructor"),
    ],
)
def test_what_hydra_ends_with_an_error_of_pythons_is_a_sentence_too(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        compose(write(tmp_path, text), [])


def test_an_error_of_our_own_is_not_blamed_on_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ours"), hydra_of(write(tmp_path, MINE), []):
        raise ValueError("ours")
