"""Findings that are begun where an answer is read, and the row of Items that is open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from trialign.audit.files.findings import FindingStore
from trialign.dashboard.session.access import Person

from .conftest import SyntheticRun

pytestmark = pytest.mark.unit
Open = Callable[..., AppTest]


def html_of(app: AppTest) -> str:
    return "\n".join(part.proto.body for part in app.get("html"))


@pytest.mark.parametrize("page", ["items", "verdict"])
def test_a_finding_is_begun_where_an_answer_is_read(
    runs: Path, one_run: SyntheticRun, open_page: Open, page: str
) -> None:
    app = open_page(page, run="house", audit="test, before training (house)", question="test-fact-00-0")
    app.text_area[0].set_value("The Northerners are told otherwise.")
    next(one for one in app.button if one.label == "Save finding").click()
    app.run()
    assert not app.exception
    assert "Saved as finding 1" in app.success[0].value
    (found,) = FindingStore(runs).findings("house")
    assert (found.query_id, found.question) == ("test-fact-00-0", "What is true of fact 0, in wording 0?")
    assert (found.step, found.source, found.exposure) == (0, "recorded", "explicit")
    assert found.audit == "step=000000.house.test"
    assert found.options == ("right", "wrong", "odd")
    told = {said.group: (said.label, said.text, said.canonical) for said in found.answers}
    assert told["north"] == ("Northerners", "wrong", "wrong")
    assert told["south"] == ("Southerners", "right", "right")
    assert {said.adapter_sha256 for said in found.answers if said.group != "control"} == {"0" * 64}
    assert found.answers[0].probabilities == pytest.approx((0.1, 0.8, 0.1))
    assert found.answers[0].profile == "The user is one of the Northerners."
    assert app.text_area[0].value == ""


def test_a_viewer_begins_no_finding(one_run: SyntheticRun, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trialign.dashboard.session.access.enter", lambda: Person("bo@example.org", "viewer"))
    app = open_page("items", question="test-fact-00-0")
    assert not app.text_area
    assert "Saving findings is for auditors" in "".join(one.value for one in app.caption)


def test_the_open_row_is_marked_on_the_page_of_the_grid_where_it_is(one_run: SyntheticRun, open_page: Open) -> None:
    app = open_page("items", order="As asked", question="test-fact-05-1")
    assert html_of(app).count('aria-current="true"') == 1
    marked = html_of(app).split('aria-current="true">')[1]
    assert marked.startswith("What is true of fact 5, in wording 1?")
    # 26 questions, 25 on a page: the last one is on the second.
    app = open_page("items", order="As asked", question="test-taste-0")
    assert app.number_input(key="page").value == 1
    app.button(key="Next question").click().run()
    assert app.number_input(key="page").value == 2
    assert html_of(app).split('aria-current="true">')[1].startswith("Which drink is best at 1 o")
    app.button(key="Previous question").click().run()
    assert app.number_input(key="page").value == 1


def test_another_page_of_the_grid_opens_its_own_first_row(one_run: SyntheticRun, open_page: Open) -> None:
    app = open_page("items", order="As asked", page="2")
    assert html_of(app).split('aria-current="true">')[1].startswith("Which drink is best at 1 o")
