"""What the controls of a page held when it was last drawn: Streamlit forgets them with the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

_KEPT = "kept_controls"


def start(key: str, default: object, fits: Callable[[Any], bool], stated: object = None) -> None:
    """Puts the value with which a control begins into its place, see `beginning`.

    Streamlit forgets a control that one draw of the app leaves out, as all those of other pages do.
    """
    st.session_state[key] = beginning(key, default, fits, stated)


def beginning(key: str, default: object, fits: Callable[[Any], bool], stated: object = None) -> Any:
    """The value with which a control begins: as it stands, as the address states it, as it was last, or the default."""
    if key in st.session_state:
        candidates = [st.session_state[key]]
    else:
        candidates = [stated, st.session_state.get(_KEPT, {}).get(key)]
    return next((value for value in candidates if value is not None and fits(value)), default)


def keep(keys: Sequence[str]) -> None:
    """Remembers what these controls hold."""
    kept = st.session_state.setdefault(_KEPT, {})
    kept |= {key: st.session_state[key] for key in keys if key in st.session_state}
