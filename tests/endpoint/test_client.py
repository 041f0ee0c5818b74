"""What is sent again and what is not, and what counts as an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from trialign.endpoint.client import Client, LostError, RefusedError
from trialign.endpoint.replies import Reply

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


def test_the_server_says_when_its_limit_begins_anew(
    make_client: Callable[..., Client], wire: Any, caplog: pytest.LogCaptureFixture
) -> None:
    said = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s"}
    busy = httpx2.Response(429, headers=said, json={"error": {"message": "slow down"}})
    with caplog.at_level("INFO", "trialign"):
        assert make_client(in_turn(busy, good())).chat(BODY).text == "Paris"
    assert wire.slept == [90]
    assert "The server asks for 90 seconds without a request: waiting" in caplog.text
    with pytest.raises(LostError, match="asks for 90 seconds without a request: 429: slow down"):
        make_client(in_turn(busy, good()), longest_wait=60).chat(BODY)
    nonsense = httpx2.Response(429, headers={"x-ratelimit-reset": "whenever"}, json={"error": {"message": "slow down"}})
    assert make_client(in_turn(nonsense, good())).chat(BODY).text == "Paris"
    assert wire.slept == [90, 1]


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
        (httpx2.Response(400, json={"error": {"message": "red \x1b[31m\u202e\0alarm"}}), "red [31m alarm"),
        (httpx2.Response(400, json={"detail": [{"loc": ["body", "top_k"]}]}), "[{'loc': ['body', 'top_k']}]"),
        (httpx2.Response(400, text="x" * 10**6), "x" * 300),
    ],
)
def test_what_a_server_says_is_one_line(
    make_client: Callable[..., Client], response: httpx2.Response, message: str
) -> None:
    with pytest.raises(RefusedError) as raised:
        make_client(in_turn(response)).chat(BODY)
    assert raised.value.message == message


def answering(**content: Any) -> httpx2.Response:
    return httpx2.Response(200, json=content)


def raw(content: bytes, **headers: str) -> httpx2.Response:
    return httpx2.Response(200, content=content, headers=headers)


DEEP = b'{"choices": ' + b"[" * 100_000
# What came in place of an answer, and what is said of it if nothing better comes.
NO_ANSWERS: list[tuple[httpx2.Response, str]] = [
    (answering(error={"message": "Provider returned error", "code": 502}), "200: Provider returned error"),
    (answering(choices=None, error={"message": "Too Many Requests", "code": 429}), "200: Too Many Requests"),
    (answering(choices=[{"error": {"message": "upstream"}, "message": {"content": "Pa"}}]), "200: upstream"),
    (answering(choices=[{"finish_reason": "error", "message": {"content": ""}}]), "the reply ended in an error"),
    (answering(choices=[]), "no chat completion came back but {'choices': []}"),
    (answering(), "no chat completion came back but {}"),
    (answering(choices={"message": {"content": "Paris"}}), "no chat completion came back"),
    (answering(choices=["Paris"]), "no chat completion came back"),
    (answering(choices=[{"message": None}]), "no chat completion came back"),
    (answering(choices=[{"index": 0, "finish_reason": "stop"}]), "no chat completion came back"),
    (httpx2.Response(200, json=["Paris"]), "no chat completion came back"),
    (httpx2.Response(200, text="<html>welcome</html>"), "no chat completion came back but <html>welcome</html>"),
    (httpx2.Response(200), "no chat completion came back but OK"),
    (raw(b'{"choices": [{"mess'), "no chat completion came back but {"),
    (raw(DEEP), "no chat completion came back"),
    (httpx2.Response(204), "no chat completion came back"),
    (httpx2.Response(400, json={"error": {"code": "tool_use_failed", "message": "no call"}}), "400: no call"),
]


@pytest.mark.parametrize(("response", "says"), NO_ANSWERS, ids=range(len(NO_ANSWERS)))
def test_what_is_no_answer_passes_or_is_one_questions_matter(
    make_client: Callable[..., Client], wire: Any, response: httpx2.Response, says: str
) -> None:
    assert make_client(in_turn(response, good())).chat(BODY).text == "Paris"
    assert wire.slept == [1]
    with pytest.raises(LostError, match=re.escape(says)) as raised:
        make_client(in_turn(response), attempts=2).chat(BODY)
    assert raised.value.at_question
    assert raised.value.foreign is ("came back" in says)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("fault", "at_question"),
    [
        (httpx2.Response(500), True),
        (httpx2.Response(502), True),
        (httpx2.ReadTimeout("slow"), True),
        (httpx2.RemoteProtocolError("peer closed connection"), True),
        (httpx2.Response(429), False),
        (httpx2.Response(503), False),
        (httpx2.ConnectError("refused"), False),
        (httpx2.ConnectTimeout("slow"), False),
        (httpx2.ProxyError("407"), False),
    ],
)
def test_a_server_that_is_gone_or_busy_is_no_questions_matter(
    make_client: Callable[..., Client], fault: httpx2.Response | Exception, at_question: bool
) -> None:
    with pytest.raises(LostError) as raised:
        make_client(in_turn(fault), attempts=1).chat(BODY)
    assert raised.value.at_question is at_question


def test_a_body_that_is_not_compressed_as_it_says_is_sent_again(make_client: Callable[..., Client]) -> None:
    def lies(request: httpx2.Request) -> httpx2.Response:
        stream = httpx2.ByteStream(b'{"choices": []}')
        return httpx2.Response(200, headers={"Content-Encoding": "gzip"}, stream=_Unread(stream))

    with pytest.raises(LostError, match="decompress"):
        make_client(lies, attempts=2).chat(BODY)


class _Unread(httpx2.SyncByteStream):
    """A body that is read by who asks, as one of the network is."""

    def __init__(self, content: httpx2.ByteStream) -> None:
        self.content = content

    def __iter__(self) -> Iterator[bytes]:
        yield from self.content


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        ('"Münster"'.encode(), "utf-8", "Münster"),
        (b"\xef\xbb\xbf" + '"Münster"'.encode(), "utf-8", "Münster"),
        ('"Münster"'.encode("latin-1"), "iso-8859-1", "Münster"),
        ('"Münster"'.encode(), "utf-16", "Münster"),
        ('"Münster"'.encode("utf-16"), "utf-16", "Münster"),
        (b'"M\xffnster"', "utf-8", "M\ufffdnster"),
        (b'"M\xffnster"', "base64", "M\ufffdnster"),
        (b'"M\xffnster"', "undefined", "M\ufffdnster"),
        (b'"M\xffnster"', "no-such\0", "M\ufffdnster"),
    ],
)
def test_bytes_are_read_as_they_are_meant(
    make_client: Callable[..., Client], content: bytes, charset: str, text: str
) -> None:
    utf16 = content.startswith(b"\xff\xfe")
    before, after = ('{"choices": [{"message": {"content": ', "}}]}")
    body = (before + content.decode("utf-16") + after).encode("utf-16") if utf16 else None
    if body is None:
        mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
        body = mark + before.encode() + content.removeprefix(mark) + after.encode()
    answer = httpx2.Response(
        200, content=body, headers=[(b"Content-Type", f"application/json; charset={charset}".encode())]
    )
    assert make_client(in_turn(answer)).chat(BODY).text == text


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(400, json={"error": {"code": "content_filter", "message": "The response was filtered"}}),
        httpx2.Response(
            400, json={"error": {"code": "400", "innererror": {"code": "ResponsibleAIPolicyViolation"}, "message": "x"}}
        ),
        answering(choices=[], prompt_filter_results=[{"content_filter_results": {"hate": {"filtered": True}}}]),
        answering(choices=[{"index": 0, "finish_reason": "content_filter"}]),
        answering(choices=[{"finish_reason": "content_filter: PROHIBITED_CONTENT", "message": {"role": "assistant"}}]),
        answering(promptFeedback={"blockReason": "SAFETY"}),
        answering(error={"code": "content_filter", "message": "blocked"}),
    ],
)
def test_what_a_filter_withholds_is_a_reply_without_text_at_once(
    make_client: Callable[..., Client], wire: Any, response: httpx2.Response
) -> None:
    reply = make_client(in_turn(response)).chat(BODY)
    assert (reply.text, reply.finish) == ("", "content_filter")
    assert len(wire.requests) == 1


def test_an_echo_that_a_filter_withholds_says_so(make_client: Callable[..., Client]) -> None:
    with pytest.raises(RefusedError) as raised:
        make_client(in_turn(httpx2.Response(400, json={"error": {"code": "content_filter"}}))).echo({})
    assert raised.value.matter == "filter"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_said_and_not_followed(make_client: Callable[..., Client], wire: Any, status: int) -> None:
    client = make_client(in_turn(httpx2.Response(status, headers={"Location": "http://other.test/v1"})))
    with pytest.raises(RefusedError, match=f"{status}: it sends on to http://other.test/v1"):
        client.chat(BODY)
    assert client.models() is None
    assert {request.url.host for request in wire.requests} == {"server.test"}


def test_the_timeout_is_that_of_the_configuration(make_client: Callable[..., Client], wire: Any) -> None:
    client = make_client(in_turn(good()), timeout=7.5)
    client.chat(BODY)
    client.models()
    for request in wire.requests:
        assert set(request.extensions["timeout"].values()) == {7.5}


def test_a_server_that_loads_its_model_is_waited_for(
    make_client: Callable[..., Client], wire: Any, caplog: pytest.LogCaptureFixture
) -> None:
    loading = httpx2.Response(503, json={"error": {"message": "Loading model", "type": "unavailable_error"}})
    with caplog.at_level("INFO", "trialign"):
        assert make_client(in_turn(*[loading] * 30, good()), attempts=1).chat(BODY).text == "Paris"
    assert wire.slept == [5] * 30
    assert [record.getMessage() for record in caplog.records if record.name == "trialign"] == [
        "The server at http://server.test/v1 is still loading its model: waiting"
    ]
    with pytest.raises(LostError, match="503: Loading model"):
        make_client(in_turn(loading), attempts=1, longest_wait=12).chat(BODY)
    assert wire.slept[30:] == [5, 5]


@pytest.mark.parametrize("asked", ["601", "9999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_longer_wait_than_it_may_ask_ends_the_asking(
    make_client: Callable[..., Client], wire: Any, asked: str
) -> None:
    busy = httpx2.Response(429, headers={"Retry-After": asked}, json={"error": {"message": "slow down"}})
    with pytest.raises(LostError, match=r"asks for .* without a request: 429: slow down") as raised:
        make_client(in_turn(busy, good())).chat(BODY)
    assert raised.value.wait is not None
    assert raised.value.wait > 600
    assert wire.slept == []
    assert make_client(in_turn(busy, good()), longest_wait=1e14).chat(BODY).text == "Paris"


def test_a_key_may_travel_in_a_header_of_its_own_and_a_version_in_the_address(
    make_client: Callable[..., Client], wire: Any
) -> None:
    client = make_client(in_turn(good()), key="sesame", api_key_header="api-key", query={"api-version": "2024-10-21"})
    client.chat(BODY)
    client.models()
    assert [str(request.url) for request in wire.requests] == [
        "http://server.test/v1/chat/completions?api-version=2024-10-21",
        "http://server.test/v1/models?api-version=2024-10-21",
    ]
    for request in wire.requests:
        assert request.headers["api-key"] == "sesame"
        assert "Authorization" not in request.headers


def test_echoes_come_in_the_order_sent_whatever_the_order_of_the_answer(make_client: Callable[..., Client]) -> None:
    choices = [
        {"index": index, "logprobs": {"tokens": [str(index)], "token_logprobs": [-float(index)]}} for index in (2, 0, 1)
    ]
    read = make_client(in_turn(answering(choices=choices, model="m"))).echo({})
    assert [(echo.tokens, echo.log_probabilities) for echo in read] == [
        (("0",), (0.0,)),
        (("1",), (-1.0,)),
        (("2",), (-2.0,)),
    ]


def test_a_number_that_no_number_can_be_is_sent_again(make_client: Callable[..., Client]) -> None:
    huge = raw(b'{"choices": [{"index": 0, "logprobs": {"tokens": ["a"], "token_logprobs": [1' + b"0" * 400 + b"]}}]}")
    with pytest.raises(LostError, match="no log-probabilities came back"):
        make_client(in_turn(huge), attempts=1).echo({})


def test_what_json_does_not_know_reaches_the_server_and_it_refuses(make_client: Callable[..., Client]) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(400, text="no JSON") if b"NaN" in request.content else good()

    with pytest.raises(RefusedError, match="no JSON"):
        make_client(answer).chat({**BODY, "top_p": float("nan")})
    assert make_client(answer).chat({"messages": [{"role": "user", "content": "\ud800"}]}).text == "Paris"


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


def test_a_server_that_breaks_off_at_its_models_may_answer_questions(make_client: Callable[..., Client]) -> None:
    for fault in (httpx2.ReadTimeout("slow"), httpx2.RemoteProtocolError("cut"), httpx2.DecodingError("gzip")):
        assert make_client(in_turn(fault)).models() is None


def test_no_server_is_told_at_once(make_client: Callable[..., Client], wire: Any) -> None:
    with pytest.raises(LostError, match="connection refused"):
        make_client(in_turn(httpx2.ConnectError("connection refused"))).models()
    assert wire.slept == []
