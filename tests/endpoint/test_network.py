"""The way to a server, as the environment has it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from trialign.endpoint.client import Client
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.network import Way, goes_past_proxy, is_loopback
from trialign.errors import UserError

pytestmark = pytest.mark.unit

REMOTE, ENCRYPTED = "http://models.example.com/v1", "https://models.example.com/v1"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        *(
            (host, True)
            for host in ("localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.9.8.7", "127.1", "::1")
        ),
        *((host, True) for host in ("0.0.0.0", "::", "::ffff:127.0.0.1")),
        *((host, False) for host in ("example.com", "localhost.example.com", "10.0.0.1", "128.0.0.1", "::2", "1", "")),
    ],
)
def test_what_is_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here


@pytest.mark.parametrize("variable", ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"])
@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "nonsense://", "http://proxy:3128", "::::"])
@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "http://localhost:8000/v1", "http://[::1]:8000/v1"])
def test_loopback_goes_past_every_proxy(monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str, url: str) -> None:
    monkeypatch.setenv(variable, proxy)
    assert Way.to(url) == Way()
    Client(url, None, EndpointConfig())


@pytest.mark.parametrize(
    ("environment", "url", "variable", "proxy"),
    [
        ({}, REMOTE, None, None),
        ({"HTTP_PROXY": "http://proxy:3128"}, REMOTE, "HTTP_PROXY", "http://proxy:3128"),
        ({"HTTP_PROXY": "proxy:3128"}, REMOTE, "HTTP_PROXY", "http://proxy:3128"),
        ({"http_proxy": "http://low:1", "HTTP_PROXY": "http://up:1"}, REMOTE, "http_proxy", "http://low:1"),
        ({"HTTP_PROXY": "http://proxy:3128"}, ENCRYPTED, None, None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, ENCRYPTED, "HTTPS_PROXY", "http://proxy:3128"),
        ({"ALL_PROXY": "http://all:1", "HTTPS_PROXY": "http://one:1"}, ENCRYPTED, "HTTPS_PROXY", "http://one:1"),
        # A proxy for other addresses is no matter of this one.
        ({"ALL_PROXY": "socks5://all:1", "HTTPS_PROXY": "http://one:1"}, ENCRYPTED, "HTTPS_PROXY", "http://one:1"),
        ({"ALL_PROXY": "socks9://all:1", "NO_PROXY": "example.com"}, ENCRYPTED, None, None),
    ],
)
def test_the_variable_that_counts_is_named(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    url: str,
    variable: str | None,
    proxy: str | None,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    way = Way.to(url)
    assert (way.variable, way.proxy) == (variable, proxy)


@pytest.mark.parametrize(
    ("exceptions", "past"),
    [
        ("", False),
        ("*", True),
        ("example.com", True),
        (".example.com", True),
        ("*.example.com", True),
        (" other.org , MODELS.EXAMPLE.COM ", True),
        ("models.example.com:8000", True),
        ("models.example.com:80", False),
        ("ample.com", False),
        ("models", False),
        (",,", False),
    ],
)
def test_which_hosts_go_past_the_proxy(exceptions: str, past: bool) -> None:
    assert goes_past_proxy(urlsplit("http://models.example.com:8000/v1"), exceptions) is past


def test_networks_go_past_the_proxy() -> None:
    for host, exceptions, past in [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("[fd00::1]", "fd00::/8", True),
        ("[fd00::1]", "fd00::1", True),
        ("[fd00::1]", "[fd00::1]", True),
        ("10.1.2.3", "nonsense/8,10.1.2.3", True),
    ]:
        assert goes_past_proxy(urlsplit(f"https://{host}/v1"), exceptions) is past


@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        ("socks5://me:sesame@127.0.0.1:1080", "pip install socksio"),
        ("socks5h://127.0.0.1:1080", "pip install socksio"),
        ("socks4://127.0.0.1:1080", "names no proxy that can be used"),
        ("socks://127.0.0.1:1080", "names no proxy that can be used"),
        ("http://", "names no proxy that can be used"),
        ("http://me:sesame@proxy:port", "names no proxy that can be used"),
        ("http://[::1", "names no proxy that can be used"),
        ("ftp://proxy", "names no proxy that can be used"),
    ],
)
@pytest.mark.parametrize("variable", ["ALL_PROXY", "https_proxy", "HTTPS_PROXY"])
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str, says: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(UserError) as raised:
        Way.to(ENCRYPTED)
    assert says in str(raised.value)
    assert f"The environment variable {variable} names" in str(raised.value)
    assert "NO_PROXY" in str(raised.value)
    assert "sesame" not in str(raised.value)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_cannot_be_read_are_named_by_their_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    (tmp_path / "text.pem").write_text("no certificate")
    (tmp_path / "empty.pem").touch()
    for value in ("/nonexistent/ca.pem", str(tmp_path / "text.pem"), str(tmp_path / "empty.pem")):
        monkeypatch.setenv(variable, value)
        with pytest.raises(UserError, match=f"environment variable {variable} names no certificates"):
            Way.to(ENCRYPTED)
        Way.to(REMOTE)  # which encrypts nothing
    if variable == "SSL_CERT_FILE":
        monkeypatch.setenv(variable, str(tmp_path))
        with pytest.raises(UserError, match=r"SSL_CERT_FILE names no certificates .*Is a directory"):
            Way.to(ENCRYPTED)
    else:
        monkeypatch.setenv(variable, f"/nonexistent{os.pathsep}{tmp_path}")
        assert Way.to(ENCRYPTED).certificates == "SSL_CERT_DIR"


def test_without_variables_the_systems_certificates_are_trusted() -> None:
    way = Way.to(ENCRYPTED)
    assert way.certificates is None
    assert way.tls is not None
    assert way.tls.check_hostname
