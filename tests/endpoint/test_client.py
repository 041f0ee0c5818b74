"""What is sent again and what is not, and what counts as an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from trialign.endpoint.client import Client, LostError, RefusedError, Reply

pytestmark = pytest.mark.unit

BODY = {"model": "served", "messages": [{"role": "user", "content": "Where is the Louvre?"}]}


def good(content: Any = "Paris", finish: str = "stop") -> httpx2.Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}
    return httpx2.Response(200, json={"object": "chat.completion", "model": "served", "choices": [choice]})


def in_turn(*answers: httpx2.Response | Exception) -> Callable[[httpx2.Request], httpx2.Response]:
    """Gives each answer once, the last one for ever."""
    left: Iterator[httpx2.Response | Exception] = iter(answers)

    def answer(request: httpx2.Request) -> httpx2.Response:
        one = next(left, answers[-1])
        if isinstance(one, Exception):
            raise one
        return one

    return answer


def test_a_request_says_what_is_asked(make_client: Callable[..., Client], wire: Any) -> None:
    assert make_client(in_turn(good(" Paris \n")), key="sesame").chat(BODY) == Reply("Paris", "stop", "served")
    (request,) = wire.requests
    assert (request.method, str(request.url)) == ("POST", "http://server.test/v1/chat/completions")
    assert json.loads(request.content) == BODY
    assert request.headers["Authorization"] == "Bearer sesame"


def test_a_refusal_in_its_own_field_is_the_text(make_client: Callable[..., Client]) -> None:
    message = {"role": "assistant", "content": None, "refusal": " I cannot say. "}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    refusal = httpx2.Response(200, json={"model": "served", "choices": [choice]})
    assert make_client(in_turn(refusal)).chat(BODY) == Reply("I cannot say.", "stop", "served", refused=True)


def test_without_a_key_none_is_sent(make_client: Callable[..., Client], wire: Any) -> None:
    make_client(in_turn(good())).chat(BODY)
    assert "Authorization" not in wire.requests[0].headers


@pytest.mark.parametrize(
    "fault",
    [
        *(httpx2.Response(status) for status in (408, 409, 425, 429, 500, 502, 503, 504, 529)),
        httpx2.ConnectError("connection refused"),
        httpx2.ReadTimeout("too slow"),
        httpx2.RemoteProtocolError("cut off"),
    ],
)
def test_a_passing_fault_is_waited_out(
    make_client: Callable[..., Client], wire: Any, fault: httpx2.Response | Exception
) -> None:
    assert make_client(in_turn(fault, fault, good()), attempts=3).chat(BODY).text == "Paris"
    assert wire.slept == [1, 2]


def test_the_server_is_given_up_after_the_last_attempt(make_client: Callable[..., Client], wire: Any) -> None:
    client = make_client(in_turn(httpx2.ConnectError("connection refused")), attempts=4)
    with pytest.raises(LostError, match="connection refused"):
        client.chat(BODY)
    assert len(wire.requests) == 4
    assert wire.slept == [1, 2, 4]  # and no pause before giving up


def test_the_server_says_how_long_to_wait(make_client: Callable[..., Client], wire: Any) -> None:
    busy = httpx2.Response(429, headers={"Retry-After": "45"}, json={"error": {"message": "slow down"}})
    assert make_client(in_turn(busy, good())).chat(BODY).text == "Paris"
    assert wire.slept == [45]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_refusal_is_not_sent_again(make_client: Callable[..., Client], wire: Any, status: int) -> None:
    refusal = httpx2.Response(status, json={"error": {"message": "No.", "type": "x"}})
    with pytest.raises(RefusedError) as raised:
        make_client(in_turn(refusal)).chat(BODY)
    assert (raised.value.status, raised.value.message) == (status, "No.")
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (httpx2.Response(400, json={"error": {"message": "of OpenAI"}}), "of OpenAI"),
        (httpx2.Response(400, json={"object": "error", "message": "of vLLM"}), "of vLLM"),
        (httpx2.Response(400, json={"detail": "of FastAPI"}), "of FastAPI"),
        (httpx2.Response(400, json={"error": "plain"}), "plain"),
        (httpx2.Response(400, text="<html>\n  a proxy\n</html>"), "<html> a proxy </html>"),
        (httpx2.Response(400), "Bad Request"),
        (httpx2.Response(400, text="x" * 10**6), "x" * 300),
    ],
)
def test_what_a_server_says_is_one_line(
    make_client: Callable[..., Client], response: httpx2.Response, message: str
) -> None:
    with pytest.raises(RefusedError) as raised:
        make_client(in_turn(response)).chat(BODY)
    assert raised.value.message == message


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(200, text="<html>welcome</html>"),
        httpx2.Response(200, json={"choices": []}),
        httpx2.Response(200, json=["Paris"]),
        httpx2.Response(200, json={"choices": [{"text": "Paris"}]}),
        good({"not": "text"}),
    ],
)
def test_what_is_no_chat_completion_is_refused(make_client: Callable[..., Client], response: httpx2.Response) -> None:
    with pytest.raises(RefusedError, match="no chat completion came back"):
        make_client(in_turn(response)).chat(BODY)


def test_a_message_without_content_is_an_empty_reply(make_client: Callable[..., Client]) -> None:
    # A model that spent all tokens on thinking.
    assert make_client(in_turn(good(None, "length"))).chat(BODY) == Reply("", "length", "served")


@pytest.mark.parametrize(
    ("response", "names"),
    [
        (httpx2.Response(200, json={"data": [{"id": "a"}, {"id": "b"}]}), ["a", "b"]),
        (httpx2.Response(200, json={"data": []}), []),
        (httpx2.Response(404), None),
        (httpx2.Response(500), None),
        (httpx2.Response(200, text="hello"), None),
    ],
)
def test_a_server_may_tell_which_models_it_has(
    make_client: Callable[..., Client], response: httpx2.Response, names: list[str] | None
) -> None:
    assert make_client(in_turn(response)).models() == names


def test_no_server_is_told_at_once(make_client: Callable[..., Client], wire: Any) -> None:
    with pytest.raises(LostError, match="connection refused"):
        make_client(in_turn(httpx2.ConnectError("connection refused"))).models()
    assert wire.slept == []
