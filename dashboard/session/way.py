"""Scored answers or replies in words: which of them a page shows, where an audit asked for both."""

from __future__ import annotations

import streamlit as st

from ..reading import records
from ..reading.answers import WAYS, Way
from .selection import Selection


def way(chosen: Selection) -> Way:
    """Draws the choice, which stands in the URL; nothing where the audit has no replies: its answers are scored."""
    if records.replies(chosen.catalog, chosen.audit) is None:
        return "Scored"
    picked: Way = st.segmented_control(
        "Answers", WAYS, default=WAYS[0], key="answers", bind="query-params", required=True, help=_HELP
    )
    return picked


_HELP = (
    "Scored: the option that an agent finds likeliest. In words: what it replies when the same question is asked as a "
    "person asks it, read as an answer."
)
