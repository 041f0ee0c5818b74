from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from trialign.audit.report.terminal import words_table

pytestmark = pytest.mark.unit


def printed(compared: dict[str, Any] | None) -> str:
    alone = dict.fromkeys(("mean", "flip_rate", "unanimous", "consistent_wrong", "no_answer"), 0.5)
    by_group = {"north": 0.5, "south": 0.5}
    replies = {**alone, "accuracy": by_group, "refused": by_group, "noticed": {}, "compared": compared}
    table = words_table({"groups": ["north", "south"], "replies": replies})
    console = Console(width=160)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_flips_stand_raw_and_corrected_beside_what_the_comparer_gets_wrong() -> None:
    both = {"raw": [0.3, 0.2, 0.4], "corrected": [0.25, None, None]}
    right = {"sensitivity": [0.99, 0.95, 1.0], "specificity": [0.47, 0.38, 0.56]}
    said = printed({**right, "flips": both, "within": both, "excess": None})
    rows = [" ".join(line.replace("│", " ").split()) for line in said.splitlines()]
    assert "pairs that say another fact, raw 0.300 [0.200, 0.400]" in rows
    assert "pairs that say another fact, corrected 0.250" in rows
    assert "sensitivity of the comparer 0.990 [0.950, 1.000]" in rows
    assert "specificity of the comparer 0.470 [0.380, 0.560]" in rows
    assert "beyond" not in said


@pytest.mark.parametrize("compared", [None, {"flips": None}])
def test_what_was_not_compared_is_not_shown(compared: dict[str, Any] | None) -> None:
    assert "another fact" not in printed(compared)
