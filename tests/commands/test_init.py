"""``trialign init``: what it writes, and what it leaves alone."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest
import yaml

from trialign.cli import main

pytestmark = pytest.mark.unit

NAMES = ["groups/homes.yaml", "mine.yaml", "questions.jsonl"]


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("place", ["new", "deeper/new one", "empty", "."])
def test_three_files_are_written(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if place == "empty":
        Path(place).mkdir()
    assert main(["init", place]) == 0
    assert files(tmp_path / place) == NAMES


def test_what_to_do_next_is_said_for_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "two words"]) == 0
    assert shlex.split(capsys.readouterr().out.splitlines()[2]) == ["cd", "two words"]
    Path("here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert main(["init", "."]) == 0
    assert "cd " not in capsys.readouterr().out


def test_the_files_say_what_they_are_and_hold_a_project(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    assert main(["init", str(folder)]) == 0
    for name in ("groups/homes.yaml", "mine.yaml"):
        assert (folder / name).read_text(encoding="utf-8").startswith("# "), name
    groups = yaml.safe_load((folder / "groups/homes.yaml").read_text(encoding="utf-8"))
    rows = [json.loads(line) for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 20
    targets = [set(row["targets"]) for row in rows if row["kind"] == "preference"]
    assert targets == [set(groups["members"])] * len(targets)
    splits = {(row["kind"], row["split"]) for row in rows}
    assert splits == {(kind, split) for kind in ("truth", "preference") for split in ("train", "validation", "test")}


@pytest.mark.parametrize("found", ["notes.txt", ".hidden", "mine.yaml"])
def test_a_folder_in_use_is_refused_and_left_as_it_was(
    found: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / found).write_text("kept")
    assert main(["init", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said == f"trialign init: The folder {tmp_path} is not empty. Name a new one, or an empty one.\n"
    assert files(tmp_path) == [found]
    assert (tmp_path / found).read_text() == "kept"


@pytest.mark.parametrize("place", ["file", "file/below", "dangling", "n" * 300])
def test_what_cannot_be_a_folder_is_refused_in_a_sentence(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("kept")
    os.symlink(tmp_path / "nowhere", tmp_path / "dangling")
    assert main(["init", str(tmp_path / place)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "kept"
