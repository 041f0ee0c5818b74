"""Agents behind an address: what becomes of each way in which a reply can end."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest

from trialign.audit.asking.endpoint import EndpointAgents, check_names
from trialign.audit.asking.endpoint_structured import Structure
from trialign.audit.asking.run import AuditConfig, Auditor
from trialign.audit.files.items import AuditItem
from trialign.endpoint.answers import AnswerFile
from trialign.endpoint.client import Client
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.door import Agreed
from trialign.environment import PromptConfig
from trialign.errors import UserError
from trialign.groups import GroupSet
from trialign.queries import Query

pytestmark = pytest.mark.unit

Say = Callable[[dict[str, Any]], dict[str, Any]]


def audit(
    say: Say,
    folder: Path,
    groups: GroupSet,
    queries: Sequence[Query],
    structure: Structure | None = None,
    options: Literal["listed", "lettered"] = "lettered",
) -> list[AuditItem]:
    """An audit of a server that is a function from request to choice; one that says nothing is a refused request."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        choice = say(json.loads(request.content))
        if not choice:
            return httpx2.Response(400, json={"error": {"message": "I do not take this"}})
        return httpx2.Response(200, json={"model": "m", "choices": [choice]})

    config = EndpointConfig()
    client = Client("http://server.test/v1", None, config, transport=httpx2.MockTransport(answer))
    answers = AnswerFile(folder / "answers.jsonl")
    agents = EndpointAgents(client, "served", config, Agreed(), 8, answers, 0, structure=structure)
    return Auditor(agents, groups, PromptConfig(options=options), AuditConfig()).run(queries, "test")


def choice(content: Any, finish: Any = "stop", **message: Any) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}


@pytest.mark.parametrize(
    ("said", "answer", "canonical", "status"),
    [
        (choice("B. Paris"), "B. Paris", "Paris", "label"),
        (choice("B. Paris, because", "length"), "B. Paris, because", "Paris", "label"),
        (choice("Let me think", "length"), "Let me think", None, "cut_off"),
        (choice("Let me think", "MAX_TOKENS"), "Let me think", None, "cut_off"),
        (choice(None, "length", reasoning_content="Let me think"), "", None, "cut_off"),
        (choice(None, reasoning_content="B"), "", None, "none"),
        (choice(None, None), "", None, "none"),
        (choice(None, "content_filter"), "", None, "filtered"),
        (choice("B. Par", "content_filter"), "B. Par", None, "filtered"),
        (choice(None, refusal="I prefer B to stay unsaid."), "I prefer B to stay unsaid.", None, "refused"),
        (choice("B. Paris", refusal=None), "B. Paris", "Paris", "label"),
        (choice("B. Paris", "stop", refusal=""), "B. Paris", "Paris", "label"),
    ],
)
def test_how_a_reply_ended_is_in_its_status(
    said: dict[str, Any],
    answer: str,
    canonical: str | None,
    status: str,
    tmp_path: Path,
    groups: GroupSet,
    queries: Sequence[Query],
) -> None:
    for _ in range(2):  # the second time from what is kept
        items = audit(lambda _: said, tmp_path, groups, queries[:1])
        found = {(item.answer, item.canonical, item.parse_status, item.correct) for item in items}
        assert found == {(answer, canonical, status, canonical == "Paris")}


def test_replies_cut_off_before_an_answer_are_counted_at_the_end(
    tmp_path: Path, groups: GroupSet, queries: Sequence[Query], caplog: pytest.LogCaptureFixture
) -> None:
    def say(body: dict[str, Any]) -> dict[str, Any]:
        profiled = body["messages"][0]["content"] != "You are a helpful assistant."
        return choice("Let me think" if profiled else "A. Well", "length")

    with caplog.at_level(logging.WARNING, "trialign"):
        audit(say, tmp_path, groups, [query for query in queries if query.query_id in ("capital", "drink")])
    last = caplog.messages[-1]
    # Two questions to three groups and the control; the rows of a taste for other groups are no further replies.
    assert last.startswith("6 of 8 replies were cut off at audit.max_new_tokens=48")
    assert "set it higher" in last
    assert "model.endpoint.extra" in last


def test_replies_that_hold_their_answer_are_not_counted(
    tmp_path: Path, groups: GroupSet, queries: Sequence[Query], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "trialign"):
        audit(lambda _: choice("A. Well", "stop"), tmp_path, groups, queries[:1])
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("said", "canonical", "status"),
    [
        (choice('{"answer": "B"}'), "Paris", "structured"),
        (choice('<think>A?</think>\n{"answer":"B"}'), "Paris", "structured"),
        (choice('{"answer": "B"}', "length"), "Paris", "structured"),
        # What was not held is read like any other reply.
        (choice("B. Paris"), "Paris", "label"),
        (choice('{"ans', "length"), None, "cut_off"),
        (choice(None, "length", reasoning_content="Well"), None, "cut_off"),
        (choice(None, refusal="I cannot say."), None, "refused"),
        (choice(None, "content_filter"), None, "filtered"),
    ],
)
def test_a_reply_that_the_server_held_needs_no_reading(
    said: dict[str, Any],
    canonical: str | None,
    status: str,
    tmp_path: Path,
    groups: GroupSet,
    queries: Sequence[Query],
) -> None:
    def say(body: dict[str, Any]) -> dict[str, Any]:
        schema = body["response_format"]["json_schema"]["schema"]
        assert schema["properties"]["answer"]["enum"] == ["A", "B"]
        return said

    for _ in range(2):  # the second time from what is kept
        items = audit(say, tmp_path, groups, queries[:1], Structure("response_format"))
        assert {(item.canonical, item.parse_status) for item in items} == {(canonical, status)}
        assert {item.answer for item in items} == {said["message"]["content"] or said["message"].get("refusal", "")}


def test_tastes_are_held_and_the_form_of_a_fact_is_not(
    tmp_path: Path, groups: GroupSet, queries: Sequence[Query]
) -> None:
    def say(body: dict[str, Any]) -> dict[str, Any]:
        texts = body.get("structured_outputs", {}).get("choice")
        return choice(texts[1] if texts else "An ostrich")

    items = audit(say, tmp_path, groups, queries, Structure("structured_outputs"), "listed")
    found = {item.query_id: (item.canonical, item.parse_status) for item in items}
    assert found["drink"] == ("Coffee", "structured")
    assert found["planet"] == ("Mars", "structured")
    assert found["bird"] == ("ostrich", "contained")
    south = next(
        item for item in items if (item.query_id, item.group, item.profile_group) == ("drink", "south", "south")
    )
    assert south.reward_preference == 1.0


def test_a_question_whose_options_the_server_does_not_take_is_asked_in_words(
    tmp_path: Path, groups: GroupSet, queries: Sequence[Query], caplog: pytest.LogCaptureFixture
) -> None:
    def say(body: dict[str, Any]) -> dict[str, Any]:
        texts = body.get("structured_outputs", {}).get("choice")
        if texts and len(texts) == 3:
            return {}
        return choice(texts[0] if texts else "A. Jupiter")

    choices = [query for query in queries if query.query_id in ("capital", "planet")]
    with caplog.at_level(logging.WARNING, "trialign"):
        items = audit(say, tmp_path, groups, choices, Structure("structured_outputs"))
    assert {(item.query_id, item.parse_status) for item in items} == {("capital", "structured"), ("planet", "label")}
    (line,) = caplog.messages  # once, not for each group
    assert "'planet'" in line
    assert "I do not take this" in line


def test_a_bare_letter_in_words_was_not_held(tmp_path: Path, groups: GroupSet, queries: Sequence[Query]) -> None:
    items = audit(
        lambda body: {} if "guided_choice" in body else choice("B"),
        tmp_path,
        groups,
        queries[:1],
        Structure("guided_choice"),
    )
    assert {(item.canonical, item.parse_status) for item in items} == {("Paris", "label")}


@pytest.mark.parametrize("again", [{}, choice("Hm."), choice(None, "content_filter")])
def test_a_second_question_that_brings_nothing_costs_nothing(
    again: dict[str, Any], tmp_path: Path, groups: GroupSet, queries: Sequence[Query]
) -> None:
    items = audit(lambda body: again if len(body["messages"]) > 2 else choice("Hm."), tmp_path, groups, queries[:1])
    assert {(item.answer, item.canonical, item.parse_status) for item in items} == {("Hm.", None, "none")}


def test_the_second_question_is_kept_like_the_first(tmp_path: Path, groups: GroupSet, queries: Sequence[Query]) -> None:
    asked: list[dict[str, Any]] = []

    def say(body: dict[str, Any]) -> dict[str, Any]:
        asked.append(body)
        if body["messages"][-2]["role"] != "assistant":
            return choice("Hm.")
        lines = body["messages"][-1]["content"].splitlines()
        return choice(next(line for line in lines if line.endswith("Paris")))

    first, second = (audit(say, tmp_path, groups, queries[:1]) for _ in range(2))
    assert first == second
    assert {(item.canonical, item.parse_status) for item in first} == {("Paris", "clarified")}
    assert len(asked) == 2 * len(first)


def test_each_group_is_answered_under_its_name_and_the_control_by_the_base(
    groups: GroupSet, queries: Sequence[Query], tmp_path: Path
) -> None:
    asked: list[tuple[str, str]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        asked.append((body["model"], body["messages"][0]["content"]))
        return httpx2.Response(200, json={"model": body["model"], "choices": [choice("B")]})

    first, second, third = groups.members
    config = EndpointConfig(names={first.name: "lora-1", third.name: "lora-3"})
    client = Client("http://server.test/v1", None, config, transport=httpx2.MockTransport(answer))
    agents = EndpointAgents(client, "base", config, Agreed(), 8, AnswerFile(tmp_path / "answers.jsonl"), 0)
    choices = [query for query in queries if query.options][:1]
    Auditor(agents, groups, PromptConfig(options="lettered"), AuditConfig()).run(choices, "test")
    told = {first.explicit[0]: "lora-1", second.explicit[0]: "base", third.explicit[0]: "lora-3"}
    for name, system in asked:
        assert name == next((served for profile, served in told.items() if profile in system), "base")
    assert sorted(name for name, _ in asked) == ["base", "base", "lora-1", "lora-3"]
    # Never at the same time: a server may answer for the base model with the adapter that is asked beside it.
    assert [name for name, _ in asked][:2] == ["base", "base"]
    assert agents.about()["names"] == {first.name: "lora-1", third.name: "lora-3"}

    def asked_anew(adapter: str) -> list[str]:
        asked.clear()
        found = replace(agents, found={"adapters": {first.name: adapter}})
        Auditor(found, groups, PromptConfig(options="lettered"), AuditConfig()).run(choices, "test")
        return [name for name, _ in asked]

    # What an agent said is not taken for the words of another that is served under its name later.
    assert asked_anew("a" * 64) == ["lora-1"]
    assert asked_anew("b" * 64) == ["lora-1"]
    assert asked_anew("a" * 64) == []


@pytest.mark.parametrize(
    ("names", "fault"), [({"nobody": "a"}, "names 'nobody', which is no member"), ({"north": " "}, "an empty name")]
)
def test_names_of_nobody_are_refused(names: dict[str, str], fault: str) -> None:
    check_names({"north": "a"}, ["north", "south"])
    with pytest.raises(UserError, match=fault):
        check_names(names, ["north", "south"])
