"""Nine groups, another script, a phone and the keyboard: what is shown is whole and in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from . import samples
from .browsing import hidden_width, opened, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.integration

NINE, FARSI = "run=nine-groups", "run=پرسش‌ها"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("width") / "runs"
    root.mkdir()
    samples.nine(root)
    samples.farsi(root)
    with served(root) as url:
        yield url


@pytest.fixture
def phone(browser: Browser, address: str) -> Iterator[Page]:
    page = browser.new_page(base_url=address, viewport={"width": 390, "height": 900})
    yield page
    page.close()


def style(page: Page, place: str, name: str) -> str:
    return str(page.locator(place).first.evaluate(f"one => getComputedStyle(one)['{name}']"))


@pytest.mark.parametrize("name", ["", "items", "groups", "training", "report", "runs"])
def test_nine_groups_fit_on_a_phone(phone: Page, name: str) -> None:
    opened(phone, f"/{name}?{NINE}")
    assert hidden_width(phone) == 0


def test_what_a_row_is_about_stays_in_sight(phone: Page) -> None:
    opened(phone, f"/groups?{NINE}")
    table, first = phone.locator(".ta-scroll").first, phone.locator(".ta-matrix tbody th").first
    before = first.evaluate(_LEFT)
    assert table.evaluate("one => { one.scrollLeft = 400; return one.scrollLeft }") == 400
    assert abs(first.evaluate(_LEFT) - before) < 2  # the border goes
    assert style(phone, ".ta-matrix tbody th", "backgroundColor") not in ("transparent", "rgba(0, 0, 0, 0)")


def test_no_word_of_a_group_is_broken(phone: Page) -> None:
    opened(phone, f"/items?{NINE}")
    head = phone.locator(".ta-grid thead th").filter(has_text="Pensioners")
    assert head.evaluate(_LINES) == 1


_LEFT = "one => one.getBoundingClientRect().left"
_LINES = """one => {
    const range = document.createRange();
    range.selectNodeContents(one);
    return range.getClientRects().length;
}"""


def test_each_text_runs_as_its_script_asks(phone: Page) -> None:
    opened(phone, f"/items?{FARSI}")
    for place in ("h2.ta-question", ".ta-grid tbody th", ".ta-grid thead th:nth-child(2)", ".ta-option-text"):
        assert style(phone, place, "direction") == "rtl", place
    for place in (".ta-eyebrow", "h1.ta-title", ".ta-grid thead th:first-child"):
        assert style(phone, place, "direction") == "ltr", place
    assert style(phone, '[data-testid="stTextInput"] input', "unicodeBidi") == "plaintext"
    opened(phone, f"/report?{FARSI}")
    assert style(phone, "p.ta-said", "direction") == "rtl"
    opened(phone, f"/runs?{FARSI}")
    assert style(phone, ".ta-table tbody th:has-text('پرسش')", "direction") == "rtl"
    assert style(phone, ".ta-table tbody td", "direction") == "ltr"


def test_a_verdict_looks_the_same_wherever_it_stands(phone: Page) -> None:
    looks = []
    for name in ("", "report"):
        opened(phone, f"/{name}?{NINE}")
        places = (".ta-banner p", ".ta-banner .ta-part", ".ta-banner-title", ".ta-banner .ta-eyebrow")
        looks.append([style(phone, place, "color") for place in places])
    assert looks[0] == looks[1]


def test_what_has_the_focus_can_be_seen(browser: Browser, address: str) -> None:
    """Every stop of the tab key has an outline of two pixels or more, on itself or on the field that it is part of."""
    page = browser.new_page(base_url=address)
    for name in ("", "items", "report", "runs"):
        opened(page, f"/{name}?{NINE}")
        unseen, reached = [], set()
        for _ in range(24):
            page.keyboard.press("Tab")
            label, seen = page.evaluate(_FOCUS)
            reached.add(label)
            if not seen and not label.startswith("BODY"):  # past the last stop stands the first again
                unseen.append(label)
        assert len(reached) > 8
        assert unseen == [], name
    page.close()


_FOCUS = """() => {
    const one = document.activeElement;
    const drawn = place => {
        const style = getComputedStyle(place);
        return (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== 'none';
    };
    let seen = false;
    for (let place = one, up = 0; place && up < 5; place = place.parentElement, up += 1) seen ||= drawn(place);
    return [`${one.tagName} ${one.ariaLabel || one.innerText || one.className}`.slice(0, 80), seen];
}"""
