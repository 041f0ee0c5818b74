"""Requests to an OpenAI-compatible server over HTTP, sent again where that can help."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx2

from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.network import Way
from trialign.endpoint.pace import Pace, backoff, draw, spoken
from trialign.endpoint.refusals import Matter, matter, message, one_line
from trialign.endpoint.replies import (
    FILTERED,
    NO_ANSWER,
    Completion,
    Echo,
    Reply,
    SaidError,
    chat_reply,
    completion,
    echoes,
)
from trialign.endpoint.waits import asked_wait

_REDIRECTS = range(300, 400)
_LOADING_PAUSE = 5.0  # seconds between two looks at a server that loads its model
# The server's own matter, and no question's: another question would fare no better.
BUSY = frozenset({429, 503, 529})
T = TypeVar("T")

log = logging.getLogger("trialign")


class RefusedError(Exception):
    """The server will not answer this request, however often it is sent.

    Args:
        status: of HTTP; 200 where the answer is not one of the protocol.
        message: what the server says.
        matter: what it is about.
    """

    def __init__(self, status: int, message: str, matter: Matter = "other") -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message, self.matter = status, message, matter

    @property
    def at_question(self) -> bool:
        """Whether it is this request's matter alone: what came back to it is no use."""
        return self.status == 200 and self.matter == "other"


class LostError(Exception):
    """The server gave no answer in all attempts; the text says what happened last.

    Args:
        reason: what happened.
        status: of HTTP; None where no answer came.
        at_question: whether it may be this request's matter: the server was there, and did not say that it is busy.
        wait: seconds that it asks to wait, which are more than it may ask.
        foreign: whether what came is no answer of the protocol.
    """

    def __init__(
        self,
        reason: str,
        status: int | None = None,
        *,
        at_question: bool = False,
        wait: float | None = None,
        foreign: bool = False,
    ) -> None:
        super().__init__(reason)
        self.status, self.at_question, self.wait, self.foreign = status, at_question, wait, foreign


class _PassingError(Exception):
    """What another sending may mend.

    Args:
        lost: what is said if none does.
        wait: seconds that the server asks to wait; None: it does not.
        loading: whether the server loads its model.
    """

    def __init__(self, lost: LostError, wait: float | None = None, loading: bool = False) -> None:
        super().__init__(str(lost))
        self.lost, self.wait, self.loading = lost, wait, loading


class Client:
    """A server.

    Args:
        base_url: ends where ``/chat/completions`` follows.
        key: sent as a bearer token, or in the header that the configuration names; None: none is.
        config: attempts, pace and timeout.
        transport: in place of the network.
        pace: in place of one by the system's clock.
        chance: draws a number between 0 and 1.

    Raises:
        UserError: the environment names no proxy that can be used, or no certificates.
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
        self.way = Way.to(base_url)
        self.attempts, self.timeout = config.attempts, config.timeout
        self._longest_wait = config.longest_wait
        self._pace = pace or Pace(config.requests_per_minute)
        self._chance = chance
        self._http = self.way.client(
            headers=_carrying(key, config.api_key_header),
            query=config.query,
            timeout=config.timeout,
            connections=config.concurrent_requests,
            transport=transport,
        )

    def models(self) -> list[str] | None:
        """Names of the models that the server offers; None where it tells none.

        Raises:
            RefusedError: it refuses the key.
            LostError: there is no server.
        """
        try:
            response = self._http.get(f"{self.base_url}/models")
        except httpx2.RequestError as error:
            lost = _lost(error)
            if lost.at_question:
                return None  # the server is there, and may yet answer what matters
            raise lost from error
        content = _content(response)
        if response.status_code in (401, 403, 407):
            raise RefusedError(response.status_code, _said(response, content), matter(response.status_code, content))
        try:
            return [one_line(str(one["id"])) for one in content["data"]] if response.is_success else None
        except NO_ANSWER:
            return None

    def chat(self, body: Mapping[str, Any], attempts: int | None = None) -> Reply:
        """One answer to a conversation; one that a filter withholds is an answer without text.

        Args:
            body: of the request.
            attempts: in place of the configuration's, where those are more.

        Raises:
            RefusedError: the request is at fault.
            LostError: no attempt succeeded.
        """
        try:
            return self._ask("/chat/completions", body, chat_reply, "no chat completion", attempts)
        except RefusedError as error:
            if error.matter != "filter":
                raise
            return Reply("", FILTERED, "")

    def echo(self, body: Mapping[str, Any], attempts: int | None = None) -> list[Echo]:
        """Prompts sent back with the log-probabilities of their tokens, in the order sent.

        Args:
            body: of a request to ``/completions`` with ``echo`` and ``logprobs``.
            attempts: in place of the configuration's, where those are more.

        Raises:
            RefusedError: the request is at fault, or the server does not offer this.
            LostError: no attempt succeeded.
        """
        return self._ask("/completions", body, echoes, "no log-probabilities", attempts)

    def complete(self, body: Mapping[str, Any], attempts: int | None = None) -> Completion:
        """One continuation of a text, of the protocol's older kind: no chat template is applied.

        Args:
            body: of the request.
            attempts: in place of the configuration's, where those are more.

        Raises:
            RefusedError: the request is at fault.
            LostError: no attempt succeeded.
        """
        return self._ask("/completions", body, completion, "no completion", attempts)

    def _ask(
        self, path: str, body: Mapping[str, Any], read: Callable[[Any], T], missing: str, attempts: int | None
    ) -> T:
        """What a request brings, sent again while that can help."""
        most = self.attempts if attempts is None else min(attempts, self.attempts)
        failures, loading = 0, 0.0
        while True:
            self._pace.wait()
            try:
                return self._send(path, body, read, missing)
            except _PassingError as error:
                passing = error
            if passing.wait is not None and passing.wait > self._longest_wait:
                said = f"it asks for {spoken(passing.wait)} without a request: {passing.lost}"
                raise LostError(said, passing.lost.status, wait=passing.wait) from passing
            if passing.loading and loading + _LOADING_PAUSE <= self._longest_wait:
                if not loading:
                    log.info("The server at %s is still loading its model: waiting", self.base_url)
                loading += _LOADING_PAUSE
                self._pace.pause(_LOADING_PAUSE)
                continue
            failures += 1
            if failures >= most:
                raise passing.lost
            if passing.wait is None:
                self._pace.pause(backoff(failures, self._chance()))
            else:
                self._pace.hold(passing.wait)

    def _send(self, path: str, body: Mapping[str, Any], read: Callable[[Any], T], missing: str) -> T:
        """What one sending brings."""
        try:
            response = self._http.post(
                f"{self.base_url}{path}",
                content=json.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
            )
        except httpx2.RequestError as error:
            raise _PassingError(_lost(error)) from error
        content = _content(response)
        if not response.is_success:
            raise _fault(response, content)
        try:
            return read(content)
        except SaidError as error:
            raise _fault(response, error.content) from error
        except NO_ANSWER as error:
            said = f"200: {missing} came back but {_said(response, content) or 'nothing'}"
            raise _PassingError(LostError(said, response.status_code, at_question=True, foreign=True)) from error


def _carrying(key: str | None, header: str | None) -> dict[str, str]:
    if not key:
        return {}
    return {header: key} if header else {"Authorization": f"Bearer {key}"}


def _fault(response: httpx2.Response, content: Any) -> _PassingError | RefusedError:
    """What a response that is no answer means for its request."""
    status, said = response.status_code, _said(response, content)
    if status in _REDIRECTS:
        target = one_line(response.headers.get("Location", "nowhere"))
        return RefusedError(status, f"it sends on to {target}")
    about = matter(status, content)
    if about != "passing":
        return RefusedError(status, said, about)
    lost = LostError(f"{status}: {said}", status, at_question=status not in BUSY)
    wait = asked_wait(status, response.headers, time.time())
    return _PassingError(lost, wait, status == 503 and "loading" in said.lower())


def _lost(error: httpx2.RequestError) -> LostError:
    # Who does not take the connection is gone; what breaks on the way may be broken by the question.
    gone = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError | httpx2.PoolTimeout)
    return LostError(one_line(str(error)) or type(error).__name__, at_question=not gone)


def _content(response: httpx2.Response) -> Any:
    """What a response says: its JSON, else its text. Bytes that are no text are replaced, not refused."""
    try:
        return json.loads(response.content)
    except UnicodeDecodeError:
        try:
            return json.loads(_text(response))
        except (ValueError, RecursionError):
            return _text(response)
    except (ValueError, RecursionError):
        return _text(response)


def _text(response: httpx2.Response) -> str:
    """By the encoding that the response names, where it is one of text; else as UTF-8."""
    try:
        text = response.content.decode(response.charset_encoding or "utf-8", "replace")
    except (LookupError, ValueError):
        text = response.content.decode("utf-8", "replace")
    return text.removeprefix("\ufeff")


def _said(response: httpx2.Response, content: Any) -> str:
    try:
        return message(content) or one_line(response.reason_phrase)
    except RecursionError:
        return one_line(response.reason_phrase)
