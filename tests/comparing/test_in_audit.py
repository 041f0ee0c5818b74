"""An audit in words opens its comparer before it asks, and says what was compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trialign.audit.figures.summary import read_summary
from trialign.comparing.calibration import Calibration, Share
from trialign.comparing.entailment import Entailment
from trialign.comparing.opening import identity

pytestmark = pytest.mark.integration

COMMAND = ("test", "--config", "mine.yaml", "audit.answers=[scored,replies]")


def section(project: Any) -> dict[str, Any]:
    path = project.runs / "mine" / "audits" / "step=000000.house.test" / "summary.json"
    found: dict[str, Any] = read_summary(path)["replies"]["compared"]
    return found


def test_an_audit_in_words_says_which_replies_state_the_same(project: Any) -> None:
    outcome = project.call(*COMMAND)
    assert outcome.code == 0
    found = section(project)
    assert found["comparer"] == "canonical"
    assert sum(found["told"].values()) == 4 * 3  # the pairs of three groups, to four questions
    assert found["sensitivity"][0] >= 0.98
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["flips"] is None or "pairs that say another fact, corrected" in outcome.out


def test_entailment_compares_where_it_is_named_and_measured(project: Any, make_classifier: Callable[..., Path]) -> None:
    """The planted model finds that everything entails everything: what canonical answers cannot tell is the same."""
    model = make_classifier({0: "neutral", 1: "entailment", 2: "contradiction"}, longest=4096)
    refused = project.call(*COMMAND, "audit.comparer=nli", f"audit.nli={model}")
    assert refused.code == 2
    assert "was not measured" in refused.err
    assert not (project.runs / "mine" / "audits").exists()  # said before anything was asked
    name = identity(Entailment.load(str(model)), None)
    Calibration(name, "", Share(90, 100), Share(80, 100), Share(200, 200), {}).write(model / "calibration.json")
    assert project.call(*COMMAND, "audit.comparer=nli", f"audit.nli={model}").code == 0
    found = section(project)
    assert found["comparer"] == name
    assert found["sensitivity"][0] == 0.9
    assert found["told"].keys() <= {"nli", "canonical", "unread"}
