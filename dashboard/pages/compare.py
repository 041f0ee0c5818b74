"""Compare: what does each agent say to this question?"""

from __future__ import annotations

import sys

import streamlit as st

from ..components import answers as drawn
from ..components.states import skeleton
from ..session import access, selection
from ..session.head import head


def show() -> None:
    """Draws the page: first what needs no model, then, once the model's libraries are read, the rest."""
    chosen = selection.current()
    person = access.enter()
    st.html(drawn.STYLE_SHEET)
    head(
        chosen,
        "What does each agent say to this question?",
        "Every group's agent gets the same question, and you see the answers side by side: facts should not depend on "
        "who asks.",
    )
    waiting = st.empty()
    if "torch" not in sys.modules:
        with waiting.container():
            skeleton("The model's libraries are being read, once after a start of the dashboard …")
    from . import compared

    waiting.empty()
    compared.show(chosen, person)
