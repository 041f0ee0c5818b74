"""Text from data on its way to the browser: escaped by construction.

Questions, answers and names of groups come from files that anybody may have written. They reach the page as

- elements that show plain text (``st.dataframe``, charts, inputs): as they are;
- HTML: only as `Markup`, whose ``format`` and ``join`` escape every argument that is no `Markup` itself; `show` takes
  nothing else;
- Markdown, as in labels of links and buttons, where an image would be fetched from wherever it points: through `plain`.
"""

from __future__ import annotations

import re

import streamlit as st
from markupsafe import Markup

__all__ = ["Markup", "plain", "show"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:$&])")


def show(markup: Markup) -> None:
    """Draws HTML."""
    if not isinstance(markup, Markup):
        raise TypeError("Only Markup is drawn as HTML: format it from a template, which escapes what is put in")
    st.html(markup)


def plain(text: str) -> str:
    """The text as Markdown that shows it literally, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
