"""``~`` is the home wherever a path stands, and an account without one is told what to set."""

from __future__ import annotations

import pwd
from pathlib import Path
from typing import Any

import pytest

from trialign.composition import compose
from trialign.errors import UserError
from trialign.models import cache_folder
from trialign.places import anchored, at_home, has_home, with_homes

pytestmark = pytest.mark.unit


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container started with a number as its user: no variable, and no entry in the password file."""

    def unknown(user: Any) -> Any:
        raise KeyError(f"no entry for {user}")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(pwd, "getpwnam", unknown)


def test_a_home_is_put_in_at_the_beginning_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ana")
    assert at_home("~/audits", "runs") == Path("/home/ana/audits")
    assert at_home("~", "runs") == Path("/home/ana")
    assert at_home("a/~/b", "runs") == Path("a/~/b")
    assert has_home()


@pytest.mark.usefixtures("homeless")
def test_an_account_without_a_home_is_told_what_to_set() -> None:
    assert not has_home()
    assert at_home("elsewhere", "runs") == Path("elsewhere")
    with pytest.raises(UserError, match=r"runs is '~/audits', and there is no home .* Set .* HOME, or runs to a path"):
        at_home("~/audits", "runs")


@pytest.mark.usefixtures("homeless")
def test_the_cache_of_models_asks_for_a_home_only_without_a_place_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIALIGN_CACHE", raising=False)
    with pytest.raises(UserError, match="TRIALIGN_CACHE"):
        cache_folder()
    monkeypatch.setenv("TRIALIGN_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")


def test_the_home_of_nobody_is_refused() -> None:
    with pytest.raises(UserError, match="'~no-such-account' could stand for"):
        at_home("~no-such-account/x", "data.folder")


def test_paths_of_a_configuration_are_found_and_texts_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ana")
    values = {
        "runs": "~/audits",
        "data": {"files": ["~/a.jsonl", {"path": "~/b.csv", "source": "folder", "limit": 3}], "folder": "~"},
        "model": {"path": "~/llama", "adapters": {"usa": "~/usa", "iran": "there"}},
        "prompt": {"system": "~/ is a home"},
        "groups": {"members": {"a": {"explicit": ["~ 40 years old"]}}},
    }
    assert with_homes(values) == {
        "runs": "/home/ana/audits",
        "data": {
            "files": ["/home/ana/a.jsonl", {"path": "/home/ana/b.csv", "source": "folder", "limit": 3}],
            "folder": "/home/ana",
        },
        "model": {"path": "/home/ana/llama", "adapters": {"usa": "/home/ana/usa", "iran": "there"}},
        "prompt": {"system": "~/ is a home"},
        "groups": {"members": {"a": {"explicit": ["~ 40 years old"]}}},
    }


def test_a_file_and_the_command_line_may_name_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("defaults: [base, _self_]\nname: x\nruns: ~/audits\n", encoding="utf-8")
    composed = compose("~/mine.yaml", ["+data.folder=~/questions"])
    assert composed["runs"] == str(tmp_path / "audits")
    assert composed["data"]["folder"] == str(tmp_path / "questions")


def tree(folder: Path, *files: str) -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_relative_paths_are_anchored_where_they_lead_somewhere(tmp_path: Path) -> None:
    tree(tmp_path / "project", "models/mine/config.json", "adapters/a/x", "words/x", "questions/q.jsonl")
    config = {
        "name": "mine",
        "model": {
            "path": "models/mine",
            "adapters": {"north": "adapters/a", "south": "/elsewhere", "island": "absent"},
            "endpoint": {"tokenizer": "words", "attempts": 3},
        },
        "data": {"folder": "questions", "files": ["q.jsonl", "/absolute.jsonl"]},
    }
    project = (tmp_path / "project").resolve()
    made = anchored(config, [tmp_path / "other", project])
    assert made == {
        "name": "mine",
        "model": {
            "path": f"{project}/models/mine",
            "adapters": {"north": f"{project}/adapters/a", "south": "/elsewhere", "island": "absent"},
            "endpoint": {"tokenizer": f"{project}/words", "attempts": 3},
        },
        "data": {"folder": f"{project}/questions", "files": ["q.jsonl", "/absolute.jsonl"]},
    }
    assert anchored(made, [tmp_path]) == made
    assert config["model"]["path"] == "models/mine"  # type: ignore[index]


def test_the_first_base_that_has_a_path_is_taken(tmp_path: Path) -> None:
    tree(tmp_path, "one/m/x", "two/m/x")
    assert anchored({"model": {"path": "m"}}, [tmp_path / "two", tmp_path / "one"])["model"]["path"].endswith("two/m")


@pytest.mark.parametrize(
    "config",
    [
        {"model": {"name": "x"}},
        {"model": {"path": None, "adapters": None}},
        {"data": {"folder": ".", "files": ["embedded:questions.jsonl"]}},
        {"data": {"files": [{"hub": "house/data"}]}},
        {"data": {"files": None}},
        {"model": "odd", "data": 3},
        {},
    ],
)
def test_what_names_no_relative_path_stays(config: dict[str, Any], tmp_path: Path) -> None:
    tree(tmp_path, "embedded:questions.jsonl")
    assert anchored(config, [tmp_path]) == config


def test_question_files_of_the_working_folder_are_found_again(tmp_path: Path) -> None:
    tree(tmp_path, "q.jsonl")
    for files in (["q.jsonl"], [{"path": "q.jsonl", "map": "house"}]):
        assert anchored({"data": {"folder": ".", "files": files}}, [tmp_path])["data"]["folder"] == str(
            tmp_path.resolve()
        )
