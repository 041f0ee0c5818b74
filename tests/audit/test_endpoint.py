"""Agents behind an address: what becomes of each way in which a reply can end."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from trialign.audit.endpoint import EndpointAgents
from trialign.audit.items import AuditItem
from trialign.audit.run import AuditConfig, Auditor
from trialign.endpoint.answers import AnswerFile
from trialign.endpoint.client import Client
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.door import Agreed
from trialign.environment import PromptConfig
from trialign.groups import GroupSet
from trialign.queries import Query

pytestmark = pytest.mark.unit

Say = Callable[[dict[str, Any]], dict[str, Any]]


def audit(say: Say, folder: Path, groups: GroupSet, queries: Sequence[Query]) -> list[AuditItem]:
    """An audit of a server that is a function from request to choice."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"model": "m", "choices": [say(json.loads(request.content))]})

    config = EndpointConfig()
    client = Client("http://server.test/v1", None, config, transport=httpx2.MockTransport(answer))
    answers = AnswerFile(folder / "answers.jsonl")
    agents = EndpointAgents(client, "served", config, Agreed(), 8, answers, 0)
    return Auditor(agents, groups, PromptConfig(options="lettered"), AuditConfig()).run(queries, "test")


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
