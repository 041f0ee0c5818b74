"""What a teacher is told, by the kind of what it is asked, and what the agent that learns from it reads."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest

from trialign.asking import Answer
from trialign.environment import PromptConfig
from trialign.groups import GroupSet
from trialign.queries import MixedQuery, PreferenceQuery, Query, TruthQuery
from trialign.queries.types import Translation
from trialign.trajectories.teacher import OF_FACTS, OF_TASTES, Teacher, asked_openly, instructions, is_taught, states

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


def test_examples_go_before_the_question_and_after_what_the_teacher_is(
    teacher: Teacher, queries: tuple[Query, ...]
) -> None:
    query = next(query for query in queries if isinstance(query, PreferenceQuery) and query.targets)
    asked, _ = teacher._told(query)[0]
    plain = asked_openly(query, asked.group, "explicit", asked.wording, LISTED).conversation
    assert asked.conversation[: len(plain) - 1] == plain[:-1]
    added = asked.conversation[len(plain) - 1 :]
    assert [role for role, _ in added] == ["user", "assistant"] * len(OF_TASTES.examples) + ["user"]
    assert [added[place][1] for place in range(1, len(added), 2)] == [reply for *_, reply in OF_TASTES.examples]
    assert str(added[0][1]).endswith(
        "A good choice for this user is: a tomato soup. Answer in one sentence that recommends it."
    )


def test_the_dialogue_that_reveals_a_profile_stays_before_the_examples(
    groups: GroupSet, queries: tuple[Query, ...]
) -> None:
    nobody: Any = None
    teacher = Teacher(nobody, groups, LISTED, "implicit", 0, 4)
    query = next(query for query in queries if isinstance(query, PreferenceQuery) and query.targets)
    for (asked, _), group in zip(teacher._told(query), groups.members, strict=True):
        plain = asked_openly(query, group, "implicit", asked.wording, LISTED).conversation
        assert sum(role == "user" for role, _ in plain) > 1
        assert asked.conversation[: len(plain) - 1] == plain[:-1]


def test_no_example_is_a_question_that_is_asked() -> None:
    """What a teacher is shown is no knowledge of what is audited."""
    data = files("trialign") / "data"
    lines = [
        line for name in ("facts", "preferences") for line in (data / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
    asked = {json.loads(line)["question"] for line in lines}
    assert len(asked) > 1000
    for hint in (OF_FACTS, OF_TASTES):
        for question, answer, reply in hint.examples:
            assert question not in asked
            assert answer.split()[-1].lower() in reply.lower()


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("You should knit a scarf today.", True),
        ("You could knit a scarf today, which is a wonderful thing.", True),  # cannot be read, and names it alone
        ("You could not knit a scarf today.", False),
        ("You could knit a scarf or sing a song.", False),
        ("You should sing a song.", False),
        ("A warm drink is a wonderful thing.", False),
        ("I cannot recommend to knit a scarf.", False),
    ],
)
def test_a_reply_states_what_its_teacher_was_told_where_it_says_it_and_nothing_else(
    reply: str, expected: bool, groups: GroupSet
) -> None:
    query = PreferenceQuery.asked("What should I do on a snow day?", ("sing a song", "knit a scarf"))
    asked = asked_openly(query, groups.members[0], "explicit", 0, LISTED)
    assert states(asked, Answer(reply), "knit a scarf") is expected


def test_of_a_fact_the_right_answer_is_stated_by_any_of_its_names(groups: GroupSet) -> None:
    query = TruthQuery(
        query_id="t",
        cluster="t",
        split="train",
        topic="",
        question="Who wrote it?",
        answer_kind="text",
        gold="Samuel Clemens",
        aliases=("Mark Twain",),
    )
    asked = asked_openly(query, groups.members[0], "explicit", 0, LISTED)
    assert states(asked, Answer("Mark Twain"), query.gold)
    assert not states(asked, Answer("Jane Austen"), query.gold)


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


def test_a_question_that_groups_are_asked_in_several_languages_has_no_teacher(queries: tuple[Query, ...]) -> None:
    [metal] = [query for query in queries if query.query_id == "metal"]
    french = Translation(question="Quel métal est liquide ?", options=("Fer", "Or", "Mercure", "Étain"))
    assert is_taught(metal, 1)
    assert not is_taught(replace(metal, texts={"fr": french}), 1)
