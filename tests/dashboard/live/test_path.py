"""A stakeholder's path, with its clicks counted and its waiting measured.

Open, see what is wrong, read the five worst, ask one of them anew, note, sign, download, verify: at most twelve clicks,
and a minute of waiting beside the time that the model itself takes.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..browsing import PATIENCE, drawn, opened, served
from ..conftest import SyntheticRun

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.integration

MOST_CLICKS = 12
MOST_WAITING = 60  # seconds on a machine that does nothing else
PATIENT = 5  # times as long, where tests run beside others


@dataclass
class Walk:
    """One person's way: clicks, and seconds between a click and the page that it leads to.

    Attributes:
        page: what this person sees.
        clicks: so far.
        waited: for the pages.
        asked: for the model, with all that stands between it and the page.
    """

    page: Page
    clicks: int = 0
    waited: float = 0.0
    asked: float = 0.0

    def click(self, place: Locator, until: Locator | None = None) -> None:
        """Clicks, and waits until the page is whole and shows what is expected."""
        self.clicks += 1
        with self.waiting():
            place.click()
            if until is not None:
                until.first.wait_for()
            drawn(self.page)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time that passes in it as waiting."""
        begin = time.monotonic()
        yield
        self.waited += time.monotonic() - begin


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, write_run: Callable[..., object]) -> Path:
    """A folder with one run of the tiny model, audited before and after training."""
    root = tmp_path_factory.mktemp("path") / "runs"
    write_run(root, "house", seeds=(1, 2))
    run = SyntheticRun(root / "house", wrong=dict.fromkeys(range(7), ("north",))).finish()
    run.audit(0)
    run.audit(2)
    return root


def test_from_the_verdict_to_a_verified_signature(browser: Browser, walked: Path, tmp_path: Path) -> None:
    with served(walked) as url:
        context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE)
        walk = Walk(context.new_page())
        question = _see_what_is_wrong(walk)
        _ask_anew_and_note(walk, question)
        _sign(walk)
        report = _download(walk, tmp_path)
        context.close()
    assert "Not for us yet." in report
    assert "Ana B." in report
    command = [sys.executable, "-m", "trialign.cli", "report", str(walked / "house"), "--verify"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Ana B.: Not to be used" in done.stdout
    print(f"{walk.clicks} clicks, {walk.waited:.1f} s of waiting, {walk.asked:.1f} s for the model's answers")
    assert walk.clicks <= MOST_CLICKS
    assert walk.waited < PATIENT * MOST_WAITING


def _see_what_is_wrong(walk: Walk) -> str:
    """Opens the start page and reads; the worst question."""
    with walk.waiting():
        opened(walk.page, "/")
    assert walk.page.get_by_role("heading", name="Do all groups get the same facts?").is_visible()
    assert walk.page.locator(".ta-banner .ta-part").count() == 4
    worst = walk.page.locator(".ta-told")
    assert worst.count() == 5
    assert "✗" in worst.first.inner_text()
    question: str = walk.page.locator("p:has(+ .ta-told) strong").first.inner_text()
    return question


def _ask_anew_and_note(walk: Walk, question: str) -> None:
    page = walk.page
    walk.click(page.get_by_role("link", name="Ask the agents again").first, page.locator("p.ta-question"))
    assert question in page.locator("p.ta-question").inner_text()
    before, begin = walk.waited, time.monotonic()
    now = page.get_by_role("heading", name="The answers, answered now")
    walk.click(page.get_by_role("button", name="Ask all agents"), now)
    walk.asked, walk.waited = time.monotonic() - begin, before
    assert question in page.locator("p.ta-question").inner_text()
    walk.click(page.get_by_role("textbox", name="What did you see?"))
    page.keyboard.type("Not for us yet.")
    walk.click(page.get_by_role("button", name="Save finding"), page.get_by_text("Saved as finding 1"))


def _sign(walk: Walk) -> None:
    page = walk.page
    walk.click(page.get_by_role("link", name="Report"), page.get_by_role("heading", name="Findings"))
    named = page.get_by_role("textbox", name="Your name")
    walk.click(page.get_by_role("button", name="Make the report"), named)
    walk.click(named)
    page.keyboard.type("Ana B.")
    # A list of choices closes when the page scrolls.
    on = page.get_by_role("button", name="Go on to the signature")
    on.scroll_into_view_if_needed()
    walk.click(page.get_by_role("combobox", name="Decision"))
    walk.click(page.get_by_role("option", name="Not to be used"))
    walk.click(on, page.get_by_role("heading", name="Is this what you sign?"))
    signed = page.get_by_text(re.compile(r"^Ana B\. \(.*report [0-9a-f]{12}$"))
    walk.click(page.get_by_role("button", name="Sign this audit"), signed)


def _download(walk: Walk, folder: Path) -> str:
    """What the report that was taken away says."""
    with walk.page.expect_download() as download:
        walk.click(walk.page.get_by_role("button", name="Download the report (HTML)"))
    path = folder / "report.html"
    download.value.save_as(path)
    return path.read_text(encoding="utf-8")
