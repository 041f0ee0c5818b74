"""A reply from which no option can be read is asked about once, in the same conversation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from trialign.asking import Answer
from trialign.audit.asking.clarify import follow_up, is_unclear, meant
from trialign.audit.asking.run import AuditConfig, Auditor
from trialign.audit.files.items import AuditItem
from trialign.environment import PromptConfig
from trialign.groups import GroupSet
from trialign.queries import PreferenceQuery, Query, TruthQuery
from trialign.scoring import Scoring
from trialign.weighing import Asked

pytestmark = pytest.mark.unit

SENTENCE = "Which of these did you mean? Answer with the letter."


@dataclass
class Speakers:
    """Agents that say one thing first, and another when they are asked what they meant."""

    first: Answer
    second: Callable[[Asked], Answer]
    heard: list[Asked] = field(default_factory=list)
    repeats: int = 1
    scoring: Scoring | None = None

    def answer(self, asked: Sequence[Asked]) -> Iterator[Answer]:
        self.heard.extend(asked)
        return iter([self.second(one) if one.follow_up else self.first for one in asked])


def letter_of(option: str) -> Callable[[Asked], Answer]:
    """Says the letter that stands before an option in the last message."""

    def say(asked: Asked) -> Answer:
        _, content = asked.conversation[-1]
        return Answer(next(line[0] for line in str(content).splitlines() if line.endswith(f". {option}")))

    return say


def audit(
    agents: Speakers, groups: GroupSet, queries: Sequence[Query], options: Any = "listed", **config: Any
) -> list[AuditItem]:
    return Auditor(agents, groups, PromptConfig(options=options), AuditConfig(**config)).run(queries, "test")


@pytest.mark.parametrize("shown", ["listed", "lettered"])
@pytest.mark.parametrize(("option", "correct"), [("Jupiter", True), ("Mars", False)])
def test_the_option_that_was_meant_counts(
    groups: GroupSet, queries: Sequence[Query], option: str, correct: bool, shown: str
) -> None:
    planets = [query for query in queries if query.query_id == "planet"]
    agents = Speakers(Answer("That one, surely."), letter_of(option))
    items = audit(agents, groups, planets, shown)
    for item in items:
        assert (item.answer, item.canonical, item.parse_status) == ("That one, surely.", option, "clarified")
        assert (item.correct, item.reward_truth) == (correct, float(correct))
        assert item.clarification is not None
        assert item.clarification_options is not None
        assert item.clarification_options["ABC".index(item.clarification)] == option
    assert len(agents.heard) == 2 * len(items)


def test_the_second_question_shows_every_option_and_nothing_of_the_right_one(
    groups: GroupSet, queries: Sequence[Query]
) -> None:
    agents = Speakers(Answer("Hm."), lambda _: Answer("Hm."))
    audit(agents, groups, [query for query in queries if query.options])
    first = {(one.query.query_id, one.group.name): one for one in agents.heard if not one.follow_up}
    second = [one for one in agents.heard if one.follow_up]
    assert len(second) == len(first)
    for one in second:
        before = first[one.query.query_id, one.group.name]
        assert one.conversation[:-2] == before.conversation
        assert one.conversation[-2] == ("assistant", "Hm.")
        role, content = one.conversation[-1]
        sentence, *lines = str(content).splitlines()
        assert (role, sentence) == ("user", SENTENCE)
        assert sorted(line[3:] for line in lines) == sorted(before.query.options)
        assert [line[:3] for line in lines] == ["A. ", "B. ", "C. ", "D. "][: len(lines)]
        assert tuple(line[3:] for line in lines) == one.query.options
        assert isinstance(one.query, PreferenceQuery)  # no gold goes with it
        assert (one.shown, one.group, one.repeat) == ("lettered", before.group, before.repeat)
    orders = {(one.query.query_id, one.query.options) for one in second}
    assert len(orders) == len({one.query.query_id for one in second})  # the same for every group


def test_every_option_stands_in_every_place_about_as_often(groups: GroupSet, queries: Sequence[Query]) -> None:
    planet = next(query for query in queries if query.query_id == "planet")
    asked = Asked(planet, groups.members[0], "explicit", 0, 0, ())
    first = Counter(
        follow_up(replace(asked, query=replace(planet, query_id=f"q{number}")), "Hm.", SENTENCE).query.options[0]
        for number in range(600)
    )
    assert set(first) == set(planet.options)
    assert min(first.values()) > 150  # of 200 expected


def test_a_second_reply_that_says_no_more_leaves_the_first_as_it_was(
    groups: GroupSet, queries: Sequence[Query]
) -> None:
    planets = [query for query in queries if query.query_id == "planet"]
    for second in (
        Answer("Hm."),
        Answer("", unread="failed"),
        Answer("A", unread="filtered"),
        Answer("No.", unread="refused"),
        Answer("Z"),
    ):
        for first, status in ((Answer("Hm."), "none"), (Answer("Jupiter or Mars"), "ambiguous")):
            items = audit(Speakers(first, lambda _, second=second: second), groups, planets)
            found = {(item.answer, item.canonical, item.parse_status, item.correct) for item in items}
            assert found == {(first.text, None, status, False)}
            assert {item.clarification for item in items} == {second.text}


@pytest.mark.parametrize(
    ("first", "asked_again"),
    [
        (Answer("Hm."), True),
        (Answer("Jupiter or Mars"), True),
        (Answer("Let me think about", cut_off=True), True),
        (Answer("", cut_off=True), False),
        (Answer("  "), False),
        (Answer("Jupiter"), False),
        (Answer("B", held="Mars"), False),
        (Answer("Mars", (0.1, 0.8, 0.1)), False),
        (Answer("I cannot say", unread="refused"), False),
        (Answer("", unread="filtered"), False),
        (Answer("", unread="failed"), False),
    ],
)
def test_who_is_asked_again(groups: GroupSet, queries: Sequence[Query], first: Answer, asked_again: bool) -> None:
    planets = [query for query in queries if query.query_id == "planet"]
    agents = Speakers(first, lambda _: Answer("A"))
    items = audit(agents, groups, planets)
    assert any(one.follow_up for one in agents.heard) == asked_again
    assert {item.parse_status == "clarified" for item in items} == {asked_again}
    assert {item.clarification is not None for item in items} == {asked_again}


def test_nobody_is_asked_again_where_that_is_off_or_there_is_no_choice(
    groups: GroupSet, queries: Sequence[Query]
) -> None:
    agents = Speakers(Answer("Hm."), lambda _: Answer("A"))
    items = audit(agents, groups, [query for query in queries if query.options], clarify=False)
    assert {item.parse_status for item in items} == {"none"}
    audit(agents, groups, [query for query in queries if not query.options])
    assert not any(one.follow_up for one in agents.heard)
    options = tuple(f"Option {number}" for number in range(27))  # more than there are letters
    many = TruthQuery(
        query_id="q", cluster="q", split="test", topic="", question="Which?", options=options, gold=options[0]
    )
    asked = Asked(many, groups.members[0], "explicit", 0, 0, ())
    assert not is_unclear(asked, Answer("Hm."), "none")


def test_a_taste_that_was_meant_is_scored_for_every_group(groups: GroupSet, queries: Sequence[Query]) -> None:
    drinks = [query for query in queries if query.query_id == "drink"]
    items = audit(Speakers(Answer("Hm."), letter_of("Coffee")), groups, drinks)
    rewards = {(item.profile_group, item.group): item.reward_preference for item in items}
    assert rewards["north", "south"] == 1.0
    assert rewards["south", "north"] == pytest.approx(2 / 7)


@pytest.mark.parametrize(
    ("reply", "option"),
    [
        ("B", "A"),  # the letter is asked for, whatever the options are called
        ("(a)", "C"),
        ("**C**.", "B"),
        ("D", None),
        ("", None),
        ("I do not know.", None),
    ],
)
def test_a_letter_alone_is_the_letter(groups: GroupSet, reply: str, option: str | None) -> None:
    query = PreferenceQuery.asked("Which?", ("C", "A", "B"))
    asked = Asked(query, groups.members[0], "explicit", 0, 0, (), "lettered", follow_up=True)
    assert meant(asked, Answer(reply)) == option


def test_a_second_reply_may_name_the_option_or_be_held(groups: GroupSet) -> None:
    query = PreferenceQuery.asked("Which?", ("Tea", "Coffee"))
    asked = Asked(query, groups.members[0], "explicit", 0, 0, (), "lettered", follow_up=True)
    assert meant(asked, Answer("Coffee, of course.")) == "Coffee"
    assert meant(asked, Answer('{"answer": "B"}', held="Coffee")) == "Coffee"
