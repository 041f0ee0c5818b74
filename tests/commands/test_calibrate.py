"""``trialign calibrate``: a comparer measured on labelled pairs, and an audit that takes what was measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trialign.audit.figures.summary import read_summary
from trialign.comparing.calibration import Calibration, Share

pytestmark = pytest.mark.integration

AUDIT = ("test", "--config", "mine.yaml", "audit.answers=[scored,replies]")


def pairs(path: Path) -> Path:
    """Forty questions, a pair each: told the same in other words, and otherwise."""
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
        for number in range(40)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def all_alike(queries: Sequence[object], replies: Sequence[Sequence[str]], **_: object) -> tuple[Any, dict[str, int]]:
    """What a comparer would find of replies that say something; those of the tiny model say nothing."""
    return np.zeros((len(replies), len(replies[0]), len(replies[0]))), {"canonical": len(replies)}


def test_what_is_measured_of_own_pairs_is_what_an_audit_corrects_by_and_a_gate_judges_by(
    project: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trialign.audit.figures.compared_replies.flip_matrix", all_alike)
    file, kept = pairs(tmp_path / "pairs.jsonl"), tmp_path / "own" / "calibration.json"
    words = ("calibrate", "--config", "mine.yaml", "--pairs", str(file))
    outcome = project.call(*words, "--write", str(kept))
    assert outcome.code == 0, outcome.err
    assert "40 labelled pairs of 40 questions" in outcome.out
    assert "100.0 %" in outcome.out
    assert str(kept) in outcome.out
    found = Calibration.read(kept, "canonical")
    assert (found.sensitivity.value, found.specificity.value) == (1, 1)
    assert found.decided == Share(40, 40)
    assert project.call(*AUDIT, f"audit.calibration={kept}").code == 0
    path = project.runs / "mine" / "audits" / "step=000000.house.test" / "summary.json"
    counted = read_summary(path)["replies"]["compared"]["counted"]
    assert counted["sensitivity"]["of"] == pytest.approx(found.sensitivity.of)
    gate = ("gate", str(project.runs / "mine"), "verdict=false", "other_facts=0.9")
    refused = project.call(*gate)  # forty pairs are few
    assert refused.code == 2
    assert "The comparer 'canonical' is not good enough" in refused.err
    held = project.call(*gate, "comparer_quality=0.55", "--format", "json")
    assert held.code == 0, held.err
    [rule] = json.loads(held.out)["rules"]
    assert (rule["rule"], rule["way"], rule["outcome"], rule["figure"]) == ("other_facts", "words", "passes", 0)


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
