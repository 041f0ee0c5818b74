"""Revision turns: who hears what, which rows come of it, and what rests on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from trialign.asking import Answer, LocalAgents
from trialign.audit.asking.run import AuditConfig, Auditor
from trialign.audit.figures.analysis import analyze
from trialign.audit.files.items import AuditItem, items_frame
from trialign.environment import PromptConfig, Topology
from trialign.groups import GroupSet
from trialign.models import ChatRenderer
from trialign.policy import GroupPolicy
from trialign.queries import Query
from trialign.queries.types import TruthQuery
from trialign.scoring import Scoring
from trialign.weighing import Asked

from .test_run import Speakers

pytestmark = pytest.mark.unit

PROMPT = PromptConfig(options="lettered")


def audit(
    say: Callable[[Asked], str | Answer],
    groups: GroupSet,
    queries: Sequence[Query],
    topology: Topology = "full",
    repeats: int = 1,
    **config: int,
) -> list[AuditItem]:
    settings = AuditConfig(clarify=False, **config)  # type: ignore[arg-type]
    return Auditor(Speakers(say, repeats), groups, PROMPT, settings, topology=topology).run(queries, "test")


def test_members_hear_each_others_replies_and_answer_again(groups: GroupSet, queries: Sequence[Query]) -> None:
    asked: list[Asked] = []

    def say(one: Asked) -> str:
        asked.append(one)
        return f"{one.group.name} says {one.turn}"

    [capital] = [query for query in queries if query.query_id == "capital"]
    audit(say, groups, [capital], turns=2, wordings=2, repeats=2)
    alone = [one for one in asked if one.turn == 0]
    later = [one for one in asked if one.turn > 0]
    assert {one.group.name for one in alone} == {*groups.names, "control"}
    # The first wording, once, the members alone, in each turn.
    assert [(one.turn, one.group.name) for one in later] == [(turn, name) for turn in (1, 2) for name in groups.names]
    assert {(one.wording, one.repeat) for one in later} == {(0, 0)}
    last = later[-len(groups.names)]
    me, *others = groups.names
    first = next(one for one in alone if (one.group.name, one.wording, one.repeat) == (me, 0, 0))
    assert last.conversation == (
        *first.conversation,
        ("assistant", f"{me} says 0"),
        ("user", "\n".join([*(f"- {name} says 0" for name in others), PROMPT.revise])),
        ("assistant", f"{me} says 1"),
        ("user", "\n".join([*(f"- {name} says 1" for name in others), PROMPT.revise])),
    )
    # Nobody's profile but its own.
    told = " ".join(str(content) for _, content in last.conversation)
    assert not any(group.explicit[0] in told for group in groups.members if group.name != me)


def test_the_topology_says_who_is_heard(groups: GroupSet, queries: Sequence[Query]) -> None:
    heard: dict[str, str] = {}

    def say(one: Asked) -> str:
        if one.turn:
            heard[one.group.name] = str(one.conversation[-1][1])
        return f"by {one.group.name}"

    audit(say, groups, queries[:1], "star", turns=1)
    first, *others = groups.names
    assert all(f"- by {name}" in heard[first] for name in others)
    for name in others:
        assert f"- by {first}" in heard[name]
        assert heard[name].count("- by") == 1


def test_what_a_server_held_to_an_option_is_heard_as_that_option(groups: GroupSet, queries: Sequence[Query]) -> None:
    heard: list[str] = []

    def say(one: Asked) -> Answer:
        if one.turn:
            heard.append(str(one.conversation[-1][1]))
        return Answer('{"answer": "B"}', held=one.query.options[1])

    [capital] = [query for query in queries if query.query_id == "capital"]
    audit(say, groups, [capital], turns=1)
    assert heard
    assert all(f"- {capital.options[1]}" in one and 'answer"' not in one for one in heard)


def test_answers_of_later_turns_are_counted_as_flips_and_nothing_else(
    groups: GroupSet, queries: Sequence[Query]
) -> None:
    facts = [replace(query, split="test") for query in queries if isinstance(query, TruthQuery) and query.options]
    easily_led = groups.names[0]

    def say(one: Asked) -> str:
        right = one.query.gold if isinstance(one.query, TruthQuery) else ""
        wrong = next(option for option in one.query.options if option != right)
        return wrong if one.turn and one.group.name == easily_led else right

    items = audit(say, groups, facts, turns=1)
    assert Counter(item.turn for item in items) == {
        0: (len(groups.names) + 1) * len(facts),
        1: len(groups.names) * len(facts),
    }
    found = analyze(items_frame(items), groups.names)
    shares = {flips.group: (flips.right_to_wrong.value, flips.wrong_to_right.value) for flips in found.turns}
    assert shares == {name: (1.0 if name == easily_led else 0.0, 0.0) for name in groups.names}
    without = analyze(items_frame(audit(say, groups, facts)), groups.names)
    assert found.facts == without.facts
    assert found.verdict == without.verdict
    assert without.turns == ()


def test_agents_at_hand_answer_again(
    renderer: ChatRenderer, groups: GroupSet, queries: Sequence[Query], make_policy: Callable[..., GroupPolicy]
) -> None:
    agents = LocalAgents(make_policy(), renderer, Scoring(), 8, 4096)
    items = Auditor(agents, groups, PromptConfig(), AuditConfig(turns=1)).run(queries, "test")
    alone = Auditor(agents, groups, PromptConfig(), AuditConfig()).run(queries, "test")
    assert [item for item in items if item.turn == 0] == alone
    own = [item for item in items if item.turn == 1 and item.group == item.profile_group]
    assert {(item.query_id, item.group) for item in own} == {
        (q.query_id, name) for q in queries for name in groups.names
    }
    before = {(item.query_id, item.group): item for item in alone if item.group == item.profile_group}
    assert any(item.option_probabilities != before[item.query_id, item.group].option_probabilities for item in own)
