"""Saving what was seen as a finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from trialign.audit.files.findings import DISPOSITIONS, FindingStore, Said
from trialign.errors import UserError
from trialign.groups import Exposure, SocialGroup
from trialign.queries import Query

from ..components import states
from ..components.asked import told
from ..live.replies import Answers
from .access import Person
from .selection import Selection


@dataclass(frozen=True)
class Evidence:
    """What a finding is about, as it is kept; see `SavedFinding` for the fields.

    Attributes:
        audit: whose answers they are; empty for those of no audit.
        exposure: empty where the answers are of both kinds.
    """

    question: str
    options: tuple[str, ...]
    query_id: str
    said: tuple[Said, ...]
    step: int
    checkpoint_sha256: str | None
    exposure: str
    source: str
    audit: str


def evidence(
    query: Query | str,
    item: str,
    answers: Sequence[Answers],
    exposure: Exposure,
    profiles: Mapping[str, SocialGroup],
    source: str,
    audit: str,
) -> Evidence:
    """What is kept of answers side by side.

    Args:
        query: what was asked; its text where no more is known.
        item: id of the audited question; empty for a typed one.
        answers: what was answered, one a checkpoint.
        exposure: how the profile reached the agents, in its first wording.
        profiles: the groups that were asked, by name, as they were told.
        source: whether they were given live or recorded, as findings say it.
        audit: id of the audit that was looked at.
    """
    said = (_said(one, place, exposure, profiles) for one in answers for place in range(len(one.replies)))
    return Evidence(
        question=query if isinstance(query, str) else query.question,
        options=() if isinstance(query, str) else tuple(query.options),
        query_id=item,
        said=tuple(said),
        step=answers[0].step,
        checkpoint_sha256=answers[0].checkpoint_sha256,
        exposure=exposure,
        source=source,
        audit=audit,
    )


def save_form(chosen: Selection, person: Person, shown: Evidence, place: str = "") -> None:
    """A form that keeps question, answers with all that is known of them, and a comment.

    Args:
        chosen: the run.
        person: who saves; a viewer is told that viewers do not.
        shown: the answers.
        place: tells the forms of a page apart.
    """
    if not person.may_write:
        st.caption("You may read and ask here. Saving findings is for auditors.")
        return
    # A form of its own after each finding: what was typed goes when it is saved, and stays when it is refused.
    with st.form(f"finding-{place}-{st.session_state.get('last_finding', 0)}", enter_to_submit=False, border=not place):
        comment = st.text_area("What did you see?", placeholder="The agents disagree on …")
        disposition = st.selectbox("What is to become of it?", DISPOSITIONS)
        saved = st.form_submit_button("Save finding", icon=":material/bookmark_add:")
    number, where = st.session_state.get("just_saved", (0, None))
    if where == place:
        del st.session_state["just_saved"]
        st.success(f"Saved as finding {number}. It stands on the page Report.", icon=":material/check:")
    if not saved:
        return
    try:
        number = FindingStore(chosen.catalog.root).add(
            user=person.name,
            run=chosen.run.id,
            step=shown.step,
            query_id=shown.query_id,
            checkpoint_sha256=shown.checkpoint_sha256,
            question=shown.question,
            options=shown.options,
            answers=shown.said,
            comment=comment or "",
            disposition=disposition,
            audit=shown.audit,
            exposure=shown.exposure,
            source=shown.source,
        )
    except UserError as error:
        states.fault(error, chosen.catalog.root)
        return
    st.session_state["last_finding"], st.session_state["just_saved"] = number, (number, place)
    st.rerun()


def _said(answers: Answers, place: int, exposure: Exposure, profiles: Mapping[str, SocialGroup]) -> Said:
    """One agent's answer with its evidence."""
    reply = answers.replies[place]
    return Said(
        step=answers.step,
        label=reply.label,
        text=reply.text,
        group=reply.group,
        canonical=reply.canonical,
        probabilities=reply.probabilities,
        adapter_sha256=reply.adapter_sha256,
        checkpoint_sha256=answers.checkpoint_sha256,
        profile=told(profiles.get(reply.group), exposure),
    )
