"""Who may look, and who may note and sign.

On this machine alone, whoever reaches the dashboard is its user, and an auditor. Others are let in only where they can
be told apart: Streamlit's own OIDC login (``[auth]`` in ``.streamlit/secrets.toml``), and a file that gives every one
of them a role. ``--insecure`` lets anybody read and ask, and nobody note or sign.
"""

from __future__ import annotations

import getpass
import importlib.util
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import streamlit as st
import yaml

from trialign.errors import UserError

from ..components.markup import plain
from .settings import Settings

Role = Literal["viewer", "auditor"]
ROLES: tuple[Role, ...] = get_args(Role)
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_AUTH_KEYS = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")


@dataclass(frozen=True)
class Person:
    """Who uses the dashboard.

    Attributes:
        name: the verified mail address; on this machine alone, the name of its account.
    """

    name: str
    role: Role

    @property
    def may_write(self) -> bool:
        """Whether this person may save findings and sign."""
        return self.role == "auditor"


def check_door(host: str, *, roles: Path | None, insecure: bool) -> None:
    """Refuses to open the dashboard to others who cannot be told apart.

    Args:
        host: address to listen on.
        roles: the role file.
        insecure: whether others are let in unknown.

    Raises:
        UserError: others reach the address, and authentication is missing or half configured; or the role file is
            missing or wrong.
    """
    if roles is not None:
        read_roles(roles)
    if authentication_configured():
        if roles is None:
            raise UserError(
                "Authentication is configured, but not who may do what: anyone with an account there could come in",
                "Name a file of roles with --roles",
            )
        return
    if roles is not None:
        raise UserError(
            "--roles says who may do what, and nobody can log in: no authentication is configured",
            "Configure [auth] in .streamlit/secrets.toml, or leave --roles out",
        )
    if not is_loopback(host) and not insecure:
        raise UserError(
            f"Everybody who reaches {host} could read the runs: no authentication is configured",
            "Configure [auth] in .streamlit/secrets.toml, listen on 127.0.0.1, or say --insecure",
        )


def is_loopback(host: str | None) -> bool:
    """Whether only this machine reaches the address; no address stands for all of them."""
    try:
        return bool(host) and ipaddress.ip_address(str(host).strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def authentication_configured() -> bool:
    """Whether people can log in.

    Raises:
        UserError: the ``[auth]`` section is there, but not all of it, or the library for it is missing.
    """
    if not (st.secrets.load_if_toml_exists() and st.secrets.get("auth")):
        return False
    missing = [key for key in _AUTH_KEYS if not st.secrets["auth"].get(key)]
    if missing:
        raise UserError(f"The section [auth] of secrets.toml lacks {', '.join(missing)}", "Complete or remove it")
    if importlib.util.find_spec("authlib") is None:
        raise UserError("Logging in needs the package Authlib", "Install it: pip install 'streamlit[auth]'")
    return True


def read_roles(file: Path) -> Mapping[str, Role]:
    """Mail address (or ``*@example.org``, for all of a domain) -> role.

    Raises:
        UserError: the file is missing or says anything else.
    """
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(
            f"The file of roles {file} cannot be read", "Write lines such as: ana@example.org: auditor"
        ) from error
    if not isinstance(values, dict) or not all(
        isinstance(name, str) and "@" in name and role in ROLES for name, role in values.items()
    ):
        raise UserError(
            f"The file of roles {file} says something other than mail addresses and roles",
            "Write lines such as: ana@example.org: auditor, and viewer for those who only read",
        )
    return {name.casefold(): role for name, role in values.items()}


def role_of(mail: str, roles: Mapping[str, Role]) -> Role | None:
    """The role of an address: its own line goes before that of its domain; None where neither is there."""
    mail = mail.casefold()
    return roles.get(mail) or roles.get(f"*@{mail.rpartition('@')[2]}")


def enter() -> Person:
    """The person before the browser; whoever may not come in is told so, and the page ends.

    Raises:
        UserError: authentication is half configured, or the role file is wrong.
    """
    settings = Settings.from_environment()
    if authentication_configured():
        return _known(settings)
    if is_loopback(st.get_option("server.address")):
        return Person(getpass.getuser(), "auditor")
    if settings.insecure:
        return Person("unknown", "viewer")
    st.error("This dashboard is open to others without authentication. Start it with 'trialign dashboard'.")
    st.stop()


def _known(settings: Settings) -> Person:
    if settings.roles is None:
        st.error("Nobody has a role here yet. Start the dashboard with --roles FILE.")
        st.stop()
    if not st.user.is_logged_in:
        st.title("TriAlign", anchor=False)
        st.write("Log in to see the audits of this place.")
        st.button("Log in", on_click=st.login, type="primary")
        st.stop()
    mail = str(st.user.get("email") or "")
    # Some providers do not say whether they verified an address; one that says it did not is believed.
    role = role_of(mail, read_roles(settings.roles)) if st.user.get("email_verified", True) else None
    if role is None:
        st.error(plain(f"{mail or 'This account'} has no role here. Ask those who run this dashboard for one."))
        st.button("Log out", on_click=st.logout)
        st.stop()
    return Person(mail.casefold(), role)
