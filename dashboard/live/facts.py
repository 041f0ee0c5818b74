"""Whether free replies state the same fact as one of them, told by what the run's audits use."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from trialign.comparing.compare import compare
from trialign.comparing.judge import JudgeConfig
from trialign.comparing.opening import Comparer, open_comparer
from trialign.comparing.pairs import Comparison, held_against
from trialign.errors import UserError
from trialign.queries import Query

from .engine import Comparing
from .replies import Reply

# What is typed here goes to no other machine: a judge behind an address is asked by audits alone.
_NO_JUDGE = (
    "The judge that this run's audits use is not asked here: it stands behind an address, and what is typed here goes "
    "to no other machine."
)
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class SameFacts:
    """What was told.

    Attributes:
        told: one a reply; None for the one that the others are held against.
        note: why another comparer than that of the audits told; empty where it was theirs.
    """

    told: tuple[Comparison | None, ...]
    note: str = ""


def same_facts(query: Query, replies: Sequence[Reply], reference: int, comparing: Comparing) -> SameFacts:
    """Holds all replies against one of them.

    Args:
        query: what was asked.
        replies: in words.
        reference: index of the one that the others are held against.
        comparing: as the run's audits do.
    """
    first, *others = ((reply.text, reply.status) for reply in (replies[reference], *_without(replies, reference)))
    pairs = held_against(query, first, others)
    note, opened = (_NO_JUDGE if comparing.comparer == "judge" else ""), None
    if comparing.nli and comparing.comparer != "canonical":
        try:
            opened = _opened(comparing.nli, comparing.calibration if comparing.comparer == "nli" else None)
        except UserError as error:
            note = f"Told by what the replies were read as alone: {error}"
    with _ONE_AT_A_TIME:
        found: list[Comparison | None] = [*compare(pairs, nli=opened.nli if opened else None)]
    found.insert(reference, None)
    return SameFacts(tuple(found), note)


def _without(replies: Sequence[Reply], place: int) -> list[Reply]:
    return [reply for number, reply in enumerate(replies) if number != place]


@st.cache_resource(max_entries=1, show_spinner="The model of entailment is being read …")
def _opened(nli: str, calibration: str | None) -> Comparer:
    return open_comparer("nli", nli, JudgeConfig(), calibration, Path())
