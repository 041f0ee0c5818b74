"""Agents whose weights are at hand: how their replies end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    def __init__(self, replies: Sequence[tuple[int, ...]]) -> None:
        self.replies = list(replies)

    def generate(self, prompts: Sequence[Any], *_: Any, **__: Any) -> list[tuple[int, ...]]:
        return [self.replies.pop(0) for _ in prompts]


def test_a_decoded_reply_without_its_end_was_cut_off(
    renderer: ChatRenderer, groups: GroupSet, queries: Sequence[Query]
) -> None:
    whole, cut = renderer.reply("It is 12"), renderer.encode("It is 12")
    policy: Any = Scripted([whole, cut, renderer.encode("Well, 1 and"), (renderer.end_id,)])
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
