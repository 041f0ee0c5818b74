"""The frame around every page: theme, menu, choice of run and audit, and what happens when a page fails."""

from __future__ import annotations

import streamlit as st

from trialign.errors import UserError

from . import navigation, theme
from .components import states
from .session import access, leaving, selection
from .session.settings import Settings


def run() -> None:
    """Draws the app once, as Streamlit does for every person and every click."""
    st.set_page_config(page_title="TriAlign", page_icon=str(theme.ICON), layout="wide")
    st.html(theme.STYLE_SHEET)
    try:
        access.enter()
    except UserError as error:
        states.fault(error, Settings.from_environment().runs)
        st.stop()
    opened = st.navigation([navigation.page(entry.name) for entry in navigation.PAGES])
    selection.sidebar()
    leaving.leave_unless(opened.url_path == "compare")
    try:
        opened.run()
    except UserError as error:
        states.fault(error, Settings.from_environment().runs)
