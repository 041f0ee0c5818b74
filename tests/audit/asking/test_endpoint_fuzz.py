"""Whatever a server sends: an audit ends with answers, or with one sentence."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from trialign.audit.asking.endpoint import EndpointAgents
from trialign.audit.asking.endpoint_options import OptionScorer
from trialign.audit.asking.run import AuditConfig, Auditor
from trialign.endpoint.client import Client
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.pace import Pace
from trialign.environment import PromptConfig
from trialign.errors import UnfinishedError, UserError
from trialign.groups import GroupSet
from trialign.models import ChatRenderer, ModelConfig
from trialign.policy.group_policy import Sampling
from trialign.queries import Query
from trialign.queries.statuses import READ_STATUSES, UNREAD_STATUSES
from trialign.scoring import Scoring
from trialign.trajectories.served import RolloutConfig, ServedReplies

CHAT: Any = {
    "id": "x",
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "A"}, "finish_reason": "stop"}],
    "usage": {"total_tokens": 3},
}
COMPLETION: Any = {
    "model": "m",
    "choices": [
        {
            "index": 0,
            "text": "x",
            "finish_reason": "stop",
            "token_ids": [5, 6],
            "logprobs": {"tokens": ["a", "b"], "token_logprobs": [-0.5, -1.0]},
        }
    ],
}
MODELS: Any = {"object": "list", "data": [{"id": "m"}]}
WORDS = (
    *(
        "content_filter",
        "error",
        "length",
        "stop",
        "safety",
        "insufficient_quota",
        "context_length_exceeded",
        "loading",
    ),
    *(
        "thinking",
        "text",
        "refusal",
        "max_completion_tokens",
        "top_k",
        "System role not supported",
        "A. Lyon",
        "\x1b[31m",
    ),
)
KEYS = (
    *("error", "message", "code", "type", "choices", "content", "refusal", "text", "finish_reason", "detail", "index"),
    *("logprobs", "tokens", "token_logprobs", "data", "id", "innererror", "prompt_filter_results", "promptFeedback"),
)


@dataclass(frozen=True)
class Raw:
    """A response as bytes: a status line, headers, a body."""

    status: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def content(self) -> bytes:
        lines = [b"HTTP/1.1 " + self.status, *(name + b": " + value for name, value in self.headers), b"", b""]
        return b"\r\n".join(lines) + self.body


class Wire:
    """A server that says what it is told to, to models, to the greeting and to questions, and hangs up."""

    def __init__(self) -> None:
        self.says: dict[str, list[Raw]] = {}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self._answer(connection)
                except OSError:
                    continue

    def _answer(self, connection: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += connection.recv(65536)
        head, _, body = asked.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        while len(body) < length:
            body += connection.recv(65536)
        place = "models" if asked.startswith(b"GET") else "greeting" if b"Say hello." in body else "question"
        left = self.says[place]
        connection.sendall((left.pop(0) if len(left) > 1 else left[0]).content)


_PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS)
_KEYS = st.sampled_from(KEYS) | st.text(max_size=4)
_LISTS = st.lists(_PLAIN, max_size=3) | st.dictionaries(_KEYS, _PLAIN, max_size=3)
JSON_VALUES = _PLAIN | _LISTS | st.lists(_LISTS, max_size=2) | st.dictionaries(_KEYS, _LISTS, max_size=2)


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """A value with something else at one place in it, or one place less, or a key more."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 4)) == 0:
        return draw(JSON_VALUES)
    places: list[Any] = [*value] if isinstance(value, dict) else [*range(len(value))]
    place = draw(st.sampled_from(places))
    copy: Any = value.copy()
    if draw(st.integers(0, 3)) == 0:
        del copy[place]
    else:
        copy[place] = draw(mutated(value[place]))
    if isinstance(copy, dict) and draw(st.integers(0, 3)) == 0:
        copy[draw(st.sampled_from(KEYS))] = draw(JSON_VALUES)
    return copy


@st.composite
def bodies(draw: st.DrawFn, value: Any) -> bytes:
    """A JSON text, perhaps in another encoding, cut, or with other bytes in it."""
    text = json.dumps(draw(mutated(value)) if draw(st.booleans()) else value, ensure_ascii=draw(st.booleans()))
    encoding = draw(st.sampled_from(["utf-8"] * 6 + ["utf-8-sig", "utf-16", "utf-32", "latin-1", "utf-7"]))
    body = text.encode(encoding, "replace")
    kind = draw(st.integers(0, 11))
    if kind == 0:
        return body[: draw(st.integers(0, len(body)))]
    if kind == 1:
        place = draw(st.integers(0, len(body)))
        return body[:place] + draw(st.binary(max_size=6)) + body[place + draw(st.integers(0, 6)) :]
    if kind == 2:
        return draw(
            st.sampled_from([b"", b"<html>Bad</html>", b"[" * 50_000, b'{"error":' * 20_000, b"\xff\xfe", b"null"])
        )
    return body


@st.composite
def responses(draw: st.DrawFn, value: Any) -> Raw:
    """A response, of which some parts are not as they should be."""
    good = draw(st.integers(0, 2)) == 0
    codes = [200] * 6 + [204, 301, 307, 400, 401, 402, 403, 404, 407, 413, 422, 429, 451, 500, 502, 503, 529, 999]
    status = 200 if good else draw(st.sampled_from(codes))
    body = json.dumps(value).encode() if good else draw(bodies(value))
    encoding = (
        b"" if good else draw(st.sampled_from([b""] * 6 + [b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip", b"x"]))
    )
    if encoding and draw(st.booleans()):
        body = {b"gzip": gzip.compress, b"deflate": zlib.compress}.get(encoding, bytes)(body)
    headers = [(b"Connection", b"close"), (b"Content-Type", b"application/json")]
    if encoding:
        headers.append((b"Content-Encoding", encoding))
    if good or draw(st.integers(0, 5)):
        headers.append((b"Content-Length", str(len(body)).encode()))
    if not good:
        headers += draw(st.lists(strange_headers(), max_size=2))
    reason = b"OK" if good else draw(st.sampled_from([b"OK", b"", b"\xff", b"Not" * 99]))
    return Raw(str(status).encode() + b" " + reason, tuple(headers), body)


def strange_headers() -> st.SearchStrategy[tuple[bytes, bytes]]:
    values = {
        b"Retry-After": [
            b"0",
            b"-1",
            b"nan",
            b"1e400",
            b"9999999999999",
            b"Fri, 31 Dec 9999 23:59:59 GMT",
            b"soon",
            b"\xff",
        ],
        b"retry-after-ms": [b"1", b"x", b"1e308"],
        b"x-ratelimit-reset": [b"1ms", b"1s1", b"9" * 400, b"9999-12-31T23:59:59Z", b"\xff", b"1e308"],
        b"RateLimit": [b'"a";r=0;t=1', b";;=,t=x", b"t=nan"],
        b"Date": [b"Fri, 31 Dec 9999 23:59:59 GMT", b"0", b"\xe9"],
        b"Content-Type": [b"text/html; charset=base64", b"a/b; charset=undefined", b"\xff", b"x; charset=\xff"],
        b"Content-Length": [b"0", b"5", b"99999", b"-1", b"x"],
        b"Transfer-Encoding": [b"chunked", b"gzip", b"x"],
        b"Location": [b"/elsewhere", b"http://[::1", b"\xff", b"//", b""],
        b"Set-Cookie": [b"a=b; expires=99", b"=", b"a=b; domain=\xff; max-age=x", b";;;"],
        b"X-Odd": [b"", b"a" * 9999],
    }
    return st.sampled_from(sorted(values)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(values[name])))


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.listener.close()


def audit(wire: Wire, groups: GroupSet, queries: Sequence[Query], folder: Path) -> None:
    """Asks that server, at most three questions at a time, and holds the outcome to what is allowed."""
    endpoint = EndpointConfig(attempts=2, concurrent_requests=1, timeout=2)
    model = ModelConfig(source="endpoint", name="m", base_url=wire.url, endpoint=endpoint)
    try:
        agents = EndpointAgents.at_the_door(model, folder, 8, 0, Scoring())
        items = Auditor(agents, groups, PromptConfig(options="lettered"), AuditConfig()).run(queries, "test")
    except (UserError, UnfinishedError) as error:
        said = str(error)
        assert said.isprintable(), said
        assert len(said) < 2000, said
        return
    for item in items:
        assert item.parse_status in {*READ_STATUSES, *UNREAD_STATUSES}
        assert (item.canonical is None) == (item.parse_status in UNREAD_STATUSES)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trialign.endpoint.client.Pace", lambda rate: Pace(rate, lambda: 0.0, lambda seconds: None))


LOT = 200  # examples of one seed, by which a fault is found again
UNTIMED = settings(
    max_examples=LOT, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=False
)


def fuzz(lot: int, wire: Wire, groups: GroupSet, queries: Sequence[Query], folder: Path) -> None:
    asked = [replace(queries[0], query_id=f"q{n}", cluster=f"q{n}", question=f"Question {n}?") for n in range(2)]
    runs = iter(range(10**9))

    @seed(lot)
    @UNTIMED
    @given(
        st.lists(responses(MODELS), min_size=1, max_size=1),
        st.lists(responses(CHAT), min_size=1, max_size=3),
        st.lists(responses(CHAT), min_size=1, max_size=4),
        st.booleans(),
    )
    def one(models: list[Raw], greeting: list[Raw], question: list[Raw], let_in: bool) -> None:
        good = Raw(b"200 OK", ((b"Connection", b"close"),), json.dumps(CHAT).encode())
        wire.says = {"models": models, "greeting": [good] if let_in else greeting, "question": question}
        audit(wire, groups, asked, folder / str(next(runs)))

    one()


def write(wire: Wire, renderer: ChatRenderer, token_ids: bool) -> None:
    """Has a collection's replies written by that server, and its options scored."""
    config = RolloutConfig("server", wire.url, "m", token_ids, attempts=2, concurrent_requests=1, timeout=2)
    prompt = renderer.render((("user", "Where?"),))
    try:
        written = ServedReplies.at(config, "m", renderer).generate([prompt], Sampling(4, 1.0), samples=2)
    except (UserError, UnfinishedError) as error:
        written, said = [], str(error)
        assert said.isprintable()
    for reply in written:
        assert reply.ids
        assert all(0 <= token < len(renderer.tokenizer) for token in reply.ids)
        assert reply.log_probabilities is None or len(reply.log_probabilities) <= len(reply.ids)
    client = Client(wire.url, None, EndpointConfig(attempts=2, timeout=2))
    reason = OptionScorer("m", renderer, Scoring()).probe(client)
    assert reason is None or reason.isprintable()


def fuzz_completions(lot: int, wire: Wire, renderer: ChatRenderer) -> None:
    @seed(lot)
    @UNTIMED
    @given(st.lists(responses(COMPLETION), min_size=1, max_size=4), st.booleans())
    def one(answers: list[Raw], token_ids: bool) -> None:
        wire.says = dict.fromkeys(("models", "greeting", "question"), answers)
        write(wire, renderer, token_ids)

    one()


@pytest.mark.unit
def test_no_answer_of_a_server_is_too_much(
    wire: Wire, groups: GroupSet, queries: Sequence[Query], tmp_path: Path
) -> None:
    fuzz(0, wire, groups, queries, tmp_path)


@pytest.mark.unit
def test_no_completion_of_a_server_is_too_much(wire: Wire, renderer: ChatRenderer) -> None:
    fuzz_completions(0, wire, renderer)


@pytest.mark.slow
def test_no_answer_of_ten_thousand_is_too_much(
    wire: Wire, groups: GroupSet, queries: Sequence[Query], renderer: ChatRenderer, tmp_path: Path
) -> None:
    for lot in range(10_000 // LOT):
        fuzz(lot, wire, groups, queries, tmp_path / str(lot))
    for lot in range(2_000 // LOT):
        fuzz_completions(lot, wire, renderer)
