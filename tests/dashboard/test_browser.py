"""The pages in a real browser over a run: nothing fails, links lead where they say, and axe finds no serious fault."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import SyntheticRun

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.integration

PAGES = ("", "items", "groups", "training")
_START, _DRAW = 120_000, 90_000  # milliseconds: machines are shared and noisy


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app over one run, started by the command."""
    root = tmp_path_factory.mktemp("browser") / "runs"
    root.mkdir()
    run = SyntheticRun(root / "house").write()
    run.audit(0)
    run.audit(4, wrong={1: ("north", "south", "island"), 2: ("island",)})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "trialign.cli", "dashboard", str(root), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=root) as server:
        try:
            _wait(f"http://127.0.0.1:{port}/_stcore/health", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(_START // 500):
        assert server.poll() is None, "the server has stopped"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail("the server does not answer")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium, the one that the system has."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no chromium on this machine")
    with api.sync_playwright() as playwright:
        # As root, which containers are, Chromium starts without its sandbox only.
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, fetched for the tests alone."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm on this machine to fetch axe-core")
    folder = tmp_path_factory.mktemp("axe")
    fetched = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), "axe-core@4"],
        capture_output=True,
        env={**os.environ, "npm_config_update_notifier": "false"},
        check=False,
    )
    source = folder / "node_modules" / "axe-core" / "axe.min.js"
    if fetched.returncode or not source.is_file():
        pytest.skip("axe-core cannot be fetched here")
    return source.read_text(encoding="utf-8")


def opened(page: Page, url: str) -> None:
    page.goto(url)
    drawn(page)


def drawn(page: Page) -> None:
    """Waits until the page is whole, and holds that nothing failed on the way."""
    page.wait_for_selector("h1.ta-title", timeout=_DRAW)
    page.wait_for_selector('[data-test-script-state="notRunning"]', state="attached", timeout=_DRAW)
    assert page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').count() == 0


def test_a_person_walks_from_the_verdict_to_a_question(address: str, browser: Browser) -> None:
    outside: list[str] = []
    page = browser.new_page()
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((address, "data:", "blob:", "ws:")) else outside.append(request.url)
        ),
    )
    opened(page, address)
    assert "run=house" in page.url
    page.get_by_role("link", name="See which groups differ").click()
    page.wait_for_url("**/groups?**", timeout=_DRAW)
    drawn(page)
    page.get_by_role("link", name=re.compile("on which Northerners and Islanders differ")).first.click()
    page.wait_for_url("**/items?**", timeout=_DRAW)
    drawn(page)
    page.get_by_role("link", name="What is true of fact 2, in wording 1?").click()
    page.wait_for_url("**question=test-fact-02-1**", timeout=_DRAW)
    drawn(page)
    assert page.locator("h2.ta-question").inner_text() == "What is true of fact 2, in wording 1?"
    page.get_by_role("link", name="Training").click()
    page.wait_for_url("**/training?**", timeout=_DRAW)
    drawn(page)
    assert "run=house" in page.url
    # What people look at is nobody else's business.
    assert outside == []
    page.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_no_page_is_wider_than_the_window(address: str, browser: Browser, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    for name in PAGES:
        opened(page, f"{address}/{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(address: str, browser: Browser, axe: str, scheme: Any) -> None:
    page = browser.new_page(color_scheme=scheme)
    for name in PAGES:
        opened(page, f"{address}/{name}")
        page.wait_for_timeout(1000)  # colours fade in
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert [
            (name, fault["id"], [node["target"] for node in fault["nodes"]])
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ] == []
    page.close()
