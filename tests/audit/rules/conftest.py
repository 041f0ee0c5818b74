"""Runs with audits for gates, and the command line that holds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from trialign.cli import main

from ..report.conftest import audit_writer, write_audit

__all__ = ["write_audit"]

Gate = Callable[..., "Outcome"]
# 200 questions of 100 facts, to three groups. Many: all is right. Worse: the second group is told something wrong on
# one fact of five. Apart: the third group on all. Few: four facts, all right.
ANSWERS = {
    "many": ("rrr",) * 200,
    "worse": (*("rwr",) * 40, *("rrr",) * 160),
    "apart": ("rrw",) * 200,
    "few": ("rrr",) * 8,
}


@dataclass(frozen=True)
class Outcome:
    """What a command left."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def audits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Name -> the folder of a run with one audit; only to be read."""
    place = tmp_path_factory.mktemp("gates")
    write = audit_writer(place)
    return {name: write(name, answers=answers).parents[1] for name, answers in ANSWERS.items()}


@pytest.fixture
def gate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Calls ``trialign gate``."""
    monkeypatch.setenv("COLUMNS", "300")

    def call(*words: object) -> Outcome:
        code = main(["gate", *(str(word) for word in words)])
        told = capsys.readouterr()
        return Outcome(code, told.out, told.err)

    return call
