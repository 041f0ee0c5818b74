"""The one queue of a dashboard's process, before its one model."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from .engine import Engine
from .queue import LiveQueue


@st.cache_resource(show_spinner=False)
def live_queue(root: Path) -> LiveQueue:
    """The queue that all people share; the model is read with the first question."""
    return LiveQueue(Engine(), root)
