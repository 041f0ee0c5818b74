"""Text from data on its way to the browser: escaped by construction.

Questions, answers and names of groups come from files that anybody may have written. They reach the page as

- elements that show plain text (charts, inputs): as they are;
- HTML: only as `Markup`, whose ``format`` and ``join`` escape every argument that is no `Markup` itself; `show` takes
  nothing else;
- Markdown, as in labels of links and buttons, where an image would be fetched from wherever it points: through `plain`.
"""

from __future__ import annotations

import re
import unicodedata

import streamlit as st
from markupsafe import Markup

__all__ = ["Markup", "isolated", "plain", "show", "unbroken"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:$&])")


def show(markup: Markup) -> None:
    """Draws HTML."""
    if not isinstance(markup, Markup):
        raise TypeError("Only Markup is drawn as HTML: format it from a template, which escapes what is put in")
    st.html(markup)


def isolated(text: str) -> str:
    """A name within a sentence, so that one from right to left leaves the order of the words around it as it is."""
    turned = any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in text)
    return f"\u2068{text}\u2069" if turned else text


def unbroken(text: str) -> str:
    """A sentence in which no line ends between a figure and its percent sign."""
    return re.sub(r"(?<=\d) %", "\u00a0%", text)


def plain(text: str) -> str:
    """The text as Markdown that shows it literally, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
