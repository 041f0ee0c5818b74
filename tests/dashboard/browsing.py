"""The dashboard as people meet it: its command, a real browser, and axe-core, which finds faults of accessibility."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

START, PATIENCE = 120, 300_000  # seconds; milliseconds: machines are shared and noisy, and nothing takes so long
# What is redrawn fades, and text that has half faded has too little contrast; an endless movement never ends.
_STILL = """() =>
    document.querySelector('[data-test-script-state="notRunning"]') !== null
    && document.querySelector('[data-stale="true"]') === null
    && document.getAnimations().every(one => one.playState !== 'running'
        || one.effect.getComputedTiming().endTime === Infinity)
"""


@contextmanager
def served(root: Path) -> Iterator[str]:
    """The address of ``trialign dashboard`` over a folder of runs, on a free port of this machine."""
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
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        assert server.poll() is None, "the server has stopped"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server does not answer")


def opened(page: Page, url: str) -> None:
    """Opens an address and waits until it is whole."""
    page.goto(url)
    drawn(page)


def drawn(page: Page) -> None:
    """Waits until the page is whole and still, and holds that nothing failed on the way."""
    page.wait_for_selector("h1.ta-title", timeout=PATIENCE)
    page.wait_for_function(_STILL, timeout=PATIENCE)
    assert page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').count() == 0


def pushed_along_ages(page: Page, url: str) -> None:
    """Opens Compare over groups that state an age, and asks with its slider shown and the push switched on."""
    opened(page, f"{url}/compare?at=1&from=30&to=50")
    page.get_by_role("textbox", name="Your question").fill("Which metal is liquid at room temperature?")
    page.get_by_role("textbox", name="Answers to choose from").fill("Iron\nMercury\nGold")
    page.get_by_role("textbox", name="Answers to choose from").press("Control+Enter")
    drawn(page)  # a switch that is drawn anew under the click stays as it was
    page.get_by_text("And now somebody pushes").first.click()
    page.get_by_role("combobox", name="Towards").wait_for(timeout=PATIENCE)
    page.get_by_role("button", name="Ask all agents").click()
    page.get_by_role("heading", name="And now somebody pushes").wait_for(timeout=PATIENCE)
    page.get_by_role("button", name="Save finding").wait_for(timeout=PATIENCE)
    drawn(page)


def serious_faults(page: Page, axe: str) -> list[tuple[str, list[Any]]]:
    """What axe-core finds serious or critical on a page, by rule and place."""
    drawn(page)
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        (fault["id"], [(node["target"], node["failureSummary"]) for node in fault["nodes"]])
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]


def hidden_width(page: Page) -> int:
    """How many pixels of a page lie outside the window, where nobody without a wheel finds them."""
    shown = ("document.documentElement", "document.querySelector('[data-testid=stMain]')")
    return max(int(page.evaluate(f"{one}.scrollWidth - {one}.clientWidth")) for one in shown)
