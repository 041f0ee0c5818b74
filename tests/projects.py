"""A project as a user has it: question file, groups, a config of its own and a model in a folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from trialign.models import ModelConfig

FACTS = (
    ("metal", "train", ("Which metal is liquid?", "Name the liquid metal."), ("Iron", "Mercury"), "Mercury"),
    ("planet", "train", ("Which planet is big?", "Name a big planet."), ("Mars", "Jupiter", "Venus"), "Jupiter"),
    ("bird", "validation", ("Which bird cannot fly?", "Name a bird that walks."), ("Gull", "Ostrich"), "Ostrich"),
    ("river", "validation", ("Which river is longest?", "Name the longest river."), ("Nile", "Rhine"), "Nile"),
    ("capital", "test", ("What is the capital of France?", "Name France's capital."), ("Lyon", "Paris"), "Paris"),
    ("sea", "test", ("Which sea is saltiest?", "Name the saltiest sea."), ("Dead Sea", "Baltic"), "Dead Sea"),
)
TASTES = (
    ("drink", "train", ("Tea", "Coffee", "Milk"), ((0.7, 0.2, 0.1), (0.1, 0.8, 0.1), (0.2, 0.2, 0.6))),
    ("walk", "validation", ("Hills", "Beach"), ((0.9, 0.1), (0.5, 0.5), (0.1, 0.9))),
    ("meal", "test", ("Soup", "Fish"), ((0.8, 0.2), (0.4, 0.6), (0.3, 0.7))),
)
MEMBERS = {
    "north": ("Northerners", "The user lives beside a glacier."),
    "south": ("Southerners", "The user owns a camel in the desert."),
    "island": ("Islanders", "The user fishes in a lagoon."),
}
GROUPS = {
    "name": "regions",
    "attribute": "where people live",
    "members": {name: {"label": label, "explicit": [text]} for name, (label, text) in MEMBERS.items()},
    "control": {"label": "No profile"},
}


def _rows() -> list[dict[str, Any]]:
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
            "question": f"Which {name} is best?",
            "options": list(options),
            "targets": {group: list(target) for group, target in zip(MEMBERS, targets, strict=True)},
        }
        for name, split, options, targets in TASTES
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
    """A user's folder; commands run in this process."""

    folder: Path
    capture: pytest.CaptureFixture[str] | None = None

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of the question file."""
        lines = (self.folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def call(self, *argv: str | Path) -> Outcome:
        """Runs ``trialign ARGV``; with a capture, what it printed is in the outcome."""
        from trialign.cli import main

        if self.capture:
            self.capture.readouterr()
        code = main([str(word) for word in argv])
        text = self.capture.readouterr() if self.capture else None
        return Outcome(code, text.out if text else "", text.err if text else "")

    def fit(self, *words: str) -> Outcome:
        return self.call("fit", "--config", self.folder / "mine.yaml", *words)

    def collections(self) -> list[Path]:
        return sorted((self.runs / ".trajectories").iterdir())

    def write_rows(self, rows: list[dict[str, Any]], name: str = "questions.jsonl") -> Path:
        file = self.folder / name
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return file

    def set(self, **values: Any) -> None:
        """Sets keys of ``mine.yaml``; two underscores stand for the dot."""
        file = self.folder / "mine.yaml"
        stated = yaml.safe_load(file.read_text(encoding="utf-8"))
        for key, value in values.items():
            place = stated
            *path, last = key.split("__")
            for part in path:
                place = place.setdefault(part, {})
            place[last] = value
        file.write_text(yaml.safe_dump(stated, sort_keys=False), encoding="utf-8")

    def files(self) -> dict[str, str]:
        """Every file below the folder with its hash; temporary ones would show."""
        return {
            path.relative_to(self.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


def _build(folder: Path, model: ModelConfig) -> None:
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
        "data": {"name": "house", "files": [str(folder / "questions.jsonl")]},
        "environment": {"turns": 1, "topology": "full", "revision_share": 0.5},
        "collect": {"samples": 3, "max_new_tokens": 4},
        "policy": {"rank": 2, "alpha": 8},
        "optimizer": {"learning_rate": 0.01, "warmup_steps": 1},
        "trainer": {"steps": 4, "queries_per_step": 2, "validate_every": 2, "resume_every": 2},
        # What asks in words says so: a random model's replies cannot be read (test_fit_words.py).
        "audit": {"max_new_tokens": 4, "queries_per_batch": 8, "answers": ["scored"]},
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(stated, sort_keys=False), encoding="utf-8")
    Project(folder).write_rows(_rows())


@pytest.fixture(scope="session")
def quiet() -> None:
    """No bars of loaded weights: the command line turns them off before it imports transformers."""
    from transformers.utils import logging

    logging.disable_progress_bar()


@pytest.fixture(scope="session")
def make_project(tiny_config: ModelConfig, quiet: None) -> Callable[[Path], Project]:
    """Makes a fresh project in a new folder."""

    def make(folder: Path) -> Project:
        _build(folder, tiny_config)
        return Project(folder)

    return make


@pytest.fixture
def project(
    make_project: Callable[[Path], Project],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    """A fresh project; the working folder is its folder."""
    made = replace(make_project(tmp_path / "project"), capture=capsys)
    monkeypatch.chdir(made.folder)
    return made


@pytest.fixture(scope="session")
def trained_project(make_project: Callable[[Path], Project], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose run ``mine`` is finished. Tests read it and change nothing in it."""
    made = make_project(tmp_path_factory.mktemp("trained") / "project")
    assert made.fit().code == 0
    return made


@pytest.fixture
def trained(trained_project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Project:
    """The finished project, as the working folder."""
    monkeypatch.chdir(trained_project.folder)
    return replace(trained_project, capture=capsys)


@pytest.fixture
def trained_copy(
    trained_project: Project,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    """A copy of the finished project that the test may change."""
    folder = tmp_path / "copy"
    shutil.copytree(trained_project.folder, folder)
    copy = Project(folder, capsys)
    for file in (folder / "mine.yaml", folder / "runs" / "mine" / "config.yaml"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(str(trained_project.folder), str(folder)), encoding="utf-8")
    monkeypatch.chdir(folder)
    return copy
