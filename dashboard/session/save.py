"""Saving what was seen as a finding."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from trialign.audit.files.findings import DISPOSITIONS, FindingStore, Said
from trialign.errors import UserError
from trialign.queries import Query

from ..components import states
from ..live.asking import Answers
from .access import Person
from .selection import Selection


def save_form(chosen: Selection, person: Person, query: Query, item: str, answers: Sequence[Answers]) -> None:
    """A form that keeps question, answers and a comment.

    Args:
        chosen: the run.
        person: who saves; a viewer is told that viewers do not.
        query: what was asked.
        item: id of the audited question; empty for a typed one.
        answers: what was answered.
    """
    st.header("Keep this as a finding", anchor=False)
    if not person.may_write:
        st.caption("You may read and ask here. Saving findings is for auditors.")
        return
    # A form of its own after each finding: what was typed goes when it is saved, and stays when it is refused.
    with st.form(f"finding-{st.session_state.get('last_finding', 0)}"):
        comment = st.text_area("What did you see?", placeholder="The agents disagree on …")
        disposition = st.selectbox("What is to become of it?", DISPOSITIONS)
        saved = st.form_submit_button("Save finding", icon=":material/bookmark_add:")
    if number := st.session_state.pop("just_saved", None):
        st.success(f"Saved as finding {number}. It stands on the page Report.", icon=":material/check:")
    if not saved:
        return
    said = [Said(one.step, reply.label, reply.text) for one in answers for reply in one.replies]
    try:
        number = FindingStore(chosen.catalog.root).add(
            user=person.name,
            run=chosen.run.id,
            step=answers[0].step,
            query_id=item,
            checkpoint_sha256=answers[0].checkpoint_sha256,
            question=query.question,
            options=query.options,
            answers=said,
            comment=comment or "",
            disposition=disposition,
        )
    except UserError as error:
        states.fault(error, chosen.catalog.root)
        return
    st.session_state["last_finding"] = st.session_state["just_saved"] = number
    st.rerun()
