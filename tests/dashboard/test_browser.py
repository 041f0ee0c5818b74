"""The pages in a real browser over a run: nothing fails, links lead where they say, and axe finds no serious fault."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from . import samples
from .browsing import PATIENCE, drawn, hidden_width, opened, serious_faults, served
from .conftest import SyntheticRun

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.integration

WORDS = "run=in-words&answers=In+words"
IN_WORDS = tuple(f"{name}?{WORDS}" for name in ("", "items", "groups", "training"))
PAGES = (
    *("", "items", "groups", "training", "report", "runs", *IN_WORDS, "label?run=worded"),
    *("?run=nine-groups", "?run=many", "groups?run=many", "runs?runs=house&runs=beside"),
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app over one run, started by the command."""
    root = tmp_path_factory.mktemp("browser") / "runs"
    root.mkdir()
    samples.pressed(root)
    samples.many(root)
    run = SyntheticRun(root / "house").write().finish()
    run.audit(0)
    run.audit(4, wrong={1: ("north", "south", "island"), 2: ("island",)})
    SyntheticRun(root / "beside", settings={"gate": {"flips": 0.1}}).write().audit(4)
    samples.spoken(root)
    samples.labelled(root)
    with served(root) as url:
        yield url


def test_a_person_walks_from_the_verdict_to_a_question(address: str, browser: Browser) -> None:
    outside: list[str] = []
    page = browser.new_page()
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((address, "data:", "blob:", "ws:")) else outside.append(request.url)
        ),
    )
    opened(page, f"{address}/?run=house")
    assert "run=house" in page.url
    page.get_by_role("link", name="See which groups differ").click()
    page.wait_for_url("**/groups?**", timeout=PATIENCE)
    drawn(page)
    page.get_by_role("link", name=re.compile("on which Northerners and Islanders differ")).first.click()
    page.wait_for_url("**/items?**", timeout=PATIENCE)
    drawn(page)
    page.evaluate("window.stays = true")
    row = page.get_by_role("link", name="What is true of fact 2, in wording 1?")
    row.click()
    page.wait_for_url("**question=test-fact-02-1**", timeout=PATIENCE)
    drawn(page)
    assert page.locator("h2.ta-question").inner_text() == "What is true of fact 2, in wording 1?"
    assert page.evaluate("window.stays"), "the page was loaded anew"
    # The row stays marked, beside its detail, and is where the keyboard goes on.
    page.wait_for_function("document.activeElement.innerText === 'What is true of fact 2, in wording 1?'")
    assert page.locator(".ta-grid a[aria-current]").all_inner_texts() == [row.inner_text()]
    grid, detail = (page.locator(one).bounding_box() for one in (".ta-scroll:has(.ta-grid)", ".st-key-detail"))
    assert grid is not None
    assert detail is not None
    assert grid["x"] + grid["width"] <= detail["x"]
    page.get_by_role("link", name="Training").click()
    page.wait_for_url("**/training?**", timeout=PATIENCE)
    drawn(page)
    assert "run=house" in page.url
    # What people look at is nobody else's business.
    assert outside == []
    page.close()


# The second is what a window of 1280 pixels shows at a zoom of 200 %.
@pytest.mark.parametrize("width", [1440, 640, 390])
def test_no_page_is_wider_than_the_window(address: str, browser: Browser, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    for name in PAGES:
        opened(page, f"{address}/{name}")
        assert hidden_width(page) == 0, name
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(address: str, browser: Browser, axe: str, scheme: Any) -> None:
    page = browser.new_page(color_scheme=scheme)
    for name in PAGES:
        opened(page, f"{address}/{name}")
        assert serious_faults(page, axe) == [], name
    page.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_no_serious_fault_where_somebody_labels(
    address: str, browser: Browser, axe: str, scheme: Any, width: int
) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    opened(page, f"{address}/label?run=worded")
    page.get_by_role("textbox", name="Your name").fill("Ana")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Same fact").wait_for(timeout=PATIENCE)
    page.get_by_text(re.compile("Settle .* of them")).click()
    page.get_by_role("combobox", name="What holds").first.wait_for(timeout=PATIENCE)
    assert serious_faults(page, axe) == []
    assert hidden_width(page) == 0
    page.close()
