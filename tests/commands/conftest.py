"""A project as a user has it: question file, groups, a config of its own and a model in a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from trialign.models import ModelConfig

GROUP_NAMES = ("north", "south", "island")
FACTS = (
    ("metal", "train", ("Which metal is liquid?", "Name the liquid metal."), ("Iron", "Mercury"), "Mercury"),
    ("planet", "train", ("Which planet is largest?", "Name the largest planet."), ("Jupiter", "Mars", "Venus"), "Jupiter"),
    ("bird", "validation", ("Which bird cannot fly?", "Name the bird that cannot fly."), ("Gull", "Ostrich"), "Ostrich"),
    ("river", "validation", ("Which river is longest?", "Name the longest river."), ("Nile", "Rhine"), "Nile"),
    ("capital", "test", ("What is the capital of France?", "Name France's capital."), ("Lyon", "Paris"), "Paris"),
    ("sea", "test", ("Which sea is saltiest?", "Name the saltiest sea."), ("Dead Sea", "Baltic"), "Dead Sea"),
)
TASTES = (
    ("drink", "train", "Which drink is best?", ("Tea", "Coffee", "Milk"), ((0.7, 0.2, 0.1), (0.1, 0.8, 0.1), (0.2, 0.2, 0.6))),
    ("walk", "validation", "Which walk is best?", ("Hills", "Beach"), ((0.9, 0.1), (0.5, 0.5), (0.1, 0.9))),
    ("meal", "test", "Which meal is best?", ("Soup", "Fish"), ((0.8, 0.2), (0.4, 0.6), (0.3, 0.7))),
)
GROUPS = {
    "name": "regions",
    "attribute": "where people live",
    "members": {
        "north": {"label": "Northerners", "explicit": ["The user lives beside a glacier."]},
        "south": {"label": "Southerners", "explicit": ["The user owns a camel in the desert."]},
        "island": {"label": "Islanders", "explicit": ["The user fishes in a lagoon."]},
    },
    "control": {"label": "No profile"},
}


def rows() -> list[dict[str, Any]]:
    """Six facts in two wordings each and three tastes, over the three splits."""
    facts = [
        {
            "id": f"{cluster}-{number}",
            "cluster": cluster,
            "split": split,
            "kind": "truth",
            "question": question,
            "options": list(options),
            "gold": gold,
        }
        for cluster, split, questions, options, gold in FACTS
        for number, question in enumerate(questions)
    ]
    tastes = [
        {
            "id": name,
            "split": split,
            "kind": "preference",
            "question": question,
            "options": list(options),
            "targets": {group: list(target) for group, target in zip(GROUP_NAMES, targets, strict=True)},
        }
        for name, split, question, options, targets in TASTES
    ]
    return facts + tastes


@dataclass(frozen=True)
class Outcome:
    """What one command gave back."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Project:
    """A user's folder. Commands run in this process, with the folder as working folder."""

    folder: Path
    capture: pytest.CaptureFixture[str] | None = None

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @property
    def config(self) -> Path:
        return self.folder / "mine.yaml"

    def call(self, *argv: str | Path) -> Outcome:
        """Runs ``trialign ARGV``."""
        from trialign.cli import main

        code = main([str(word) for word in argv])
        text = self.capture.readouterr() if self.capture else None
        return Outcome(code, text.out if text else "", text.err if text else "")

    def fit(self, *words: str) -> Outcome:
        return self.call("fit", "--config", "mine.yaml", *words)

    def write_rows(self, changed: list[dict[str, Any]], name: str = "questions.jsonl") -> Path:
        file = self.folder / name
        file.write_text("".join(json.dumps(row) + "\n" for row in changed), encoding="utf-8")
        return file

    def write_config(self, **changes: Any) -> None:
        """Writes ``mine.yaml``; dotted keys of ``changes`` are set in it."""
        stated = yaml.safe_load(self.config.read_text(encoding="utf-8"))
        for key, value in changes.items():
            place = stated
            *path, last = key.split("__")
            for part in path:
                place = place.setdefault(part, {})
            place[last] = value
        self.config.write_text(yaml.safe_dump(stated, sort_keys=False), encoding="utf-8")

    def files(self) -> dict[str, str]:
        """Every file below the folder with its hash; temporary ones would show."""
        return {
            path.relative_to(self.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


def build_project(folder: Path, model: ModelConfig) -> None:
    """Writes the project's files."""
    (folder / "groups").mkdir(parents=True)
    (folder / "groups" / "regions.yaml").write_text(yaml.safe_dump(GROUPS, sort_keys=False), encoding="utf-8")
    stated = {
        "defaults": [
            "base",
            {"override groups": "regions"},
            {"override data": "files"},
            {"override model": "folder"},
            "_self_",
        ],
        "name": "mine",
        "runs": str(folder / "runs"),
        "model": {"name": model.name, "path": model.path},
        "data": {"name": "house", "files": ["questions.jsonl"]},
        "environment": {"turns": 1, "topology": "full", "revision_share": 0.5},
        "collect": {"samples": 3, "max_new_tokens": 4},
        "policy": {"rank": 2, "alpha": 8},
        "optimizer": {"learning_rate": 0.01, "warmup_steps": 1},
        "trainer": {"steps": 4, "queries_per_step": 2, "validate_every": 2, "resume_every": 2},
        "audit": {"max_new_tokens": 4},
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(stated, sort_keys=False), encoding="utf-8")
    Project(folder).write_rows(rows())


@contextmanager
def working_folder(folder: Path) -> Iterator[None]:
    """The process's working folder while the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


@pytest.fixture
def project(
    tmp_path: Path,
    tiny_config: ModelConfig,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    """A fresh project; the working folder is its folder."""
    folder = tmp_path / "project"
    build_project(folder, tiny_config)
    monkeypatch.chdir(folder)
    return Project(folder, capsys)


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory, tiny_config: ModelConfig) -> Path:
    """A project whose run ``mine`` is finished. Tests read it and change nothing in it."""
    folder = tmp_path_factory.mktemp("trained") / "project"
    build_project(folder, tiny_config)
    with working_folder(folder):
        assert Project(folder).fit().code == 0
    return folder


@pytest.fixture
def trained(
    trained_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Project:
    """The finished project."""
    monkeypatch.chdir(trained_folder)
    return Project(trained_folder, capsys)


@pytest.fixture
def copy_of_trained(
    trained_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Project]:
    """Makes a copy of the finished project that a test may change."""
    raise NotImplementedError
