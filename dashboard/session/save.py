"""Saving what was seen as a finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from trialign.audit.files.findings import DISPOSITIONS, LIVE, RECORDED, FindingStore, Said
from trialign.errors import UserError
from trialign.groups import Exposure, SocialGroup
from trialign.queries import Query

from ..components import states
from ..live.replies import Answers
from .access import Person
from .selection import Selection


def save_form(
    chosen: Selection,
    person: Person,
    query: Query,
    item: str,
    answers: Sequence[Answers],
    exposure: Exposure,
    profiles: Mapping[str, SocialGroup],
    *,
    recorded: bool = False,
) -> None:
    """A form that keeps question, answers with all that is known of them, and a comment.

    Args:
        chosen: the run.
        person: who saves; a viewer is told that viewers do not.
        query: what was asked.
        item: id of the audited question; empty for a typed one.
        answers: what was answered.
        exposure: how the profile reached the agents, in its first wording.
        profiles: the groups that were asked, by name, as they were told.
        recorded: whether the answers are those of the audit.
    """
    st.header("Keep this as a finding", anchor=False)
    if not person.may_write:
        st.caption("You may read and ask here. Saving findings is for auditors.")
        return
    # A form of its own after each finding: what was typed goes when it is saved, and stays when it is refused.
    with st.form(f"finding-{st.session_state.get('last_finding', 0)}", enter_to_submit=False):
        comment = st.text_area("What did you see?", placeholder="The agents disagree on …")
        disposition = st.selectbox("What is to become of it?", DISPOSITIONS)
        saved = st.form_submit_button("Save finding", icon=":material/bookmark_add:")
    if number := st.session_state.pop("just_saved", None):
        st.success(f"Saved as finding {number}. It stands on the page Report.", icon=":material/check:")
    if not saved:
        return
    try:
        number = FindingStore(chosen.catalog.root).add(
            user=person.name,
            run=chosen.run.id,
            step=answers[0].step,
            query_id=item,
            checkpoint_sha256=answers[0].checkpoint_sha256,
            question=query.question,
            options=query.options,
            answers=[_said(one, place, exposure, profiles) for one in answers for place in range(len(one.replies))],
            comment=comment or "",
            disposition=disposition,
            audit=chosen.audit.id,
            exposure=exposure,
            source=RECORDED if recorded else LIVE,
        )
    except UserError as error:
        states.fault(error, chosen.catalog.root)
        return
    st.session_state["last_finding"] = st.session_state["just_saved"] = number
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
        profile=_profile(profiles.get(reply.group), exposure),
    )


def _profile(group: SocialGroup | None, exposure: Exposure) -> str:
    """The first wording of a profile, which is the one that is asked here; empty for nobody's."""
    if group is None or group.role == "control" or not group.wordings(exposure):
        return ""
    if exposure == "explicit":
        return group.explicit[0]
    return "\n".join(f"{message.role}: {message.content}" for message in group.implicit[0])
