"""Signing an audit: what was signed and still holds, and a new signature, in two steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from trialign.audit.files.findings import FindingStore, check_sign_off
from trialign.audit.report.decisions import DECISIONS, STANDINGS, decided
from trialign.audit.report.format import moment
from trialign.audit.report.signing import binding_of
from trialign.errors import UserError
from trialign.runs import RunFolder

from ..components import states
from ..components.markup import Markup, isolated
from ..components.markup import show as draw
from .access import Person
from .integrity import Noted, noted
from .reported import Made, made_report, report_of
from .selection import Selection


@dataclass(frozen=True)
class _Draft:
    """What somebody is about to sign with."""

    report_sha256: str
    name: str
    role: str
    decision: str
    remark: str


def done(chosen: Selection, action: Callable[[], object]) -> bool:
    """Does something that may be refused; says why if it is."""
    try:
        action()
    except UserError as error:
        states.fault(error, chosen.catalog.root)
        return False
    return True


def sign_off(chosen: Selection, found: Noted, made: Made | None, person: Person) -> None:
    """Draws the signatures, and the form for another one once the report has been made and can be read.

    Args:
        chosen: the audit.
        found: what was noted and signed on it.
        made: its report, of what is there now; None as long as nobody has made it.
        person: who looks; a viewer is told that viewers do not sign.
    """
    st.header("Sign-off", anchor=False)
    _signatures(found)
    if not person.may_write:
        st.caption("Signing is for auditors.")
        return
    if not found.signed:
        st.caption("Nobody has signed this audit yet. A later sign-off stands before an earlier one; both are kept.")
    if RunFolder(chosen.run.folder).in_training:
        st.caption("This run is being trained now, and what changes is not signed. Sign it when that is done.")
        return
    if made is None:
        st.caption("Make the report first, and read it: a signature is put to its bytes.")
        return
    draft: _Draft | None = st.session_state.get("sign_off")
    if draft is not None and draft.report_sha256 != made.binding.report_sha256:
        draft = None
    if draft is None or not st.session_state.get("confirming"):
        _form(chosen, found, made, draft)
    else:
        _confirmation(chosen, draft, made, person)


def _signatures(found: Noted) -> None:
    for one, standing, note in found.signed:
        sign, style = decided(one.decision, standing)
        tag = Markup('<p class="ta-tag ta-{}">{} {} · {}</p>').format(style, sign, one.decision, STANDINGS[standing])
        body = Markup('<p dir="auto">{}</p>').format(one.remark) if one.remark else Markup("")
        who = f"{isolated(one.name)} ({isolated(one.role or 'no role stated')}), {moment(one.time)}"
        digest = f" · report {one.binding.report_sha256[:12]}" if one.binding else ""
        draw(Markup('{}{}<p class="ta-small">{}{}</p><p class="ta-small">{}</p>').format(tag, body, who, digest, note))


def _form(chosen: Selection, found: Noted, made: Made, draft: _Draft | None) -> None:
    # Enter ends a line and nothing more: what is signed is signed by a button, and by a second one.
    with st.form(f"sign-{len(found.signed)}", enter_to_submit=False):
        name = st.text_input("Your name", value=draft.name if draft else "")
        role = st.text_input(
            "In which capacity", value=draft.role if draft else "", placeholder="auditor, product owner, …"
        )
        choices = list(DECISIONS)
        decision = st.selectbox(
            "Decision",
            choices,
            index=choices.index(draft.decision) if draft else None,
            placeholder="Choose one",
        )
        remark = st.text_area("Remark (optional)", value=draft.remark if draft else "")
        texts = (name or "", role or "", decision or "", remark or "")
        if st.form_submit_button("Go on to the signature", icon=":material/draw:") and done(
            chosen, lambda: check_sign_off(*texts)
        ):
            st.session_state["sign_off"] = _Draft(made.binding.report_sha256, *texts)
            st.session_state["confirming"] = True
            st.rerun()


def _confirmation(chosen: Selection, draft: _Draft, made: Made, person: Person) -> None:
    sign, style = decided(draft.decision, "holds")
    rows = (
        ("Who", f"{draft.name} ({draft.role or 'no role stated'})"),
        ("Remark", draft.remark or "none"),
        ("Audit", f"{chosen.run.id} · {chosen.audit.sentence}"),
        ("Verdict", made.verdict or "none: there was nothing to compare"),
        ("Report, SHA-256 of report.json", made.binding.report_sha256),
        ("Files that it is made from", f"{len(made.binding.files)}, each with its SHA-256"),
    )
    facts = Markup("").join(Markup('<div><dt>{}</dt><dd dir="auto">{}</dd></div>').format(*row) for row in rows)
    with st.container(border=True):
        draw(
            Markup(
                '<h3 class="ta-question">Is this what you sign?</h3><p class="ta-tag ta-{}">{} {}</p>'
                '<dl class="ta-facts">{}</dl>'
            ).format(style, sign, draft.decision, facts)
        )
        with st.container(horizontal=True):
            signing = st.button("Sign this audit", type="primary", icon=":material/draw:")
            back = st.button("Back")
    if back:
        st.session_state["confirming"] = False
        st.rerun()
    if signing and done(chosen, lambda: _sign(chosen, draft, made, person)):
        del st.session_state["sign_off"], st.session_state["confirming"]
        st.rerun()


def _sign(chosen: Selection, draft: _Draft, made: Made, person: Person) -> None:
    """Signs, if the report that is made anew from the files is the one that was read.

    Raises:
        UserError: it is another one, or a file is damaged or missing.
    """
    if binding_of(report_of(chosen, noted(chosen.catalog, chosen.run, chosen.audit))) != made.binding:
        raise UserError(
            "The audit or its findings changed since this report was made, and nothing was signed",
            "Make the report again, and read what changed",
        )
    FindingStore(chosen.catalog.root).sign(
        user=person.name,
        run=chosen.run.id,
        audit=chosen.audit.id,
        name=draft.name,
        role=draft.role,
        decision=draft.decision,
        remark=draft.remark,
        binding=made.binding,
    )
    with st.spinner("Making the report with the signature …"):
        st.session_state["report"] = made_report(chosen, noted(chosen.catalog, chosen.run, chosen.audit))
