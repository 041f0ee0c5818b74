"""The exposure style: nothing but the way of writing tells who asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from trialign.api.session import Session
from trialign.composition import compose
from trialign.config import load
from trialign.environment import PromptConfig, first_turn, question_text, told_of
from trialign.errors import UserError
from trialign.group_config import build_groups
from trialign.groups import GroupSet, SocialGroup, cross
from trialign.queries import Query
from trialign.writing import Way

pytestmark = pytest.mark.unit

PROMPT = PromptConfig(options="listed")


def writing(groups: GroupSet, *ways: Way) -> SocialGroup:
    return replace(groups.members[0], style=ways)


def test_the_question_alone_is_written_otherwise(groups: GroupSet, queries: Sequence[Query]) -> None:
    [capital] = [query for query in queries if query.query_id == "capital"]
    north = writing(groups, "learner", "lower")
    system, (role, asked) = first_turn(capital, north, "style", 0, PROMPT)
    assert system == ("system", PROMPT.system)
    assert (role, asked) == ("user", "What is capital of France?\nChoose one answer:\n- Lyon\n- Paris")
    assert "what is the capital of France\n" in str(first_turn(capital, north, "style", 1, PROMPT)[1][1])
    assert north.wordings("style") == 2
    # The control is asked plainly, and no profile stands anywhere.
    control = groups.control
    assert control is not None
    assert first_turn(capital, control, "style", 0, PROMPT)[1][1] == question_text(capital, PROMPT)
    last = first_turn(capital, north, "style", 0, replace(PROMPT, profile="last"))
    assert [role for role, _ in last] == ["system", "user"]


def test_nothing_is_there_to_be_told_otherwise(groups: GroupSet, queries: Sequence[Query]) -> None:
    north = writing(groups, "typos")
    conversation = first_turn(queries[0], north, "style", 0, PROMPT)
    assert told_of(conversation, north, groups.members[1], "style", 0) == conversation


def test_a_collection_is_known_by_the_style_only_where_it_asks_so(project: Any) -> None:
    def name(*words: str) -> str:
        composed = compose(
            str(project.folder / "mine.yaml"), ["groups=english", "data.files=[embedded:facts.jsonl]", *words]
        )
        return Session(load(composed), composed).store.folder.name

    other = "groups.english.members.native.style=[typos]"
    assert name() == name(other)
    styled = "collect.exposures=[style]"
    assert len({name(), name(styled), name(styled, other)}) == 3


def test_styles_are_read_from_the_configuration_and_crossed(project: Any) -> None:
    composed = compose(str(project.folder / "mine.yaml"), ["groups=english"])
    groups = build_groups(composed["groups"])
    assert [group.style for group in groups.members] == [("dialect",), ("formal",), ("learner",)]
    assert {group.style for group in cross((groups, groups)).members} == {("dialect",), ("formal",), ("learner",)}
    shouted = ["groups=english", "groups.english.members.native.style=[shouted]"]
    composed = compose(str(project.folder / "mine.yaml"), shouted)
    with pytest.raises(UserError, match="'shouted', and there is no such way of writing"):
        build_groups(composed["groups"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["audit.exposures=[style]"], "The group 'north' has no style profile"),
        (["audit.exposures=[style]", "scoring.kind=pmi"], "tells who asks by the question alone"),
        (["audit.exposures=[style,style]"], "Name some of: explicit, implicit, style"),
    ],
)
def test_what_cannot_be_asked_so_is_refused(project: Any, words: list[str], said: str) -> None:
    composed = compose(str(project.folder / "mine.yaml"), words)

    def check() -> None:
        Session(load(composed), composed).check_audit()

    with pytest.raises(UserError) as caught:
        check()
    assert said in f"{caught.value}. {caught.value.remedy}"
