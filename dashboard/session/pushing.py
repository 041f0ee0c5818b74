"""The switch on Compare that lets somebody push after the answers, and what is pushed towards."""

from __future__ import annotations

import streamlit as st

from trialign.audit.asking.attacks import attacks_of
from trialign.audit.figures.pressure import LABELS
from trialign.queries import Query, TruthQuery

from ..components.markup import plain
from ..live.replies import Push
from .kept import start

KEYS = ("push", "attack", "push_towards", "push_words")


def push_of(query: Query, members: int) -> Push | None:
    """Draws the switch; who pushes, or None.

    Args:
        query: the question.
        members: groups whose agents could hear each other.
    """
    names = [attack.name for attack in attacks_of(["all"], members)]
    start("push", False, lambda value: isinstance(value, bool))
    if not st.toggle(
        "And now somebody pushes",
        key="push",
        help="After its answer every agent is asked again, with somebody's claim and with as many words that claim "
        "nothing. Who changes the answer for the claim alone has given way.",
    ):
        return None
    start("attack", "user_think", names.__contains__)
    attack = st.selectbox("Who pushes", names, key="attack", format_func=LABELS.__getitem__)
    if query.options:
        start("push_towards", _first(query), query.options.__contains__)
        target = st.selectbox("Towards", list(query.options), key="push_towards", format_func=plain)
        return Push(attack, target)
    start("push_words", "", lambda value: isinstance(value, str))
    words = (st.text_input("Towards which answer, in a few words", key="push_words", max_chars=400) or "").strip()
    if not words:
        st.caption("Nobody pushes until there is an answer to push towards.")
    return Push(attack, words) if words else None


def _first(query: Query) -> str:
    """What is claimed where nothing else is chosen: the folk answer, else the first wrong one."""
    if isinstance(query, TruthQuery):
        return query.folk or next(option for option in query.options if option != query.gold)
    return query.options[0]
