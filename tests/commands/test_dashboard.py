"""``trialign dashboard``: what is refused, and how the server is started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trialign.cli import main
from trialign.commands import dashboard as verb
from trialign.dashboard.session.settings import SECONDS_VARIABLE, Settings

pytestmark = pytest.mark.unit


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The command lines that would have replaced this process; the working folder is empty."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, command: commands.append(command))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.chdir(tmp_path)
    return commands


def test_it_listens_to_this_machine_only_and_tells_nobody_else(started: list[list[str]], tmp_path: Path) -> None:
    assert main(["dashboard", str(tmp_path)]) == 0
    (command,) = started
    assert {
        "--server.address=127.0.0.1",
        "--server.port=8501",
        "--server.maxUploadSize=0",
        "--client.showErrorDetails=none",
        "--browser.gatherUsageStats=false",
        "--runner.postScriptGC=false",
    } <= set(command)
    assert Path(next(word for word in command if word.endswith("app.py"))).is_file()
    assert os.environ["TRIALIGN_DASHBOARD_RUNS"] == str(tmp_path)


def test_every_option_is_one_that_streamlit_knows(started: list[list[str]], tmp_path: Path) -> None:
    from streamlit import config

    assert main(["dashboard", str(tmp_path)]) == 0
    for word in started[0]:
        if word.startswith("--"):
            assert word[2:].partition("=")[0] in config._config_options_template


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_others_are_not_served_without_authentication(
    started: list[list[str]], tmp_path: Path, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dashboard", str(tmp_path), "--host", host]) == 2
    assert "--insecure" in capsys.readouterr().err
    assert started == []
    assert main(["dashboard", str(tmp_path), "--host", host, "--insecure"]) == 0
    assert f"--server.address={host}" in started[0]
    assert not any(word.startswith("--server.allowedHosts") for word in started[0])


@pytest.mark.parametrize(("stated", "told"), [([], "120"), (["--time-limit", "7.5"], "7.5")])
def test_the_time_limit_of_a_live_answer_reaches_the_app(
    started: list[list[str]], tmp_path: Path, stated: list[str], told: str
) -> None:
    assert main(["dashboard", str(tmp_path), *stated]) == 0
    assert os.environ[SECONDS_VARIABLE] == told
    assert Settings.from_environment().seconds == float(told)


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "nan"])
def test_a_time_limit_that_is_none_is_refused(
    started: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str], seconds: str
) -> None:
    assert main(["dashboard", str(tmp_path), f"--time-limit={seconds}"]) == 2
    assert "Give one such as 120" in capsys.readouterr().err
    assert started == []


def test_a_missing_folder_is_refused(
    started: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dashboard", str(tmp_path / "missing")]) == 2
    assert "There is no folder" in capsys.readouterr().err
    assert started == []


@pytest.mark.parametrize(
    ("host", "expected"), [("127.8.9.1", True), ("[::1]", True), ("localhost", True), ("::", False)]
)
def test_loopback(host: str, expected: bool) -> None:
    assert verb.is_loopback(host) is expected
