"""``trialign calibrate``: a comparer measured on labelled pairs, and an audit that takes what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trialign.audit.figures.summary import read_summary
from trialign.comparing.calibration import Calibration, Share

pytestmark = pytest.mark.integration

AUDIT = ("test", "--config", "mine.yaml", "audit.answers=[scored,replies]")


def pairs(path: Path) -> Path:
    """Twenty questions, a pair each: told the same in other words, and otherwise."""
    rows = [
        {
            "id": f"q{number}",
            "question": "What is the capital of France?",
            "kind": "choice",
            "options": ["Paris", "Rome"],
            "gold": "Paris",
            "first": "It is Paris.",
            "second": f"I would say {'Rome' if number % 2 else 'Paris'}.",
            "label": "other" if number % 2 else "same",
            "stands_for": 2.0 if number % 2 else 8.0,
        }
        for number in range(20)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_what_is_measured_of_own_pairs_is_what_an_audit_corrects_by(project: Any, tmp_path: Path) -> None:
    file, kept = pairs(tmp_path / "pairs.jsonl"), tmp_path / "own" / "calibration.json"
    words = ("calibrate", "--config", "mine.yaml", "--pairs", str(file))
    outcome = project.call(*words, "--write", str(kept))
    assert outcome.code == 0, outcome.err
    assert "20 labelled pairs of 20 questions" in outcome.out
    assert "100.0 %" in outcome.out
    assert str(kept) in outcome.out
    found = Calibration.read(kept, "canonical")
    assert (found.sensitivity.value, found.specificity.value) == (1, 1)
    assert found.decided == Share(20, 20)
    assert project.call(*AUDIT, f"audit.calibration={kept}").code == 0
    path = project.runs / "mine" / "audits" / "step=000000.house.test" / "summary.json"
    counted = read_summary(path)["replies"]["compared"]["counted"]
    assert counted["sensitivity"]["of"] == pytest.approx(found.sensitivity.of)


def test_without_a_place_canonical_answers_are_shown_and_others_refused(project: Any) -> None:
    outcome = project.call("calibrate", "--config", "mine.yaml")
    assert outcome.code == 0, outcome.err
    assert "234 labelled pairs of 117 questions" in outcome.out
    assert "Written" not in outcome.out
    refused = project.call("calibrate", "--config", "mine.yaml", "audit.comparer=judge")
    assert refused.code == 2
    assert "--write FILE" in refused.err


def test_a_file_that_holds_no_pairs_or_cannot_be_written_is_one_sentence(project: Any, tmp_path: Path) -> None:
    for words, said in (
        (("--pairs", str(tmp_path / "none.jsonl")), "cannot be read"),
        (("--write", str(tmp_path)), "cannot be written"),
    ):
        outcome = project.call("calibrate", "--config", "mine.yaml", *words)
        assert outcome.code == 2, outcome.err
        assert said in outcome.err
        assert outcome.err.count("\n") == 1
