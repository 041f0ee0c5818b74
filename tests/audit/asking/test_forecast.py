"""What an audit would ask, against what it asks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from trialign.audit.asking.attacks import attacks_of
from trialign.audit.asking.endpoint import EndpointAgents
from trialign.audit.asking.forecast import Forecast, forecast, forecast_pressure, rough_tokens
from trialign.audit.asking.pressing import press
from trialign.audit.asking.run import AuditConfig, Auditor, Unasked
from trialign.endpoint.answers import AnswerFile
from trialign.endpoint.client import Client
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.door import Agreed
from trialign.endpoint.spending import Spending, Usage
from trialign.environment import PromptConfig
from trialign.errors import UnfinishedError
from trialign.groups import GroupSet
from trialign.queries import Query

pytestmark = pytest.mark.unit

PROMPT = PromptConfig(options="lettered")


class Served:
    """A model that says "A", behind an address that counts tokens as a forecast estimates them."""

    def __init__(self, folder: Path, groups: GroupSet, config: AuditConfig, spending: Spending) -> None:
        self.spending, self.requests = spending, 0
        endpoint = EndpointConfig(repeats=2, concurrent_requests=1)
        client = Client("http://server.test/v1", None, endpoint, transport=httpx2.MockTransport(self._answer))
        answers = AnswerFile(folder / "answers.jsonl")
        agents = EndpointAgents(client, "served", endpoint, Agreed(), 8, answers, 0, spending=spending)
        self.auditor = Auditor(agents, groups, PROMPT, config)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        messages = [(one["role"], one["content"]) for one in json.loads(request.content)["messages"]]
        usage = {"prompt_tokens": rough_tokens(tuple(messages)), "completion_tokens": 3}
        said = {"message": {"role": "assistant", "content": "A"}, "finish_reason": "stop"}
        return httpx2.Response(200, json={"model": "m", "choices": [said], "usage": usage})


@pytest.fixture
def choices(queries: Sequence[Query]) -> list[Query]:
    return [query for query in queries if query.options]


def unasked(groups: GroupSet, config: AuditConfig, repeats: int = 1, **more: Any) -> Auditor:
    return Auditor(Unasked(repeats), groups, PROMPT, config, **more)


def test_as_much_is_asked_as_was_foretold(groups: GroupSet, choices: list[Query], tmp_path: Path) -> None:
    config = AuditConfig(wordings=2, max_new_tokens=8)
    spending = Spending()
    scored, replied = forecast(unasked(groups, config, repeats=2), choices, rough_tokens)
    served = Served(tmp_path, groups, config, spending)
    served.auditor.run(choices, "test")
    assert scored == Forecast(0, 0, 0)
    assert spending.used == Usage(replied.requests, replied.prompt_tokens, 3 * replied.requests)
    assert replied.most_reply_tokens == 8 * replied.requests
    assert served.requests == replied.requests > len(choices) * len(groups.everyone) * 2


def test_what_was_answered_is_neither_asked_nor_paid_again(
    groups: GroupSet, choices: list[Query], tmp_path: Path
) -> None:
    config = AuditConfig()
    first = Served(tmp_path, groups, config, Spending())
    items = first.auditor.run(choices, "test")
    again = Served(tmp_path, groups, config, Spending(most_tokens=1))
    assert again.auditor.run(choices, "test") == items
    assert again.requests == 0
    assert again.spending.used == Usage(kept=first.requests)


def test_an_audit_stops_at_its_limit_and_the_same_command_goes_on(
    groups: GroupSet, choices: list[Query], tmp_path: Path
) -> None:
    config = AuditConfig()
    whole = Served(tmp_path / "whole", groups, config, Spending())
    expected = whole.auditor.run(choices, "test")
    limit = (whole.spending.used.prompt_tokens + whole.spending.used.reply_tokens) // 3
    asked, stops = 0, 0
    while True:
        part = Served(tmp_path / "parts", groups, config, Spending(most_tokens=limit))
        try:
            found = part.auditor.run(choices, "test")
            break
        except UnfinishedError:
            stops, asked = stops + 1, asked + part.requests
    assert found == expected
    assert stops >= 2
    assert asked + part.requests == whole.requests
    assert part.spending.used.kept == asked


def test_scored_options_are_sent_each_with_the_prompt(groups: GroupSet, choices: list[Query]) -> None:
    fact = next(query for query in choices if query.kind == "truth")
    sizes = list(range(2, 2 + len(fact.options)))
    scored, replied = forecast(unasked(groups, AuditConfig()), [fact], lambda _: 50, lambda _: sizes)
    agents, options = len(groups.everyone), len(sizes)
    assert scored == Forecast(agents, agents * (50 * options + sum(sizes)), agents * options)
    assert replied == Forecast(0, 0, 0)


def test_in_words_every_question_is_replied_to_as_often_as_it_is_repeated(
    groups: GroupSet, choices: list[Query]
) -> None:
    auditor = replace(unasked(groups, AuditConfig(repeats=3, turns=1, max_new_tokens=8)), in_words=True)
    scored, replied = forecast(auditor, choices, lambda _: 10, lambda _: [1, 1])
    count = len(choices) * len(groups.everyone) * 3
    assert (scored, replied) == (Forecast(0, 0, 0), Forecast(count, 10 * count, 8 * count))


def test_a_turn_of_hearing_the_others_is_asked_of_members_with_all_that_is_heard(
    groups: GroupSet, choices: list[Query]
) -> None:
    members, everyone = len(groups.members), len(groups.everyone)
    _, replied = forecast(unasked(groups, AuditConfig(turns=1, max_new_tokens=8)), choices[:1], lambda _: 10)
    heard = 8 * members  # its own reply and those of all others
    assert replied.requests == everyone + members
    assert replied.prompt_tokens == 10 * (everyone + members) + heard * members


def test_scored_options_of_a_later_turn_have_the_longest_option_before_them_from_each(
    groups: GroupSet, choices: list[Query]
) -> None:
    fact = next(query for query in choices if query.kind == "truth")
    sizes = [1, *[4] * (len(fact.options) - 1)]
    scored, _ = forecast(unasked(groups, AuditConfig(turns=1)), [fact], lambda _: 10, lambda _: sizes)
    members, everyone, options = len(groups.members), len(groups.everyone), len(sizes)
    once = 10 * options + sum(sizes)
    assert scored.prompt_tokens == once * (everyone + members) + 4 * members * options * members


def test_under_pressure_as_much_is_asked_as_was_foretold(
    groups: GroupSet, choices: list[Query], tmp_path: Path
) -> None:
    config, attacks = AuditConfig(max_new_tokens=8), attacks_of(["user_sure", "peers_1_plain"])
    foretold = forecast_pressure(unasked(groups, config), choices, attacks, rough_tokens)
    served = Served(tmp_path, groups, config, Spending())
    items = served.auditor.run(choices, "test")
    alone = served.spending.used
    press(served.auditor, items, choices, attacks, "test")
    asked = served.spending.used.requests - alone.requests
    facts = [query for query in choices if query.kind == "truth"]
    assert foretold.requests == asked == len(facts) * len(groups.members) * 2 * 2
    assert foretold.most_reply_tokens == 8 * asked
    # Foretold of agents that were right alone with the longest option; these said a shorter one.
    assert 0 < served.spending.used.prompt_tokens - alone.prompt_tokens <= foretold.prompt_tokens
    scored = forecast_pressure(unasked(groups, config), facts[:1], attacks[:1], lambda _: 50, lambda _: [2, 3])
    members = len(groups.members)
    assert scored == Forecast(2 * members, 2 * members * (50 + 2 + 50 + 3), 2 * members * 2)


def test_agents_that_are_never_asked_do_not_answer(groups: GroupSet, choices: list[Query]) -> None:
    with pytest.raises(AssertionError, match="never asked"):
        unasked(groups, AuditConfig()).run(choices, "test")
