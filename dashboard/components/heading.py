"""The head of a page: its question, what is shown, and what to make of it."""

from __future__ import annotations

from .markup import Markup, show


def heading(question: str, shown: str, lead: str) -> None:
    """Draws it.

    Args:
        question: what the page answers; the page's only heading of the first level.
        shown: run, questions and agents that the page is about.
        lead: one or two plain sentences on how to read the page.
    """
    show(
        Markup(
            '<header><div class="ta-eyebrow">{}</div><h1 class="ta-title">{}</h1><p class="ta-lead">{}</p></header>'
        ).format(shown, question, lead)
    )
