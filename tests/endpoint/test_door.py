"""What can be wrong with a server: one sentence and the remedy, before the first question."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from trialign.endpoint.client import Client
from trialign.endpoint.door import api_key, checked_url, knock
from trialign.errors import UserError

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
    assert knock(make_client(server(GOOD)), BODY, "mine", None) == "max_tokens"
    assert json.loads(wire.requests[-1].content) == {**BODY, "max_tokens": 16}


def test_a_model_that_wants_the_newer_key_gets_it(make_client: Callable[..., Client]) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST" and "max_tokens" in json.loads(request.content):
            return refused("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        return GOOD

    assert knock(make_client(answer), BODY, "mine", None) == "max_completion_tokens"


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
        knock(make_client(server(chat, models)), BODY, "mine", key_variable)
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
        ("http://me:sesame@server/v1", "carries a user, a password"),
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
