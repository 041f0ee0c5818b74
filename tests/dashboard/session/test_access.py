"""Others come in only where they are known, and only auditors note and sign."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit import config
from streamlit.runtime.secrets import secrets_singleton
from streamlit.testing.v1 import AppTest

from trialign.dashboard.session import access
from trialign.dashboard.session.settings import Settings
from trialign.errors import UserError

from ..conftest import SyntheticRun

pytestmark = pytest.mark.integration

COMPLETE = "\n".join(
    [
        "[auth]",
        'redirect_uri = "https://audit.example.org/oauth2callback"',
        'cookie_secret = "0123456789abcdef0123456789abcdef"',
        'client_id = "trialign"',
        'client_secret = "secret"',
        'server_metadata_url = "https://login.example.org/.well-known/openid-configuration"',
    ]
)


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Writes what Streamlit reads as its secrets."""
    file = tmp_path / "secrets.toml"

    def write(text: str) -> None:
        file.write_text(text)
        secrets_singleton._reset()
        config.set_option("secrets.files", [str(file)])
        monkeypatch.setattr(access.importlib.util, "find_spec", lambda _: object())

    before = config.get_option("secrets.files")
    yield write
    config.set_option("secrets.files", before)
    secrets_singleton._reset()


@pytest.fixture
def roles(tmp_path: Path) -> Path:
    file = tmp_path / "roles.yaml"
    file.write_text('Ana@Example.org: auditor\n"*@example.org": viewer\n')
    return file


def test_a_line_of_ones_own_goes_before_that_of_the_domain(roles: Path) -> None:
    read = access.read_roles(roles)
    asked = ("ana@example.org", "ANA@EXAMPLE.ORG", "bo@example.org", "ana@example.org.evil.net", "", "*@evil.net")
    assert [access.role_of(mail, read) for mail in asked] == ["auditor", "auditor", "viewer", None, None, None]


@pytest.mark.parametrize("text", ["", "- ana@example.org", "ana@example.org: king", "ana: viewer", "a: [", "\x00"])
def test_a_role_file_that_says_anything_else_is_refused(roles: Path, text: str) -> None:
    roles.write_text(text)
    with pytest.raises(UserError, match="file of roles"):
        access.read_roles(roles)


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), (None, False), ("", False)],
)
def test_no_address_means_all_addresses(address: str | None, expected: bool) -> None:
    assert access.is_loopback(address) is expected


def test_the_door(secrets: Callable[[str], None], roles: Path) -> None:
    access.check_door("127.0.0.1", roles=None, insecure=False)
    access.check_door("0.0.0.0", roles=None, insecure=True)
    with pytest.raises(UserError, match="Everybody who reaches"):
        access.check_door("0.0.0.0", roles=None, insecure=False)
    for address, insecure in (("0.0.0.0", False), ("0.0.0.0", True), ("127.0.0.1", False)):
        with pytest.raises(UserError, match="nobody can log in"):
            access.check_door(address, roles=roles, insecure=insecure)
    secrets(COMPLETE)
    access.check_door("0.0.0.0", roles=roles, insecure=False)
    with pytest.raises(UserError, match="not who may do what"):
        access.check_door("0.0.0.0", roles=None, insecure=False)
    secrets(COMPLETE.replace("client_secret", "client_secrets"))
    with pytest.raises(UserError, match="lacks client_secret"):
        access.check_door("0.0.0.0", roles=roles, insecure=True)


def test_without_authlib_nobody_could_log_in(
    secrets: Callable[[str], None], roles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets(COMPLETE)
    monkeypatch.setattr(access.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="Authlib"):
        access.check_door("0.0.0.0", roles=roles, insecure=False)


def test_on_this_machine_alone_its_user_audits() -> None:
    assert access.enter().may_write


def test_strangers_read_where_it_is_said_and_never_write(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.set_option("server.address", "0.0.0.0")
    for name, value in Settings(runs, insecure=True).as_environment().items():
        monkeypatch.setenv(name, value)
    assert access.enter() == access.Person("unknown", "viewer")


def test_an_app_that_was_started_open_to_all_shows_nothing(
    one_run: SyntheticRun, open_page: Callable[..., AppTest]
) -> None:
    config.set_option("server.address", None)
    app = open_page()
    assert "open to others without authentication" in app.error[0].value
    assert not app.selectbox


def test_who_is_not_logged_in_sees_the_login_and_no_run(
    one_run: SyntheticRun,
    open_page: Callable[..., AppTest],
    secrets: Callable[[str], None],
    roles: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets(COMPLETE)
    for name, value in Settings(one_run.folder.parent, roles).as_environment().items():
        monkeypatch.setenv(name, value)
    app = open_page()
    assert [button.label for button in app.button] == ["Log in"]
    assert not app.selectbox
    assert "house" not in str(app.main)


class _User(SimpleNamespace):
    def get(self, key: str, default: Any = None) -> Any:
        return getattr(self, key, default)


@pytest.mark.parametrize(
    ("mail", "verified", "role"),
    [
        ("ana@example.org", True, "auditor"),
        ("bo@example.org", True, "viewer"),
        ("ana@example.org", False, None),
        ("eve@evil.net", True, None),
        (None, True, None),
    ],
)
def test_who_is_logged_in_has_the_role_of_the_file(
    runs: Path,
    secrets: Callable[[str], None],
    roles: Path,
    monkeypatch: pytest.MonkeyPatch,
    mail: str | None,
    verified: bool,
    role: str | None,
) -> None:
    secrets(COMPLETE)
    for name, value in Settings(runs, roles).as_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(st, "user", _User(is_logged_in=True, email=mail, email_verified=verified))

    class StoppedError(Exception):
        pass

    def stop() -> None:
        raise StoppedError

    monkeypatch.setattr(st, "stop", stop)
    if role is None:
        with pytest.raises(StoppedError):
            access.enter()
    else:
        assert access.enter() == access.Person(str(mail), role)
