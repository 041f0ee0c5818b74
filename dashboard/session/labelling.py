"""Labelling pairs of replies: who does it, which pair is next, and what is saved."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from trialign.audit.figures.labelling import Queue, QueuedPair, Standing, settled_pairs, standing
from trialign.audit.files.labels import LONGEST_NAME, LabelStore
from trialign.comparing.calibration import labelled_line
from trialign.comparing.pairs import Verdict

from .access import Person
from .kept import keep, start

_NAME, _LAST, _AGAIN = "label_name", "label_last", "label_again"


def name() -> str:
    """Draws the field in which people say who they are; the session remembers it."""
    start(_NAME, "", lambda value: isinstance(value, str))
    written = st.text_input("Your name", key=_NAME, max_chars=LONGEST_NAME, help=_WHY)
    keep((_NAME,))
    return " ".join((written or "").split())


_WHY = "Two people label the same pairs, each alone; the name tells them apart. It is kept with every label."


def own_labels(found: Standing, who: str) -> Mapping[str, Verdict]:
    """What this person said so far: key of a pair -> label."""
    return next((labels for one, labels in found.said.items() if one.casefold() == who.casefold()), {})


def next_pair(queue: Queue, own: Mapping[str, Verdict]) -> QueuedPair | None:
    """The pair to be shown: the one that the person went back to, else the first without a label of theirs."""
    again = st.session_state.get(_AGAIN)
    return next(
        (one for one in queue.pairs if one.key == again),
        next((one for one in queue.pairs if one.key not in own), None),
    )


def last_pair(own: Mapping[str, Verdict]) -> str | None:
    """The pair that this person labelled last in this session, unless it is shown again now."""
    last = st.session_state.get(_LAST)
    return last if last in own and st.session_state.get(_AGAIN) != last else None


def go_back(key: str) -> None:
    """Shows a pair again."""
    st.session_state[_AGAIN] = key


def save(
    store: LabelStore, queue: Queue, person: Person, who: str, key: str, label: Verdict, *, settles: bool = False
) -> None:
    """Adds a label, and writes the file of the settled pairs anew.

    Raises:
        UserError: nobody is named, or the files cannot be written.
    """
    with store.held():
        store.add(user=person.name, name=who, pair=key, label=label, settles=settles)
        store.write_pairs(pairs_text(queue, standing(queue, store.given())))
    if not settles:
        st.session_state[_LAST] = key
        st.session_state.pop(_AGAIN, None)


def pairs_text(queue: Queue, found: Standing) -> str:
    """The settled pairs, a line each."""
    return "".join(f"{labelled_line(one)}\n" for one in settled_pairs(queue, found))
