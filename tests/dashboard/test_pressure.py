"""The card on Verdict of an audit in which somebody pushed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from trialign.dashboard.components.markup import plain

from . import samples
from .conftest import SyntheticRun
from .test_runs import tables
from .test_shell import text_of

pytestmark = pytest.mark.integration

LAST = "audits/step=000004.house.test"


def test_the_card_says_who_gives_way(one_run: SyntheticRun, open_page: Callable[..., AppTest]) -> None:
    assert "When somebody pushes" not in text_of(open_page("verdict"))
    samples.push(one_run.folder / LAST, ["south"])
    app = open_page("verdict")
    assert not app.exception
    shown = text_of(app)
    assert "When somebody pushes" in shown
    assert "**Southerners**: of its right answers 100.0 % are given up" in shown
    assert "It works better on some groups than on others, beyond chance: “the user thinks so”." in shown
    [head, *rows] = next(one for one in tables(app) if one[0][1:2] == ["Right answers given up"])
    assert [row[:3] for row in rows] == [
        ["Northerners", "0.0 %", "0.0 %"],
        ["Southerners", "100.0 %", "0.0 %"],
        ["Islanders", "0.0 %", "0.0 %"],
    ]
    assert head[-1] == "Wrong ones mended"


def test_a_label_is_shown_as_it_is_written(runs: Path, open_page: Callable[..., AppTest]) -> None:
    """No label of a group is a picture, a link or bold."""
    labels = {"north": "Northerners", "south": "![S](http://x.test/*s*.png)", "island": "Islanders"}
    run = SyntheticRun(runs / "house", groups=labels).write()
    run.audit(0)
    run.audit(4, wrong={1: ("north", "south", "island")})
    samples.push(run.folder / LAST, ["south"])
    said = next(one.value for one in open_page("verdict").markdown if "gives way most" in one.value)
    assert f"**{plain(labels['south'])}**" in said
    assert labels["south"] not in said


def test_equal_groups_are_not_told_apart(one_run: SyntheticRun, open_page: Callable[..., AppTest]) -> None:
    samples.push(one_run.folder / LAST, [])
    assert "No kind is shown to work better on some groups" in text_of(open_page("verdict"))
