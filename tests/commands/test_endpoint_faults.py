"""Audits of servers that misbehave, over real sockets: a stub on loopback, the whole command."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from trialign.audit.files.items import read_items
from trialign.cli import main

pytestmark = pytest.mark.integration

Act = Callable[[Any, int], None]


def chat(content: Any = "A", finish: str = "stop") -> bytes:
    return json.dumps({"choices": [{"message": {"content": content}, "finish_reason": finish}]}).encode()


def send(handler: Any, content: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


@contextmanager
def stub(act: Act, protocol: str = "HTTP/1.1") -> Iterator[str]:
    """A server whose answer to the n-th question is an act; its address."""
    count, lock = [0], threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = protocol

        def log_message(self, *values: Any) -> None:
            pass

        def do_GET(self) -> None:
            send(self, b'{"data": [{"id": "m"}]}')

        def do_POST(self) -> None:
            self.body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                count[0] += 1
                number = count[0]
            act(self, number)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def arguments(url: str, folder: Path, *words: str) -> list[str]:
    rows = [
        {
            "id": f"q{n}",
            "split": "test",
            "kind": "truth",
            "question": f"{n}?",
            "options": ["Rome", "Milan"],
            "gold": "Rome",
        }
        for n in range(3)
    ]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    stated = ["name=t", "model.name=m", f"model.base_url={url}", f"runs={folder}/runs", "groups=country", "data=files"]
    data = ["data.name=t", f"data.files=[{folder}/questions.jsonl]", "model.endpoint.attempts=2"]
    data.append("model.endpoint.structured=never")  # the questions are counted
    return ["test", "--config", "conf/audit/endpoint.yaml", *stated, *data, *words]


@pytest.fixture
def audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def run(url: str, *words: str) -> tuple[int, str]:
        code = main(arguments(url, tmp_path, *words))
        return code, capsys.readouterr().err

    return run


def cut_short(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "500")
    handler.end_headers()
    handler.wfile.write(b'{"choices": ')
    handler.close_connection = True


def chunks_cut_short(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'c\r\n{"choices": \r\n')
    handler.close_connection = True


def silence(handler: Any) -> None:
    handler.close_connection = True


@pytest.mark.parametrize(
    "act",
    [
        cut_short,
        chunks_cut_short,
        silence,
        lambda handler: send(handler, chat(), Content_Encoding="gzip"),
        lambda handler: send(handler, gzip.compress(chat())[:-9], Content_Encoding="gzip"),
        lambda handler: send(handler, chat(), Content_Encoding="deflate"),
        lambda handler: handler.wfile.write(b"\x16\x03\x01 nonsense\r\n\r\n"),
        lambda handler: send(handler, b"<html>", Content_Type="text/html"),
        lambda handler: send(handler, b""),
        lambda handler: send(handler, b"", 204),
        lambda handler: send(handler, b'{"error": {"message": "x"}}', 502),
        lambda handler: send(handler, chat(None, "error")),
    ],
    ids=range(12),
)
def test_what_breaks_once_is_asked_again(audit: Any, act: Callable[[Any], None], tmp_path: Path) -> None:
    with stub(lambda handler, number: act(handler) if number == 4 else send(handler, chat())) as url:
        code, said = audit(url)
    assert code == 0, said
    items = read_items(tmp_path / "runs/t/audits/step=000000.t.test/items.parquet")
    assert set(items["parse_status"]) == {"label"}


@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])
def test_connections_may_close_after_each_answer(audit: Any, protocol: str) -> None:
    def act(handler: Any, number: int) -> None:
        handler.close_connection = True
        send(handler, chat())

    with stub(act, protocol) as url:
        assert audit(url)[0] == 0


def test_compressed_answers_are_read(audit: Any) -> None:
    with stub(lambda handler, number: send(handler, gzip.compress(chat()), Content_Encoding="gzip")) as url:
        assert audit(url)[0] == 0


def test_a_redirect_is_not_followed(audit: Any) -> None:
    reached: list[int] = []

    def follow(handler: Any, number: int) -> None:
        reached.append(number)
        send(handler, chat())

    with (
        stub(follow) as there,
        stub(lambda handler, number: send(handler, b"", 307, Location=f"{there}/chat/completions")) as url,
    ):
        code, said = audit(url)
    assert code == 2
    assert f"307: it sends on to {there}" in said
    assert reached == []


def test_a_server_that_says_nothing_is_left_after_the_timeout(audit: Any) -> None:
    release = threading.Event()
    with stub(lambda handler, number: release.wait(30)) as url:
        begun = time.monotonic()
        code, said = audit(url, "model.endpoint.timeout=0.3")
        release.set()
    assert code == 2
    assert time.monotonic() - begun < 10
    assert "timed out" in said
    assert "model.endpoint.timeout, which is 0.3 seconds" in said


def test_a_wait_beyond_the_bound_keeps_what_came(audit: Any) -> None:
    def act(handler: Any, number: int) -> None:
        if number == 6:
            send(handler, b'{"error": {"message": "slow down"}}', 429, Retry_After="86400")
        else:
            send(handler, chat())

    words = ["model.endpoint.concurrent_requests=1"]
    with stub(act) as url:
        code, said = audit(url, *words)
        assert code == 1
        assert "asks for 24 hours" in said
        assert "the 4 answers in" in said
        assert audit(url, *words)[0] == 0


@pytest.mark.parametrize(
    ("name", "value"), [("ALL_PROXY", "socks5://127.0.0.1:1"), ("HTTP_PROXY", "http://127.0.0.1:1")]
)
def test_loopback_goes_past_the_proxy(audit: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with stub(lambda handler, number: send(handler, chat())) as url:
        assert audit(url)[0] == 0


@pytest.mark.parametrize(
    ("name", "value", "url", "says"),
    [
        ("ALL_PROXY", "socks9://127.0.0.1:1", "http://models.test/v1", "variable ALL_PROXY names no proxy"),
        ("HTTPS_PROXY", "nonsense://", "https://models.test/v1", "variable HTTPS_PROXY names no proxy"),
        ("HTTP_PROXY", "http://127.0.0.1:1", "http://models.test/v1", "the proxy that HTTP_PROXY names"),
        ("SSL_CERT_FILE", "/nonexistent/ca.pem", "https://127.0.0.1:1/v1", "variable SSL_CERT_FILE names no"),
        ("SSL_CERT_DIR", "/nonexistent", "https://127.0.0.1:1/v1", "variable SSL_CERT_DIR names no"),
    ],
)
def test_a_variable_of_the_environment_is_named(
    audit: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str, url: str, says: str
) -> None:
    for other in ("SSL_CERT_FILE", "SSL_CERT_DIR", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)
    code, said = audit(url)
    assert code == 2
    assert says in said
    assert said.count("\n") == 1


def test_an_interrupt_does_not_wait_for_the_server(tmp_path: Path) -> None:
    asked, release = threading.Event(), threading.Event()

    def act(handler: Any, number: int) -> None:
        if number > 1:
            asked.set()
            release.wait(60)
        else:
            send(handler, chat())

    with stub(act) as url:
        command = [sys.executable, "-c", "from trialign.cli import entry; entry()", *arguments(url, tmp_path)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env={**os.environ})
        try:
            assert asked.wait(120)
            begun = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
            assert time.monotonic() - begun < 15
        finally:
            process.kill()
            release.set()
    assert process.returncode == 1
    assert b"Stopped. What is done is kept." in said
    assert b"Traceback" not in said
