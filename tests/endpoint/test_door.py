"""What can be wrong with a server: one sentence and the remedy, before the first question."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from trialign.endpoint.client import Client
from trialign.endpoint.door import NEUTRAL, Agreed, api_key, check_header, checked_url, knock
from trialign.errors import UnfinishedError, UserError

pytestmark = pytest.mark.unit

BODY = {"model": "mine", "messages": []}


def server(
    chat: httpx2.Response | Exception, models: httpx2.Response | None = None
) -> Callable[[httpx2.Request], httpx2.Response]:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/models"):
            return models or httpx2.Response(404)
        if isinstance(chat, Exception):
            raise chat
        return chat

    return answer


def offering(*names: str) -> httpx2.Response:
    return httpx2.Response(200, json={"data": [{"id": name} for name in names]})


def refused(message: str, status: int = 400) -> httpx2.Response:
    return httpx2.Response(status, json={"error": {"message": message}})


GOOD = httpx2.Response(200, json={"model": "mine", "choices": [{"message": {"content": "Hello"}}]})


def test_a_server_that_answers_is_let_in(make_client: Callable[..., Client], wire: Any) -> None:
    assert knock(make_client(server(GOOD)), BODY, "mine", None, {}) == Agreed("max_tokens", {})
    assert json.loads(wire.requests[-1].content) == {**BODY, "max_tokens": 16}
    assert knock(make_client(server(GOOD)), BODY, "mine", None, NEUTRAL) == Agreed("max_tokens", NEUTRAL)
    assert json.loads(wire.requests[-1].content) == {
        **BODY,
        "max_tokens": 16,
        "top_p": 1,
        "top_k": -1,
        "min_p": 0,
        "repetition_penalty": 1,
        "presence_penalty": 0,
        "frequency_penalty": 0,
    }


def test_a_model_that_wants_the_newer_key_gets_it(make_client: Callable[..., Client]) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST" and "max_tokens" in json.loads(request.content):
            return refused("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        return GOOD

    assert knock(make_client(answer), BODY, "mine", None, {}) == Agreed("max_completion_tokens", {})


PROTOCOL = {"top_p", "presence_penalty", "frequency_penalty"}


@pytest.mark.parametrize(
    ("unknown", "says", "status", "left", "requests"),
    [
        (set(), "", 400, set(NEUTRAL), 1),
        # One by one, by name.
        (set(NEUTRAL) - PROTOCOL, "Unrecognized request argument supplied: {}", 400, PROTOCOL, 4),
        ({"top_p"}, "`temperature` and `{}` cannot both be specified", 400, set(NEUTRAL) - {"top_p"}, 2),
        # All at once.
        (set(NEUTRAL) - PROTOCOL, "extra inputs", 422, PROTOCOL, 2),
        (set(NEUTRAL), "extra inputs", 422, set(), 3),
    ],
)
def test_a_server_gets_the_neutral_values_that_it_takes(
    make_client: Callable[..., Client],
    wire: Any,
    unknown: set[str],
    says: str,
    status: int,
    left: set[str],
    requests: int,
) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        refused_keys = sorted(unknown & set(json.loads(request.content or b"{}")))
        return refused(says.format(refused_keys[0]), status) if refused_keys else GOOD

    agreed = knock(make_client(answer), BODY, "mine", None, NEUTRAL)
    assert agreed.sampling == {key: NEUTRAL[key] for key in left}
    assert sum(request.method == "POST" for request in wire.requests) == requests


def test_a_server_that_wants_both_gets_both(make_client: Callable[..., Client]) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        sent = json.loads(request.content or b"{}")
        if "top_k" in sent:
            return refused("Unknown parameter: 'top_k'.")
        return refused("Use max_completion_tokens, not max_tokens.") if "max_tokens" in sent else GOOD

    agreed = knock(make_client(answer), BODY, "mine", None, NEUTRAL)
    assert agreed == Agreed("max_completion_tokens", {k: v for k, v in NEUTRAL.items() if k != "top_k"})


@pytest.mark.parametrize(
    ("chat", "models", "key_variable", "problem", "remedy"),
    [
        (httpx2.ConnectError("refused"), None, None, "No answer comes from http://server.test/v1 (refused)", "Start"),
        (refused("bad key", 401), None, "MY_KEY", "refuses access (401: bad key)", "variable MY_KEY"),
        (refused("no key", 401), None, None, "refuses access", "model.endpoint.api_key_variable."),
        (GOOD, refused("not yours", 403), "MY_KEY", "refuses access (403: not yours)", "variable MY_KEY"),
        (refused("does not exist", 404), offering("a", "b"), None, "as the model 'mine'", "it offers: a, b."),
        (refused("pinned"), offering(), None, "the model 'mine' (400: pinned)", "it offers: none"),
        (refused("no"), offering(*map(str, range(20))), None, "'mine'", "10, 11 and 8 more"),
        (httpx2.Response(404), None, None, "no chat endpoint at http://server.test/v1/chat/completions", "/v1"),
        (httpx2.Response(405), offering("mine"), None, "There is no chat endpoint", "model.base_url"),
        (httpx2.Response(200, text="hello"), None, None, "There is no chat endpoint", "model.base_url"),
        (httpx2.Response(301), None, None, "There is no chat endpoint", "model.base_url"),
        (refused("temperature must be 1"), offering("mine"), None, "temperature must be 1", "temperature=null"),
        (httpx2.Response(301, headers={"Location": "/x"}), None, None, "sends on to /x", "no request is sent on"),
        (refused("The model `mine` does not exist", 404), None, None, "as the model 'mine'", "model.name"),
        (
            refused("You exceeded your current quota", 429),
            None,
            "K",
            "No credit is left at http://server.test",
            "quota",
        ),
        (refused("Insufficient Balance", 402), None, "K", "No credit is left", "quota"),
        (refused("System role not supported", 500), None, None, "takes no system message", "--chat-template"),
        (refused("Bad Gateway", 502), None, None, "is there and fails (502: Bad Gateway)", "wait until it runs"),
        (refused("on fire", 500), None, None, "is there and fails (500: on fire)", "log says why"),
        (refused("slow down", 429), None, None, "is there and fails (429: slow down)", "requests_per_minute"),
        (refused("x", 407), None, None, "refuses access (407: x)", "user and password"),
        (refused("filtered", 400), None, None, "refuses a question as the audit puts it (400: filtered)", "Change"),
        (httpx2.Response(400, json={"error": {"code": "content_filter"}}), None, None, "withholds even", "filter"),
        (httpx2.Response(200, json={"choices": []}), None, None, "There is no chat endpoint", "model.base_url"),
        (
            httpx2.Response(200, json={"error": {"code": 401, "message": "No auth"}}),
            None,
            None,
            "there and fails (200: No",
            "log",
        ),
        (httpx2.ReadTimeout("timed out"), None, None, "No answer comes from", "timeout, which is 120 seconds"),
        (httpx2.ConnectError("[Errno -2] Name or service not known"), None, None, "No answer", "host, server.test, in"),
        (httpx2.RemoteProtocolError("illegal status line"), None, None, "No answer", "https:// in model.base_url"),
        (
            httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"),
            None,
            None,
            "self-signed",
            "SSL_CERT_FILE",
        ),
    ],
)
def test_a_fault_is_named_with_its_remedy(
    make_client: Callable[..., Client],
    chat: httpx2.Response | Exception,
    models: httpx2.Response | None,
    key_variable: str | None,
    problem: str,
    remedy: str,
) -> None:
    with pytest.raises(UserError) as raised:
        knock(make_client(server(chat, models)), BODY, "mine", key_variable, NEUTRAL)
    assert problem in raised.value.problem
    assert remedy in f"{raised.value.remedy}."


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "https://api.example.com/v1/", "http://[::1]:80"])
def test_a_sound_address(url: str) -> None:
    assert checked_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (None, "model.base_url is not set"),
        ("", "model.base_url is not set"),
        ("localhost:8000/v1", "no http or https address"),
        ("ftp://server/v1", "no http or https address"),
        ("http://", "no http or https address"),
        ("http://server:port/v1", "no http or https address"),
        ("http://server:99999/v1", "no http or https address"),
        ("http://[::1/v1", "no http or https address"),
        ("http://server/v1/chat/completions", "names one route"),
        ("http://server/v1/models/", "names one route"),
        ("http://server/v1/completions", "names one route"),
        ("http://me:sesame@server/v1", "carries a user, a password"),
        ("http://:sesame@server/v1", "carries a user, a password"),
        ("http://sesame@server/v1", "carries a user, a password"),
        ("http://@server/v1", "carries a user, a password"),
        ("http://server/v1#sesame", "carries a user, a password"),
        ("http://a..b/v1", "no http or https address"),
        (f"http://{'a' * 64}.test/v1", "no http or https address"),
        ("http://ser ver/v1", "no http or https address"),
        (" http://server/v1", "no http or https address"),
        ("http://server/v1\n", "no http or https address"),
        ("http://server/\x00", "no http or https address"),
        ("http://server/\u202ev1", "no http or https address"),
        ("http://server/v1?key=sesame", "carries a user, a password"),
    ],
)
def test_a_malformed_address_is_refused(url: str | None, problem: str) -> None:
    with pytest.raises(UserError) as raised:
        checked_url(url)
    assert problem in raised.value.problem
    assert "sesame" not in str(raised.value)


def test_the_key_comes_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert api_key(None) is None
    monkeypatch.setenv("MY_KEY", " sesame\n")
    assert api_key("MY_KEY") == "sesame"
    for value in ("", "  "):
        monkeypatch.setenv("MY_KEY", value)
        with pytest.raises(UserError, match=r"The environment variable MY_KEY, .* is not set"):
            api_key("MY_KEY")
    monkeypatch.setenv("MY_KEY", "sés\name")
    with pytest.raises(UserError) as raised:
        api_key("MY_KEY")
    assert "sés" not in str(raised.value)


def test_what_stands_before_the_route_is_named() -> None:
    with pytest.raises(UserError, match=r"Set it to what stands before that: https://server/v1\.$"):
        checked_url("https://server/v1/chat/completions/")


def test_what_is_wrong_stays_wrong_and_is_said_soon(make_client: Callable[..., Client], wire: Any) -> None:
    with pytest.raises(UserError, match="There is no chat endpoint"):
        knock(make_client(server(httpx2.Response(200, text="hello"))), BODY, "mine", None, NEUTRAL)
    assert wire.slept == [1]


def test_a_server_that_is_busy_is_waited_for(make_client: Callable[..., Client], wire: Any) -> None:
    busy = iter([refused("busy", 503)] * 5)
    client = make_client(lambda request: GOOD if request.method == "GET" else next(busy, GOOD))
    assert knock(client, BODY, "mine", None, {}) == Agreed()
    assert wire.slept == [1, 1, 2, 4]


def test_a_server_that_asks_to_wait_too_long_is_left_for_now(make_client: Callable[..., Client], wire: Any) -> None:
    busy = httpx2.Response(429, headers={"Retry-After": "86400"}, json={"error": {"message": "tomorrow"}})
    with pytest.raises(UnfinishedError, match=r"asks for 24 hours .* raise model.endpoint.longest_wait"):
        knock(make_client(server(busy)), BODY, "mine", None, {})
    assert wire.slept == []


def test_a_proxy_that_does_not_answer_is_named(make_client: Callable[..., Client], monkeypatch: Any) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://me:sesame@proxy.test:3128")
    with pytest.raises(UserError, match=r"the proxy that HTTP_PROXY names.* add server.test to NO_PROXY") as raised:
        knock(make_client(server(httpx2.ConnectError("refused"))), BODY, "mine", None, {})
    assert "sesame" not in str(raised.value)


def test_a_header_that_carries_no_key_is_refused() -> None:
    for name in (None, "api-key", "X-Api-Key", "Ocp-Apim-Subscription-Key"):
        check_header(name)
    for name in ("", "a b", "é", "key:", "a\r\nb", "Content-Length", "host"):
        with pytest.raises(UserError, match=r"model\.endpoint\.api_key_header, .*, is no header that carries a key"):
            check_header(name)


@pytest.mark.parametrize(
    ("offered", "answered", "fault"),
    [
        (offering("base", "mine"), "mine", None),
        (None, "mine", None),
        (offering(), "mine", None),
        (offering("base", "mine"), "mine-2026-01", None),  # as hosted servers call it
        (offering("base", "mine"), "base", "asked for 'mine' and answered as 'base'"),
        (offering("base", "other"), "mine", "does not offer 'mine' but base, other"),
    ],
)
def test_an_agent_beside_its_base_is_not_taken_for_it(
    offered: httpx2.Response | None, answered: str, fault: str | None, make_client: Callable[..., Client]
) -> None:
    reply = httpx2.Response(200, json={"model": answered, "choices": [{"message": {"content": "Hello"}}]})
    client = make_client(server(reply, offered))
    if fault is None:
        assert knock(client, BODY, "mine", None, {}, beside="base") == Agreed("max_tokens", {})
        return
    with pytest.raises(UserError, match=fault) as raised:
        knock(client, BODY, "mine", None, {}, beside="base")
    assert "model.endpoint.names" in raised.value.remedy
