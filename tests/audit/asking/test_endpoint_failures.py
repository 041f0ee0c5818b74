"""What an audit does where its server fails at a question, or at all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from trialign.audit.asking.endpoint import EndpointAgents
from trialign.audit.asking.run import AuditConfig, Auditor
from trialign.audit.files.items import AuditItem
from trialign.endpoint.answers import AnswerFile
from trialign.endpoint.client import Client
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.door import NEUTRAL, Agreed
from trialign.endpoint.pace import Pace
from trialign.environment import PromptConfig
from trialign.errors import UnfinishedError, UserError
from trialign.groups import GroupSet
from trialign.queries import Query

pytestmark = pytest.mark.unit

CONFIG = EndpointConfig(attempts=2, concurrent_requests=1)
REPLY = httpx2.Response(200, json={"choices": [{"message": {"content": "A"}, "finish_reason": "stop"}]})
FILTERED = httpx2.Response(400, json={"error": {"code": "content_filter", "message": "filtered"}})
ERROR = httpx2.Response(200, json={"error": {"message": "Provider returned error", "code": 502}})
Say = Callable[[str], httpx2.Response]


@pytest.fixture
def many(queries: Sequence[Query]) -> list[Query]:
    """Twelve questions of one form, whose numbers are in their words."""
    return numbered(queries[0], 12)


@pytest.fixture
def audit(tmp_path: Path, groups: GroupSet, many: list[Query]) -> Callable[..., tuple[list[AuditItem], list[str]]]:
    """Puts all questions to a server that answers by what it is asked; with the questions as they came in."""

    def run(say: Say, agreed: Agreed = Agreed()) -> tuple[list[AuditItem], list[str]]:  # noqa: B008
        asked: list[str] = []

        def handle(request: httpx2.Request) -> httpx2.Response:
            sent = json.loads(request.content)
            asked.append(sent["messages"][-1]["content"].partition(":")[0])
            return say(asked[-1])

        client = Client(
            "http://server.test/v1",
            None,
            CONFIG,
            transport=httpx2.MockTransport(handle),
            pace=Pace(0, lambda: 0.0, lambda seconds: None),
        )
        answers = AnswerFile(tmp_path / "answers.jsonl")
        agents = EndpointAgents(client, "served", CONFIG, agreed, 8, answers, 0)
        return Auditor(agents, groups, PromptConfig(options="lettered"), AuditConfig()).run(many, "test"), asked

    return run


def numbered(query: Query, count: int) -> list[Query]:
    return [replace(query, query_id=f"q{n}", cluster=f"q{n}", question=f"Question {n}: which?") for n in range(count)]


def statuses(items: Sequence[AuditItem], question: str) -> set[str]:
    return {item.parse_status for item in items if item.query_id == question}


def test_an_error_that_stays_costs_its_question_alone(audit: Any, caplog: pytest.LogCaptureFixture) -> None:
    items, asked = audit(lambda question: ERROR if question == "Question 3" else REPLY)
    assert statuses(items, "q3") == {"failed"}
    assert {item.correct for item in items if item.query_id == "q3"} == {False}
    assert {item.parse_status for item in items if item.query_id != "q3"} == {"label"}
    assert asked.count("Question 3") == 4 * 2  # three groups and the control, twice
    said = [message for message in caplog.messages if "counts as failed" in message]
    assert len(said) == 4
    assert "question 'q3' of group 'north'" in said[0]
    assert "Provider returned error" in said[0]
    # It is kept nowhere, so the next audit asks again, and for nothing else.
    items, asked = audit(lambda question: REPLY)
    assert asked == ["Question 3"] * 4
    assert statuses(items, "q3") == {"label"}


def test_what_a_filter_withholds_is_counted_and_kept(audit: Any) -> None:
    items, asked = audit(lambda question: FILTERED if question == "Question 3" else REPLY)
    assert statuses(items, "q3") == {"filtered"}
    assert asked.count("Question 3") == 4
    again, asked = audit(lambda question: REPLY)
    assert asked == []
    assert again == items


def test_a_few_questions_of_many_do_not_end_the_audit_nor_the_next_one(audit: Any, many: list[Query]) -> None:
    many[:] = numbered(many[0], 70)
    bad = {"Question 3", "Question 30", "Question 69"}
    for asked_anew in (70 * 4 + 3 * 4, 3 * 4 * 2):
        items, asked = audit(lambda question: ERROR if question in bad else REPLY)
        assert sum(item.parse_status == "failed" for item in items) == 3 * 4
        assert len(asked) == asked_anew


def test_a_server_that_fails_at_most_questions_is_given_up_soon(audit: Any) -> None:
    sent: list[str] = []

    def say(question: str) -> httpx2.Response:
        sent.append(question)
        return REPLY if question == "Question 0" else ERROR

    with pytest.raises(UnfinishedError) as raised:
        audit(say)
    said = str(raised.value)
    assert "is given up: it gave no reply to 3 questions in a row (200: Provider returned error)" in said
    assert "the 4 answers in" in said
    assert "run the same command" in said
    # Two questions for all groups, the third for the first, each twice.
    assert len(sent) == 4 + (4 + 4 + 1) * 2
    with pytest.raises(UnfinishedError, match="the 4 answers in"):
        audit(say)


@pytest.mark.parametrize(
    ("response", "fault", "says"),
    [
        (httpx2.Response(503), UnfinishedError, "given up: it gives no answer after 2 attempts (503: Service Unav"),
        (httpx2.Response(429, json={"error": {"message": "slow"}}), UnfinishedError, "requests_per_minute"),
        (
            httpx2.Response(401, json={"error": {"message": "expired"}}),
            UnfinishedError,
            "refuses access (401: expired)",
        ),
        (httpx2.Response(402, json={"error": {"message": "no money"}}), UnfinishedError, "No credit is left"),
        (httpx2.Response(429, headers={"Retry-After": "7200"}), UnfinishedError, "asks for 2 hours"),
        (
            httpx2.Response(400, json={"error": {"code": "context_length_exceeded", "message": "4096 tokens"}}),
            UserError,
            "refuses question 'q3' of group 'north' (400: 4096 tokens). Shorten or leave out the question",
        ),
        (httpx2.Response(400, json={"error": {"message": "no"}}), UserError, "Change or leave out the question"),
    ],
)
def test_what_is_no_questions_matter_ends_the_audit_and_keeps_the_answers(
    audit: Any, response: httpx2.Response, fault: type[Exception], says: str
) -> None:
    with pytest.raises(fault) as raised:
        audit(lambda question: response if question == "Question 3" else REPLY)
    assert says in str(raised.value)
    assert "the 12 answers in" in str(raised.value)
    assert len(audit(lambda question: REPLY)[1]) == 9 * 4


def test_a_refusal_under_its_own_name_is_no_answer(audit: Any) -> None:
    message = {"content": None, "refusal": "I cannot say A."}
    declined = httpx2.Response(200, json={"choices": [{"message": message, "finish_reason": "stop"}]})
    items, _ = audit(lambda question: declined if question == "Question 3" else REPLY)
    assert statuses(items, "q3") == {"refused"}
    assert {item.answer for item in items if item.query_id == "q3"} == {"I cannot say A."}


def test_neutral_values_go_with_every_question_and_into_the_record(audit: Any, tmp_path: Path) -> None:
    audit(lambda question: REPLY, Agreed(sampling=NEUTRAL))
    kept = [json.loads(line)["request"] for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert len(kept) == 12 * 4
    for request in kept:
        assert NEUTRAL.items() <= request.items()


def test_what_is_sent_is_in_the_summary(tmp_path: Path) -> None:
    config = replace(CONFIG, extra={"top_p": 0.8, "x": 1})
    client = Client("http://server.test/v1", None, config, transport=httpx2.MockTransport(lambda request: REPLY))
    agreed = Agreed(sampling={"top_p": 1.0, "top_k": -1})
    agents = EndpointAgents(client, "served", config, agreed, 8, AnswerFile(tmp_path / "a"), 0)
    assert agents.about()["sampling"] == {"top_p": 0.8, "top_k": -1}
