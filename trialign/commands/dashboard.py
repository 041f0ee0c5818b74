"""``trialign dashboard``: the Streamlit app over a folder of runs."""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path

from trialign.dashboard import theme
from trialign.dashboard.settings import Settings
from trialign.errors import UserError

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def dashboard(runs: Path, *, host: str, port: int, insecure: bool) -> None:
    """Starts the app in place of this process.

    Args:
        runs: folder of all runs; an empty one is welcome.
        host: address to listen on.
        port: of the server.
        insecure: whether an address that others can reach is served without authentication.

    Raises:
        UserError: there is no such folder, or others could reach the app without authentication.
    """
    if not runs.is_dir():
        raise UserError(f"There is no folder {runs}", "Name the folder of your runs, such as runs")
    if not is_loopback(host) and not insecure and not authentication_configured():
        raise UserError(
            f"Everybody who reaches {host} could read the runs: no authentication is configured",
            "Configure [auth] in .streamlit/secrets.toml, listen on 127.0.0.1, or say --insecure",
        )
    os.environ.update(Settings(runs=runs).as_environment())
    command = streamlit_command(host, port)
    os.execv(command[0], command)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def authentication_configured() -> bool:
    """Whether Streamlit finds an ``[auth]`` section, for ``st.login``, among its secrets."""
    import streamlit

    return bool(streamlit.secrets.load_if_toml_exists() and streamlit.secrets.get("auth"))


def streamlit_command(host: str, port: int) -> list[str]:
    """The command line of the server: what is shown, what is sent, and to whom, is settled here."""
    options = {
        "server.address": host,
        "server.port": str(port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.enableStaticServing": "false",
        "server.enableXsrfProtection": "true",
        "server.enableCORS": "true",
        "server.maxUploadSize": "0",
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": "false",
        "client.toolbarMode": "viewer",
        **theme.options(),
    }
    flags = [f"--{key}={value}" for key, value in options.items()]
    if is_loopback(host):
        # A name that somebody else's server resolves to this machine is not answered.
        flags += [f"--server.allowedHosts={name}" for name in LOOPBACK]
    app = Path(theme.__file__).with_name("app.py")
    return [sys.executable, "-m", "streamlit", "run", str(app), *flags]
