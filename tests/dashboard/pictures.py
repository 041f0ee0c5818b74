"""Pictures of every page, to be looked at: light and dark, wide and narrow, in words, many groups, many runs, Farsi.

    PICTURES=out pytest -s tests/dashboard/pictures.py              all of them, of made-up runs
    PICTURES=out pytest -s tests/dashboard/pictures.py -k forty     of one kind
    PICTURES=out RUNS=runs pytest -s tests/dashboard/pictures.py -k folder

They hold nothing but that they can be taken, and are no part of the suite.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from trialign.dashboard.navigation import PAGES
from trialign.runs import RunFolder

from . import samples
from .browsing import drawn, hidden_width, pushed_along_ages, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from trialign.models import ModelConfig

pytestmark = pytest.mark.integration

OUT = Path(os.environ.get("PICTURES", "pictures")).absolute()
WIDTHS = (1280, 390)


def _plain(root: Path) -> None:
    samples.plain(root)
    samples.plain(root, "other-seed", seed=1)
    samples.plain(root, "independent", objective="independent")


KINDS: dict[str, tuple[Callable[[Path], object], Sequence[str]]] = {
    "plain": (_plain, ("light", "dark")),
    "words": (samples.spoken, ("light", "dark")),
    "label": (samples.labelled, ("light", "dark")),
    "nine": (samples.nine, ("light",)),
    "farsi": (samples.farsi, ("light",)),
    "forty": (samples.forty, ("light",)),
    "training": (samples.plain, ("light",)),
    "pressed": (samples.pressed, ("light", "dark")),
    "many": (samples.many, ("light", "dark")),
    "aged": (samples.aged, ("light", "dark")),
}
# Of these kinds other pages show nothing of their own.
ONLY = {
    "label": ("label",),
    "pressed": ("verdict", "report"),
    "many": ("verdict", "groups", "compare"),
    "aged": ("groups",),
    "asked": (),
}


def addresses() -> dict[str, str]:
    """Name of a picture -> address below the server."""
    found = {entry.name: "" if entry.name == PAGES[0].name else entry.name for entry in PAGES}
    return {
        **found,
        "items-words": "items?answers=In+words",
        "groups-words": "groups?answers=In+words",
        "training-log": "training?section=How+training+went",
        "runs-beside": "runs?runs=quickstart&runs=independent",
    }


def pictures(browser: Browser, root: Path, kind: str, schemes: Sequence[str]) -> None:
    """Takes those of one folder of runs, and says which page is wider than its window."""
    OUT.mkdir(parents=True, exist_ok=True)
    with served(root) as url:
        for scheme in schemes:
            for width in WIDTHS:
                context = browser.new_context(
                    color_scheme=scheme,  # type: ignore[arg-type]
                    viewport={"width": width, "height": 900},
                )
                page = context.new_page()
                page.set_default_timeout(60_000)
                for name, address in addresses().items():
                    if (
                        (name == "runs-beside" and kind != "plain")
                        or (name.endswith("-words") and kind not in ("words", "runs"))
                        or name not in ONLY.get(kind, (name,))
                    ):
                        continue
                    page.goto(f"{url}/{address}")
                    _taken(page, f"{kind}-{name}-{width}-{scheme}", width)
                if kind == "asked":
                    pushed_along_ages(page, url)
                    _taken(page, f"{kind}-pushed-{width}-{scheme}", width)
                context.close()


def _taken(page: Page, name: str, width: int) -> None:
    """The whole of a page as it stands."""
    try:
        drawn(page)
    except AssertionError:
        print(f"{name}: an error is shown")
    if hidden_width(page):
        print(f"{name}: {hidden_width(page)} pixels are outside the window")
    # The page scrolls in a part of its own: as high as that part is, all of it is seen.
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(int(height) + 20, 6000)})
    page.wait_for_timeout(700)
    page.screenshot(path=str(OUT / f"{name}.png"))
    page.set_viewport_size({"width": width, "height": 900})


@pytest.mark.parametrize("kind", KINDS)
def test_pictures(kind: str, browser: Browser, tmp_path: Path) -> None:
    make, schemes = KINDS[kind]
    root = tmp_path / "runs"
    root.mkdir()
    make(root)
    if kind == "training":
        RunFolder(root / "quickstart").finished_file.unlink()
        with RunFolder(root / "quickstart").held():
            pictures(browser, root, kind, schemes)
    else:
        pictures(browser, root, kind, schemes)


def test_pictures_of_asking(browser: Browser, tmp_path: Path, tiny_config: ModelConfig) -> None:
    """Compare with its slider and a push: the tiny model talks nonsense, at once."""
    root = tmp_path / "runs"
    root.mkdir()
    samples.aged(root, asdict(tiny_config))
    pictures(browser, root, "asked", ("light", "dark"))


@pytest.mark.skipif("RUNS" not in os.environ, reason="RUNS names no folder of runs")
def test_pictures_of_a_folder(browser: Browser) -> None:
    pictures(browser, Path(os.environ["RUNS"]).absolute(), "runs", ("light", "dark"))
