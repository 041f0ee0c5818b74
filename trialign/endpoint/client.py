"""Requests to an OpenAI-compatible server over HTTP, sent again where that can help."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2

from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.pace import Pace, backoff, draw, retry_after

# Timeouts, conflicts, too many requests, and the server's own faults.
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_LONGEST_MESSAGE = 300
T = TypeVar("T")


class RefusedError(Exception):
    """The server will not answer this request, however often it is sent.

    Args:
        status: of HTTP; 200 where the answer is not one of the protocol.
        message: what the server says.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


class LostError(Exception):
    """The server gave no answer in all attempts; the text says what happened last."""


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        text: of the message; empty where it has none.
        finish: why it ended; ``length`` where it was cut off.
        model: what the server calls the model that answered.
        scores: log-probability of each option in nats, where options were scored; else empty.
        refused: whether the server says that the model declined; the text is then the refusal.
    """

    text: str
    finish: str
    model: str
    scores: tuple[float, ...] = ()
    refused: bool = False


@dataclass(frozen=True)
class Echo:
    """A prompt as the server read it, and perhaps something that it added.

    Attributes:
        tokens: as text.
        log_probabilities: [tokens], of each given those before it, in nats; None for the first.
        model: what the server calls the model.
    """

    tokens: tuple[str, ...]
    log_probabilities: tuple[float | None, ...]
    model: str


@dataclass(frozen=True)
class Completion:
    """A text that was continued.

    Attributes:
        text: what follows the prompt.
        finish: why it ended; ``length`` where it was cut off.
        token_ids: of what follows the prompt; None where the server tells none.
    """

    text: str
    finish: str
    token_ids: tuple[int, ...] | None


class Client:
    """A server.

    Args:
        base_url: ends where ``/chat/completions`` follows.
        key: sent as a bearer token; None: none is.
        config: attempts, pace and timeout.
        transport: in place of the network.
        pace: in place of one by the system's clock.
        chance: draws a number between 0 and 1.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None,
        config: EndpointConfig,
        *,
        transport: httpx2.BaseTransport | None = None,
        pace: Pace | None = None,
        chance: Callable[[], float] = draw,
    ) -> None:
        self.base_url = base_url
        self._attempts = config.attempts
        self._pace = pace or Pace(config.requests_per_minute)
        self._chance = chance
        self._http = httpx2.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=config.timeout,
            transport=transport,
            limits=httpx2.Limits(max_connections=config.concurrent_requests),
            follow_redirects=False,
        )

    def models(self) -> list[str] | None:
        """Names of the models that the server offers; None where it tells none.

        Raises:
            RefusedError: it refuses the key.
            LostError: there is no server.
        """
        try:
            response = self._http.get(f"{self.base_url}/models")
        except httpx2.TransportError as error:
            raise LostError(_reason(error)) from error
        if response.status_code in (401, 403):
            raise RefusedError(response.status_code, _message(response))
        try:
            return [str(one["id"]) for one in response.json()["data"]] if response.is_success else None
        except (ValueError, KeyError, TypeError):
            return None

    def chat(self, body: Mapping[str, Any]) -> Reply:
        """One answer to a conversation.

        Args:
            body: of the request.

        Raises:
            RefusedError: the request is at fault, or what came back is no answer.
            LostError: no attempt succeeded.
        """
        return self._read("/chat/completions", body, _reply, "no chat completion")

    def echo(self, body: Mapping[str, Any]) -> list[Echo]:
        """Prompts sent back with the log-probabilities of their tokens, in the order sent.

        Args:
            body: of a request to ``/completions`` with ``echo`` and ``logprobs``.

        Raises:
            RefusedError: the request is at fault, or the server does not offer this.
            LostError: no attempt succeeded.
        """
        return self._read("/completions", body, _echoes, "no log-probabilities")

    def complete(self, body: Mapping[str, Any]) -> Completion:
        """One continuation of a text, of the protocol's older kind: no chat template is applied.

        Args:
            body: of the request.

        Raises:
            RefusedError: the request is at fault, or what came back is no continuation.
            LostError: no attempt succeeded.
        """
        return self._read("/completions", body, _completion, "no completion")

    def _read(self, path: str, body: Mapping[str, Any], read: Callable[[Any], T], missing: str) -> T:
        """What a request brings, read by its form; what has another form is no answer."""
        response = self._post(path, body)
        try:
            return read(response.json())
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise RefusedError(response.status_code, f"{missing} came back but {_message(response)}") from error

    def _post(self, path: str, body: Mapping[str, Any]) -> httpx2.Response:
        failures = 0
        while True:
            self._pace.wait()
            asked: float | None = None
            try:
                response = self._http.post(f"{self.base_url}{path}", json=body)
            except httpx2.TransportError as error:
                reason = _reason(error)
            else:
                if response.is_success:
                    return response
                if response.status_code not in _PASSING:
                    raise RefusedError(response.status_code, _message(response))
                reason = f"{response.status_code}: {_message(response)}"
                asked = retry_after(response.headers.get("Retry-After"), time.time())
            failures += 1
            if failures >= self._attempts:
                raise LostError(reason)
            if asked is None:
                self._pace.pause(backoff(failures, self._chance()))
            else:
                self._pace.hold(asked)


def _reply(content: Any) -> Reply:
    choice = content["choices"][0]
    message = choice["message"]
    refusal = message.get("refusal")
    refused = isinstance(refusal, str) and bool(refusal.strip())
    text = message.get("content") or (refusal if refused else "")
    if not isinstance(text, str):
        raise TypeError("the content is no text")
    # Half a surrogate pair is allowed in JSON, and in no file; halves that belong together are joined.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return Reply(text.strip(), str(choice.get("finish_reason")), str(content.get("model")), refused=refused)


def _echoes(content: Any) -> list[Echo]:
    return [
        Echo(
            tuple(str(token) for token in choice["logprobs"]["tokens"]),
            tuple(None if v is None else float(v) for v in choice["logprobs"]["token_logprobs"]),
            str(content.get("model")),
        )
        for choice in sorted(content["choices"], key=lambda one: int(one["index"]))
    ]


def _completion(content: Any) -> Completion:
    choice = content["choices"][0]
    ids = choice.get("token_ids")
    tokens = None if ids is None else tuple(int(token) for token in ids)
    return Completion(str(choice["text"]), str(choice.get("finish_reason")), tokens)


def _reason(error: httpx2.TransportError) -> str:
    return str(error) or type(error).__name__


def _message(response: httpx2.Response) -> str:
    """What a server says of a fault, on one line; there are several ways to put it."""
    try:
        content = response.json()
    except ValueError:
        content = response.text
    for key in ("error", "message", "detail"):
        if isinstance(content, dict) and key in content:
            content = content[key]
    text = " ".join((content if isinstance(content, str) else str(content)).split())
    return text[:_LONGEST_MESSAGE] or response.reason_phrase
