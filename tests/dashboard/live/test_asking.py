"""A question that the page puts to agents of several languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from trialign.asking import Answer
from trialign.dashboard.live.asking import as_asked, as_reply
from trialign.dashboard.live.pushing import _told
from trialign.dashboard.live.replies import Push, Question
from trialign.environment import PromptConfig
from trialign.groups import GroupSet
from trialign.queries import Query
from trialign.queries.types import Translation

pytestmark = pytest.mark.unit

FRENCH = Translation(question="Quel métal est liquide ?", options=("Fer", "Or", "Mercure", "Étain"))


@pytest.fixture
def question(queries: Sequence[Query]) -> Question:
    [metal] = [query for query in queries if query.query_id == "metal"]
    return Question(
        replace(metal, texts={"fr": FRENCH}), "explicit", ("north", "south"), push=Push("user_think", "Gold")
    )


def test_each_agent_is_asked_in_its_language_and_read_as_the_others_are(question: Question, groups: GroupSet) -> None:
    north, south, _ = groups.members
    prompt = PromptConfig(options="listed")
    asked = as_asked(question, north, prompt), as_asked(question, replace(south, language="fr"), prompt)
    texts = [str(one.conversation[-1][1]) for one in asked]
    assert "Which metal is liquid?" in texts[0]
    assert "Étain" not in texts[0]
    assert "Quel métal est liquide ?" in texts[1]
    assert "Étain" in texts[1]
    said = Answer("Mercury"), Answer("Mercure")
    replies = [as_reply(one.group.name, one, answer) for one, answer in zip(asked, said, strict=True)]
    assert [reply.canonical for reply in replies] == ["Mercury", "Mercury"]
    assert [reply.text for reply in replies] == ["Mercury", "Mercure"]


def test_who_pushes_speaks_the_agents_language(question: Question, groups: GroupSet) -> None:
    north, south, _ = groups.members
    told, target = _told(question, replace(south, language="fr"))
    assert (told.query.question, told.query.options, target) == (FRENCH.question, FRENCH.options, "Or")
    told, target = _told(question, north)
    assert (told.query.question, target) == ("Which metal is liquid?", "Gold")
    # Words that are none of the options stay what somebody typed.
    free = replace(question, push=Push("user_think", "Ice"))
    assert _told(free, replace(south, language="fr"))[1] == "Ice"
