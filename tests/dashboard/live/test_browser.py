"""A stakeholder's path in a real browser, over agents of the tiny model: ask, read, note, sign, take away.

Needs Debian's ``chromium`` and ``pip install playwright``; accessibility is looked at where ``AXE_CORE`` names the file
``axe.min.js`` of npm's axe-core.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trialign.commands.dashboard import streamlit_command
from trialign.dashboard.findings import FindingStore
from trialign.dashboard.live.engine import Source
from trialign.dashboard.settings import Settings

from ..conftest import SyntheticRun

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")]
PATIENCE = 300_000  # milliseconds; nothing is expected to take so long


@pytest.fixture
def root(tmp_path: Path, write_run: Callable[..., list[Source]]) -> Path:
    """Runs with one run, trained twice and audited before and after."""
    write_run(tmp_path / "runs", "house", seeds=(1, 2))
    for step in (0, 2):
        SyntheticRun(tmp_path / "runs" / "house").audit(step)
    return tmp_path / "runs"


@pytest.fixture
def address(root: Path) -> Iterator[str]:
    """The dashboard over the runs, on a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        streamlit_command("127.0.0.1", port),
        env={**os.environ, **Settings(root).as_environment()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5).read()
            break
        except OSError:
            continue
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(60)


@pytest.fixture
def page(address: str, tmp_path: Path) -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(base_url=address)
        context.set_default_timeout(PATIENCE)
        opened = context.new_page()
        yield opened
        opened.screenshot(path=tmp_path / "last.png", full_page=True)  # for whoever looks into a failure
        browser.close()


def check_accessible(page: Any) -> None:
    """No serious fault, by axe-core."""
    if "AXE_CORE" not in os.environ:
        return
    page.wait_for_function("!document.querySelector('[data-stale=true]')")
    page.wait_for_timeout(2000)  # Streamlit fades in what it draws; half-faded text has no contrast
    page.add_script_tag(path=os.environ["AXE_CORE"])
    found = page.evaluate("async () => (await axe.run()).violations")
    serious = [
        (fault["id"], [node["html"][:200] for node in fault["nodes"]])
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_ask_see_every_group_note_sign_and_take_away(page: Any, root: Path, tmp_path: Path) -> None:
    page.goto("/compare?base=1")
    page.get_by_role("textbox", name="Your question").fill("<script>alert(1)</script> Which metal is liquid?")
    page.get_by_role("textbox", name="Answers to choose from").fill("Mercury\nIron")
    page.get_by_role("button", name="Ask all agents").click()
    page.get_by_text("Keep this as a finding").wait_for()
    for label in ("Northerners", "Southerners", "Islanders", "No profile"):
        page.get_by_role("heading", name=label, exact=True).wait_for()
    assert page.locator(".ta-heat tbody tr").count() == 4
    assert page.locator("script", has_text="alert(1)").count() == 0
    check_accessible(page)
    page.get_by_role("textbox", name="What did you see?").fill("Some say iron.")
    page.get_by_role("button", name="Save finding").click()
    page.get_by_text("Saved as finding 1").wait_for()

    page.get_by_role("link", name="Report").click()
    page.get_by_text("Some say iron.").first.wait_for()
    page.get_by_role("textbox", name="Your name").fill("Ana B.")
    page.get_by_role("combobox", name="Decision").click()
    page.get_by_role("option", name="Consistent enough to use").click()
    page.get_by_role("button", name="Sign this audit").click()
    page.get_by_text("Consistent enough to use").first.wait_for()
    page.get_by_text("Ana B.").first.wait_for()
    page.get_by_role("button", name="Make the report").click()
    page.get_by_role("button", name="Download the report (HTML)").wait_for()
    check_accessible(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the report (HTML)").click()
    download.value.save_as(tmp_path / "report.html")
    taken = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Some say iron." in taken
    assert "Ana B." in taken
    assert "<script>alert(1)" not in taken
    (finding,) = FindingStore(root).findings("house")
    assert (finding.step, finding.options) == (2, ("Mercury", "Iron"))
