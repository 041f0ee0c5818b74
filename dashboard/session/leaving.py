"""A live question ends with the page that asked it: nobody else's has to wait for words that nobody reads."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

TICKET, RUN = "live_ticket", "live_run"  # keys of this session's question in its state, and of the run it is put to
_ELSEWHERE = "You went to another page, so the agents stopped. Ask again to hear them."


def leave_unless(asking: bool) -> None:
    """Takes this session's question back where another page or another run is shown; an answer that is there stays.

    Args:
        asking: whether the page that is drawn is the one that asks.
    """
    ticket = st.session_state.get(TICKET)
    if ticket is not None and not (asking and st.session_state.get(RUN) == st.session_state.get("run")):
        ticket.take_back(_ELSEWHERE)


def this_page_is_gone() -> Callable[[], bool]:
    """Whether the browser that asks now has closed the page, loaded it anew or lost its connection."""
    context = get_script_run_ctx()
    if context is None or not runtime.exists():
        return lambda: False
    server, session = runtime.get_instance(), context.session_id
    return lambda: not server.is_active_session(session)
