"""``trialign dashboard``: the Streamlit app over a folder of runs."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

from trialign.dashboard import theme
from trialign.dashboard.session.access import LOOPBACK, check_door, is_loopback
from trialign.dashboard.session.settings import Settings
from trialign.errors import UserError
from trialign.places import has_home


def dashboard(
    runs: Path, *, host: str, port: int, roles: Path | None, insecure: bool, seconds: float = Settings.seconds
) -> None:
    """Starts the app in place of this process.

    Args:
        runs: folder of all runs; an empty one is welcome.
        host: address to listen on.
        port: of the server.
        roles: file of the people who may log in.
        insecure: whether an address that others can reach is served without authentication.
        seconds: how long the words of a live answer may take.

    Raises:
        UserError: there is no such folder, the time is none, or others could come in without being known.
    """
    if not runs.is_dir():
        raise UserError(f"There is no folder {runs}", "Name the folder of your runs, such as runs")
    if not 0 < seconds < math.inf:
        raise UserError(f"A time limit of {seconds:g} seconds ends no answer, or every one", "Give one such as 120")
    if not has_home():
        os.environ["HOME"] = "/"  # as Docker does for an account without one; Streamlit looks there for its settings
    check_door(host, roles=roles, insecure=insecure)
    os.environ.update(Settings(runs, roles, insecure, seconds).as_environment())
    command = streamlit_command(host, port)
    os.execv(command[0], command)


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
        # Else all that the process holds is looked through after every click, torch and the model included, while no
        # other thread can work: most of the time of a page, and the model hardly had a turn. Python does so by itself.
        "runner.postScriptGC": "false",
        **theme.options(),
    }
    flags = [f"--{key}={value}" for key, value in options.items()]
    if is_loopback(host):
        # A name that somebody else's server resolves to this machine is not answered.
        flags += [f"--server.allowedHosts={name}" for name in LOOPBACK]
    app = Path(theme.__file__).parent / "start" / "app.py"
    return [sys.executable, "-m", "streamlit", "run", str(app), *flags]
