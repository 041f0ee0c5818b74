"""A finding begun where an answer is read, on whatever page that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from trialign.audit.files.findings import RECORDED, Said
from trialign.group_config import CONTROL
from trialign.queries import Query
from trialign.trajectories.records import Trajectory

from ..components.asked import told
from ..reading import records
from ..reading.answers import Way
from ..reading.stored import stored_answers
from . import access
from .save import Evidence, evidence, save_form
from .selection import Selection

_LABEL = "Note a finding about these answers"


def recorded(chosen: Selection, query_id: str, query: Query | None, way: Way = "Scored") -> None:
    """What the chosen audit recorded of one question, and room for what somebody sees in it.

    Args:
        chosen: the run and the audit.
        query_id: of the question.
        query: the question; None where an older audit kept no text.
        way: how it was answered.
    """
    summary = records.summary(chosen.catalog, chosen.audit)
    groups, exposure = (*summary["groups"], CONTROL), summary["exposure"]
    labels = records.labels(chosen.catalog, chosen.run, chosen.audit)
    answers = stored_answers(chosen.catalog, chosen.run, chosen.audit, labels, query_id, exposure, groups, way)
    if answers is None:
        return
    profiles = {group.name: group for group in records.groups(chosen.catalog, chosen.run, chosen.audit)}
    shown = evidence(query or query_id, query_id, (answers,), exposure, profiles, RECORDED, chosen.audit.id)
    _form(chosen, shown, query_id)


def episode(
    chosen: Selection, query_id: str, query: Query | None, rows: Sequence[Trajectory], labels: Mapping[str, str]
) -> None:
    """The same of an episode's turns, which agents took before training.

    Args:
        chosen: the run and the audit.
        query_id: of the question.
        query: the question, if it is known.
        rows: its turns.
        labels: group -> how it is shown.
    """
    profiles = {group.name: group for group in records.groups(chosen.catalog, chosen.run, chosen.audit)}
    said = [
        Said(
            0,
            f"{labels.get(row.group, row.group)}, turn {row.turn}",
            text,
            row.group,
            profile=told(profiles.get(row.group), row.exposure) if row.wording == 0 else "",
        )
        for row in rows
        for text in dict.fromkeys(sample.text for sample in row.samples)
    ]
    question = query.question if query else query_id
    options = query.options if query else ()
    exposure = rows[0].exposure if len({row.exposure for row in rows}) == 1 else ""
    _form(chosen, Evidence(question, options, query_id, tuple(said), 0, None, exposure, RECORDED, ""), query_id)


def _form(chosen: Selection, shown: Evidence, place: str) -> None:
    with st.expander(_LABEL, icon=":material/bookmark_add:"):
        save_form(chosen, access.enter(), shown, place)
