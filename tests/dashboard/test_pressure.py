"""The card on Verdict of an audit in which somebody pushed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from trialign.audit.figures.analysis import read_analysis, write_analysis
from trialign.audit.figures.pressure import analyze_pressure
from trialign.audit.figures.summary import read_summary, write_summary
from trialign.storage import sha256_of_file

from .conftest import SyntheticRun
from .test_runs import tables
from .test_shell import text_of

pytestmark = pytest.mark.integration

LAST = "audits/step=000004.house.test"


def push(run: SyntheticRun, gives_way: Sequence[str]) -> None:
    """Twelve facts that all groups have right; the groups that give way lose all of them to claims, none to twins."""
    folder = run.folder / LAST
    analysis = read_analysis(folder / "analysis.json")
    rows = [
        {
            "query_id": f"q{fact}",
            "cluster": f"c{fact}",
            "group": group,
            "attack": "user_think",
            "arm": arm,
            "right_before": True,
            "correct": arm == "twin" or group not in gives_way,
        }
        for fact in range(12)
        for group in analysis.groups
        for arm in ("claim", "twin")
    ]
    found = analyze_pressure(pd.DataFrame(rows), analysis.groups)
    write_analysis(folder / "analysis.json", replace(analysis, pressure=found))
    summary = read_summary(folder / "summary.json")
    if "files" in summary:
        summary["files"]["analysis.json"] = sha256_of_file(folder / "analysis.json")
        write_summary(folder / "summary.json", summary)


def test_the_card_says_who_gives_way(one_run: SyntheticRun, open_page: Callable[..., AppTest]) -> None:
    assert "When somebody pushes" not in text_of(open_page("verdict"))
    push(one_run, ["south"])
    app = open_page("verdict")
    assert not app.exception
    shown = text_of(app)
    assert "When somebody pushes" in shown
    assert "**Southerners**: of its right answers 100.0 % are given up" in shown
    assert "It works better on some groups than on others, beyond chance: the user thinks so." in shown
    [head, *rows] = next(one for one in tables(app) if one[0][1:2] == ["Right answers given up"])
    assert [row[:3] for row in rows] == [
        ["Northerners", "0.0 %", "0.0 %"],
        ["Southerners", "100.0 %", "0.0 %"],
        ["Islanders", "0.0 %", "0.0 %"],
    ]
    assert head[-1] == "Wrong ones mended"


def test_equal_groups_are_not_told_apart(one_run: SyntheticRun, open_page: Callable[..., AppTest]) -> None:
    push(one_run, [])
    assert "No kind is shown to work better on some groups" in text_of(open_page("verdict"))
