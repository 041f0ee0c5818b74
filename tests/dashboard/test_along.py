"""Groups that state an age, and very many groups, on the pages that show audits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from . import samples
from .conftest import SyntheticRun
from .test_runs import tables
from .test_shell import text_of

pytestmark = pytest.mark.integration
Open = Callable[..., AppTest]


def column(app: AppTest, named: str) -> list[str]:
    """The first column of the table that has a column of this name."""
    [found] = [one for one in tables(app) if named in one[0]]
    return [cells[0] for cells in found[1:]]


def test_groups_shows_the_curve_with_its_table(one_run: SyntheticRun, open_page: Open) -> None:
    assert "Along what the groups state" not in [header.value for header in open_page("groups").header]
    samples.state_ages(one_run.folder / "audits/step=000004.house.test", {"north": 20, "south": 45, "island": 75})
    app = open_page("groups")
    assert "Along what the groups state" in [header.value for header in app.header]
    assert "Along age in years:" in text_of(app)
    assert column(app, "Band") == ["20", "45", "75"]
    assert column(app, "Pairs") == ["25", "30", "55"]


@pytest.fixture
def many(runs: Path) -> SyntheticRun:
    return samples.many(runs)


def test_many_groups_are_searched_for(many: SyntheticRun, open_page: Open) -> None:
    app = open_page("groups")
    headers = [header.value for header in app.header]
    assert "How far are the groups apart, beyond chance?" in headers
    assert "Do they give the same answers?" not in headers  # a table of 60 by 60
    assert "The right answers of 60 groups" in text_of(app)
    assert "60 of 60 groups; the table has the 20 with the fewest right answers" in text_of(app)
    assert "Of 1,770 pairs these are the 20 with the largest differences" in text_of(app)
    app.text_input(key="find_groups").set_value("7 YEARS").run()
    found = column(app, "From the mean of all")
    assert sorted(found) == [f"{age} years" for age in (*range(27, 70, 10), *range(70, 80))]
    assert set(found[:10]) == {f"{age} years" for age in range(70, 80)}  # the lowest come first
    app.text_input(key="find_groups").set_value("nobody").run()
    assert "0 of 60 groups" in text_of(app)
    assert not app.exception


@pytest.mark.parametrize("page", ["verdict", "items", "training"])
def test_other_pages_draw_some_of_them(many: SyntheticRun, open_page: Open, page: str) -> None:
    app = open_page(page)
    said = {
        "verdict": "The lowest 30 of 60 groups are drawn",
        "items": "The two lowest and the two highest are there at first",
        "training": "The 30 are drawn that rose least",
    }[page]
    assert said in text_of(app)
    if page == "verdict":  # of each of the worst questions how many groups said what, not who
        assert "10 of 60 groups" in text_of(app)
