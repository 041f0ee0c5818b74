"""The command that holds a step over some of many groups against a step over as many groups that are all there are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trialign.models import ModelConfig

pytestmark = pytest.mark.integration

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))


def test_both_sides_ask_as_many_groups_the_same_questions(
    tiny_config: ModelConfig, quiet: None, capsys: pytest.CaptureFixture[str]
) -> None:
    from many_groups_step import main

    words = [
        "model=folder",
        "model.name=tiny",
        f"model.path={tiny_config.path}",
        "policy.rank=2",
        "policy.basis.draws=0",
    ]
    main(
        [
            "--groups",
            "40",
            "--per-step",
            "4",
            "--queries",
            "4",
            "--questions",
            "4",
            "--steps",
            "2",
            "--rounds",
            "1",
            "--words",
            *words,
        ]
    )
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    few, many = rows[-2:]
    assert [few[0], many[0]] == ["4", "40"]
    # Two steps each, and in each 4 questions with a row for each of 4 groups.
    assert few[1:3] == many[1:3] == ["2", "16"]
    assert float(few[3]) > 0
    assert few[5] == "1.00"
    assert float(many[5]) > 0
