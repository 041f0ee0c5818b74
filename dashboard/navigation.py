"""The pages, and links between them that carry their state in the URL."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

_FOLDER = Path(__file__).parent / "pages"


@dataclass(frozen=True)
class PageEntry:
    """One page of the app: ``pages/<name>.py`` with a function ``show``.

    Attributes:
        name: of the file, and in the URL.
        title: in the menu.
        icon: Material symbol.
        question: what the page answers, in a person's words.
    """

    name: str
    title: str
    icon: str
    question: str


PAGES: tuple[PageEntry, ...] = tuple(
    entry
    for entry in (
        PageEntry("verdict", "Verdict", ":material/balance:", "Do all groups get the same facts?"),
        PageEntry("compare", "Compare", ":material/forum:", "What does each agent say to this question?"),
        PageEntry("items", "Items", ":material/grid_on:", "Where do they disagree?"),
        PageEntry("groups", "Groups", ":material/groups:", "Which groups differ, beyond chance?"),
        PageEntry("training", "Training", ":material/show_chart:", "What did training change?"),
        PageEntry("label", "Label", ":material/rule:", "Do two replies state the same fact?"),
        PageEntry("report", "Report", ":material/assignment:", "What was found, and who signs for it?"),
        PageEntry("runs", "Runs", ":material/list:", "Which runs are there, and what came of them?"),
    )
    if (_FOLDER / f"{entry.name}.py").is_file()
)


def page(name: str) -> Any:
    """The page of this name, as ``st.navigation`` and links take it; its module is imported when it is opened."""
    entry = next(entry for entry in PAGES if entry.name == name)
    return st.Page(
        _show(name), title=entry.title, icon=entry.icon, url_path=entry.name, default=entry.name == PAGES[0].name
    )


def exists(name: str) -> bool:
    """Whether the app has this page."""
    return any(entry.name == name for entry in PAGES)


def link(name: str, label: str, *, icon: str | None = None, **state: str) -> None:
    """A link to a page of the app, on the run and audit that are shown now.

    Args:
        name: of the page.
        label: plain text; what data say must have gone through ``markup.plain``.
        icon: Material symbol.
        state: further query parameters, such as the filters that the page shall start with.
    """
    here = {key: st.session_state[key] for key in ("run", "audit") if st.session_state.get(key)}
    st.page_link(page(name), label=label, icon=icon, query_params={**here, **state})


def _show(name: str) -> Callable[[], None]:
    def show() -> None:
        importlib.import_module(f"{__package__}.pages.{name}").show()

    return show
