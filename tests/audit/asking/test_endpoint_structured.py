"""Whether a server holds replies to the options is found out at the door; what it did not hold is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import pytest

from trialign.audit.asking.endpoint_structured import FORMS, Structure, held_texts, is_held, structure_of
from trialign.endpoint.client import Client, LostError, RefusedError
from trialign.endpoint.config import EndpointConfig
from trialign.groups import GroupSet
from trialign.queries import Form, MixedQuery, Query
from trialign.weighing import Asked

pytestmark = pytest.mark.unit

Body = dict[str, Any]
HOSTILE = ['He said "no"', "two\nlines", "日本語 café", "back\\slash", "{}", " blank ", "1", "true"]


def held(form: str, texts: list[str]) -> Any:
    """What a server says of these texts that heeds the form: the first."""
    return json.dumps({"answer": texts[0]}, ensure_ascii=False) if form == "response_format" else texts[0]


def texts_of(body: Body) -> tuple[str, list[str]] | None:
    """The form and the texts of a request."""
    if "structured_outputs" in body:
        return "structured_outputs", body["structured_outputs"]["choice"]
    if "guided_choice" in body:
        return "guided_choice", body["guided_choice"]
    if "response_format" in body:
        schema = body["response_format"]["json_schema"]["schema"]
        return "response_format", schema["properties"]["answer"]["enum"]
    return None


def server(*heeds: str, refuses: tuple[str, ...] = (), change: Callable[[str], Any] = lambda text: text) -> Client:
    """A server that heeds some forms, refuses others, and takes the rest without heeding them."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        found = texts_of(json.loads(request.content))
        if found and found[0] in refuses:
            return httpx2.Response(400, json={"error": {"message": f"unknown key {found[0]}"}})
        text = change(held(*found)) if found and found[0] in heeds else "Hello"
        message = text if isinstance(text, Mapping) else {"content": text}
        return httpx2.Response(200, json={"choices": [{"message": message, "finish_reason": "stop"}]})

    return client_of(answer)


def client_of(answer: Callable[[httpx2.Request], httpx2.Response]) -> Client:
    config = EndpointConfig(attempts=1)
    return Client("http://server.test/v1", None, config, transport=httpx2.MockTransport(answer))


def found_at(client: Client, **extra: Any) -> str | None:
    structure = structure_of(client, {"model": "m", **extra}, "max_tokens", 16, extra)
    return structure.form if structure else None


@pytest.mark.parametrize("form", FORMS)
def test_the_form_that_a_server_heeds_is_found(form: str) -> None:
    assert found_at(server(form)) == form
    assert found_at(server(form, refuses=tuple(other for other in FORMS if other != form))) == form


def test_a_bare_choice_is_preferred_to_a_schema() -> None:
    assert found_at(server(*FORMS)) == "structured_outputs"


@pytest.mark.parametrize(
    "client",
    [
        server(),  # takes every key and heeds none
        server(refuses=FORMS),
        server("response_format", change=lambda text: f"```json\n{text}\n```"),
        server("response_format", change=lambda text: '{"answer": "violet'),
        server("response_format", change=lambda text: '{"answer": "Hello"}'),
        # What some servers do whose parser of thoughts takes all for thinking.
        server(*FORMS, change=lambda text: {"content": None, "reasoning_content": text}),
        server(*FORMS, change=lambda text: {"content": None, "refusal": "I cannot"}),
        client_of(lambda request: httpx2.Response(500 if texts_of(json.loads(request.content)) else 200)),
    ],
)
def test_a_server_that_does_not_hold_replies_is_found_out(client: Client) -> None:
    assert found_at(client) is None


@pytest.mark.parametrize("status", [401, 429, 503])
def test_what_is_no_matter_of_the_key_is_said(status: int) -> None:
    with pytest.raises((RefusedError, LostError)):
        found_at(client_of(lambda _: httpx2.Response(status, json={"error": {"message": "no"}})))


def test_keys_of_the_configuration_are_left_alone() -> None:
    assert found_at(server(*FORMS), guided_regex="[AB]") is None


def test_thinking_before_a_held_reply_is_passed_over() -> None:
    assert found_at(server(*FORMS, change=lambda text: f"<think>\nviolet?</think>\n{text}")) == "structured_outputs"


def test_a_model_that_being_held_keeps_from_thinking_is_not_held() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        found = texts_of(json.loads(request.content))
        text = held(*found) if found else "<think>The user greets.</think>Hello"
        return httpx2.Response(200, json={"choices": [{"message": {"content": text}, "finish_reason": "stop"}]})

    assert found_at(client_of(answer)) is None


def test_a_schema_is_strict_and_of_the_options() -> None:
    keys = Structure("response_format").keys(HOSTILE)
    assert json.loads(json.dumps(keys)) == {
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "answer",
                "strict": True,
                "schema": {
                    "type": "object",
                    "properties": {"answer": {"type": "string", "enum": HOSTILE}},
                    "required": ["answer"],
                    "additionalProperties": False,
                },
            },
        }
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", range(len(HOSTILE)))
def test_every_text_comes_back(form: Any, place: int) -> None:
    texts = HOSTILE[place:] + HOSTILE[:place]
    assert Structure(form).place(held(form, texts).strip(), texts) == 0


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "A",
        '{"answer": "A"',
        '{"answer": "C"}',
        '{"answer": "a"}',
        '{"answer": 1}',
        '{"answer": null}',
        '{"answer": ["A"]}',
        '{"answer": "A", "why": "B"}',
        '["A"]',
        "null",
        "[" * 100_000,
        '<think>{"answer": "A"}',
        'Here: {"answer": "A"}',
    ],
)
def test_what_was_not_held_to_the_schema_is_left_to_be_read(reply: str) -> None:
    assert Structure("response_format").place(reply, ["A", "B"]) is None


def test_texts_that_blanks_alone_tell_apart_are_left_to_be_read() -> None:
    assert Structure("guided_choice").place("two", ["two", "two ", "three"]) is None


def test_the_form_of_a_fact_is_left_to_the_model(groups: GroupSet) -> None:
    forms = {group: Form(max_words=3) for group in groups.names}
    words: Body = {"query_id": "q", "cluster": "q", "split": "test", "topic": "", "question": "?"}
    mixed = MixedQuery(**words, options=("Gull", "Ostrich"), gold="Ostrich", forms=forms)
    assert not is_held(Asked(mixed, groups.members[0], "explicit", 0, 0, ()))


def test_letters_are_held_where_they_are_shown(groups: GroupSet, queries: tuple[Query, ...]) -> None:
    for query in queries:
        asked = Asked(query, groups.members[0], "explicit", 0, 0, ())
        assert is_held(asked) == (query.kind != "mixed" and bool(query.options))
        if query.options:
            assert held_texts(asked) == list(query.options)
            lettered = Asked(query, groups.members[0], "explicit", 0, 0, (), "lettered")
            assert held_texts(lettered) == list("ABCD"[: len(query.options)])
