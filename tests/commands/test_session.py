"""What a configuration is turned into before any work begins."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from trialign.commands.session import Session
from trialign.composition import compose
from trialign.config import load
from trialign.errors import UserError

pytestmark = pytest.mark.unit


def session_of(project: Any, *words: str) -> Session:
    composed = compose(str(project.folder / "mine.yaml"), words)
    return Session(load(composed), composed)


def test_preferences_of_other_groups_are_left_out_and_counted(project: Any, caplog: pytest.LogCaptureFixture) -> None:
    rows = project.rows
    drink, walk = (next(row for row in rows if row["id"] == name) for name in ("drink", "walk"))
    drink["targets"] = {"age:young": [1, 0, 0], "age:old": [0, 0, 1]}
    walk["targets"] = {f"regions:{group}": target for group, target in walk["targets"].items()}
    project.write_rows(rows)
    session = session_of(project)
    with caplog.at_level(logging.INFO, logger="trialign"):
        assert [query.query_id for query in session.queries] == [row["id"] for row in rows if row["id"] != "drink"]
    assert [query.query_id for query in session.left_out] == ["drink"]
    assert "Left out 1 of the preference questions" in caplog.text


def test_the_files_of_a_run_without_other_groups_are_taken_whole(project: Any) -> None:
    session = session_of(project)
    assert session.left_out == ()
    assert len(session.queries) == len(project.rows)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["groups=regions"], "groups.members.north.implicit"),
        (["groups=politics", "groups.politics.members.moderate.implicit=null"], "groups.politics.members.moderate"),
    ],
)
def test_an_absent_profile_is_named_by_its_key(project: Any, words: list[str], key: str) -> None:
    with pytest.raises(UserError, match="has no implicit profile") as caught:
        session_of(project, *words).check_exposure("implicit")
    assert key in caught.value.remedy
