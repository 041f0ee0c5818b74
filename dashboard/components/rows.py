"""Opening a row of the grid without loading the page anew."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

# A plain click on a row's link is told to the app; one with a key held, or with another button, opens the address as
# any link does. Where the redrawn grid has lost the focus it goes back to its row, and what lies below is scrolled to.
_SCRIPT = """
export default function ({ data, setTriggerValue }) {
  const link = (question) => [...document.querySelectorAll('.ta-grid tbody a')].find((one) =>
    new URL(one.href).searchParams.get('question') === question);
  const listen = (event) => {
    const clicked = event.target.closest('.ta-grid tbody a');
    if (!clicked || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    window.taOpened = new URL(clicked.href).searchParams.get('question');
    setTriggerValue('opened', window.taOpened);
    const detail = document.querySelector('.st-key-detail');
    const grid = clicked.closest('.ta-scroll');
    if (detail && detail.getBoundingClientRect().top > grid.getBoundingClientRect().bottom - 1)
      detail.scrollIntoView({ block: 'start' });
  };
  document.addEventListener('click', listen);
  let tries = 20;
  const back = setInterval(() => {
    if (window.taOpened === data && document.activeElement === document.body)
      link(data)?.focus({ preventScroll: true });
    if (!--tries) clearInterval(back);
  }, 150);
  return () => {
    clearInterval(back);
    document.removeEventListener('click', listen);
  };
}
"""


def opened(question: str, open_it: Callable[[str], None]) -> None:
    """Draws nothing; calls back with the id of the question whose row was clicked.

    Args:
        question: id of the one that is open.
        open_it: is called before the app is drawn anew.
    """

    def on_click() -> None:
        row = st.session_state["grid_row"]["opened"]
        if isinstance(row, str):
            open_it(row)

    wire = st.components.v2.component("trialign_grid_row", html="<span></span>", js=_SCRIPT)
    wire(data=question, key="grid_row", height="content", on_opened_change=on_click)
