"""What a teacher is told, by the kind of what it is asked, and what the agent that learns from it reads."""

from __future__ import annotations

from typing import Any

import pytest

from trialign.environment import PromptConfig
from trialign.groups import GroupSet
from trialign.queries import MixedQuery, PreferenceQuery, Query, TruthQuery
from trialign.trajectories.teacher import Teacher, asked_openly, instructions, is_taught

pytestmark = pytest.mark.unit

LISTED = PromptConfig(options="listed")


@pytest.fixture
def teacher(groups: GroupSet) -> Teacher:
    nobody: Any = None  # what is told needs no model
    return Teacher(nobody, groups, LISTED, "explicit", 0, 4)


def words(conversation: Any) -> str:
    return "\n".join(content for _, content in conversation)


def test_of_facts_it_knows_the_answer_and_no_profile(
    teacher: Teacher, queries: tuple[Query, ...], groups: GroupSet
) -> None:
    facts = [query for query in queries if isinstance(query, TruthQuery)]
    assert facts
    for query in facts:
        if isinstance(query, MixedQuery):
            continue
        ((asked, answer),) = teacher._told(query)
        assert answer == query.gold
        assert f"{query.question}\nThe right answer is: {query.gold}." in words(asked.conversation)
        assert not any(text in words(asked.conversation) for group in groups.members for text in group.explicit)


def test_of_tastes_each_groups_knows_its_profile_and_its_favourite(
    teacher: Teacher, queries: tuple[Query, ...], groups: GroupSet
) -> None:
    query = next(query for query in queries if isinstance(query, PreferenceQuery) and query.targets)
    told = teacher._told(query)
    assert [answer for _, answer in told] == ["Tea", "Coffee", "Cold milk"]
    for (asked, answer), group in zip(told, groups.members, strict=True):
        assert f"A good choice for this user is: {answer}." in words(asked.conversation)
        assert any(text in words(asked.conversation) for text in group.explicit)


def test_of_an_instruction_it_knows_the_profile_alone(teacher: Teacher, groups: GroupSet) -> None:
    for (asked, answer), group in zip(teacher._told(instructions()[0]), groups.members, strict=True):
        assert answer is None
        assert asked == asked_openly(instructions()[0], group, "explicit", asked.wording, LISTED)


def test_the_agent_reads_neither_what_the_teacher_was_told_nor_options(
    queries: tuple[Query, ...], groups: GroupSet
) -> None:
    for query in queries:
        for group in groups.members:
            said = words(asked_openly(query, group, "explicit", 0, LISTED).conversation)
            assert said.endswith(query.question)
            assert group.explicit[0] in said
            assert "answer is" not in said
            assert not any(f"- {option}" in said for option in query.options)


def test_instructions_are_many_and_different_and_a_share_is_drawn_by_id(queries: tuple[Query, ...]) -> None:
    texts = [query.question for query in instructions()]
    assert len(set(texts)) == len(texts) >= 200
    taught = [[query.query_id for query in instructions() if is_taught(query, share)] for share in (0, 0.3, 0.6, 1)]
    assert taught[0] == []
    assert len(taught[3]) == len(texts)
    assert set(taught[1]) < set(taught[2])
    assert not any(is_taught(query, 1) for query in queries if isinstance(query, MixedQuery))
