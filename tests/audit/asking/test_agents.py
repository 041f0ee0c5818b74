"""Agents whose weights are at hand: how their replies end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from trialign.audit.asking.agents import Asked, LocalAgents
from trialign.audit.asking.run import AuditConfig, Auditor
from trialign.environment import PromptConfig
from trialign.errors import UserError
from trialign.groups import GroupSet
from trialign.models import ChatRenderer
from trialign.policy import GroupPolicy
from trialign.queries import Query
from trialign.scoring import Scoring

pytestmark = pytest.mark.unit


class Scripted:
    """A policy whose replies are given, token by token."""

    context_length = 1000

    def __init__(self, replies: Mapping[str, tuple[int, ...]]) -> None:
        self.replies = replies

    def generate(self, prompts: Sequence[Any], groups: Sequence[str], *_: Any, **__: Any) -> list[tuple[int, ...]]:
        return [self.replies[group] for group in groups]


def test_a_decoded_reply_without_its_end_was_cut_off(
    renderer: ChatRenderer, groups: GroupSet, queries: Sequence[Query]
) -> None:
    whole, cut = renderer.reply("It is 12"), renderer.encode("It is 12")
    replies = [whole, cut, renderer.encode("Well, 1 and"), (renderer.end_id,)]
    policy: Any = Scripted({group.name: reply for group, reply in zip(groups.everyone, replies, strict=True)})
    agents = LocalAgents(policy, renderer, Scoring(), 8, 4096)
    sums = [query for query in queries if query.query_id == "sum"]
    items = Auditor(agents, groups, PromptConfig(), AuditConfig()).run(sums, "test")
    found = [(item.answer, item.canonical, item.parse_status) for item in items]
    assert found == [
        ("It is 12", "12", "number"),
        ("It is 12", None, "cut_off"),  # 120, perhaps
        ("Well, 1 and", "1", "number"),
        ("", None, "none"),
    ]


def test_replies_are_decoded_within_the_budget_of_positions(
    renderer: ChatRenderer,
    groups: GroupSet,
    queries: Sequence[Query],
    make_policy: Callable[..., GroupPolicy],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = make_policy()
    longer = "What is 7 and 5, if one adds the one to the other with care?"
    first = next(query for query in queries if query.query_id == "sum")
    sums = [replace(first, query_id=str(n), question=longer if n % 2 else first.question) for n in range(4)]
    asked = [
        Asked(query, group, "explicit", 0, 0, (("system", "Help."), ("user", query.question)))
        for query in sums
        for group in groups.members
    ]
    at_once: list[list[int]] = []
    written = policy.generate

    def generate(prompts: Sequence[Any], *rest: Any, **more: Any) -> list[tuple[int, ...]]:
        at_once.append([len(prompt) for prompt in prompts])
        return written(prompts, *rest, **more)

    monkeypatch.setattr(policy, "generate", generate)
    whole = list(LocalAgents(policy, renderer, Scoring(), 8, 10**6).answer(asked))
    assert [len(prompts) for prompts in at_once] == [len(asked)]
    longest = max(at_once[0]) + 8
    at_once.clear()
    assert list(LocalAgents(policy, renderer, Scoring(), 8, 3 * longest).answer(asked)) == whole
    assert len({answer.text for answer in whole}) > 1
    assert all(len(prompts) * (max(prompts) + 8) <= 3 * longest for prompts in at_once)
    assert sum(map(len, at_once)) == len(asked)
    at_once.clear()
    assert list(LocalAgents(policy, renderer, Scoring(), 8, 1).answer(asked)) == whole
    assert [len(prompts) for prompts in at_once] == [1] * len(asked)


def test_the_longest_option_must_fit_the_context(
    renderer: ChatRenderer,
    groups: GroupSet,
    queries: Sequence[Query],
    make_policy: Callable[..., GroupPolicy],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agents = LocalAgents(make_policy(), renderer, Scoring(), 8, 4096)
    metal, number = (next(query for query in queries if query.query_id == name) for name in ("metal", "sum"))
    lengths = [len(renderer.reply(option)) for option in metal.options]
    assert min(lengths) < max(lengths)
    for query, reply in ((metal, max(lengths)), (number, 8)):
        asked = Asked(query, groups.members[0], "explicit", 0, 0, (("system", "Help."), ("user", query.question)))
        needed = len(renderer.render(asked.conversation)) + reply
        monkeypatch.setattr(GroupPolicy, "context_length", needed)
        assert len(list(agents.answer([asked]))) == 1
        monkeypatch.setattr(GroupPolicy, "context_length", needed - 1)
        with pytest.raises(UserError, match=f"group 'north' with question '{query.query_id}' takes {needed} tokens"):
            agents.answer([asked])
