"""Report: what was found, and who signs for it?"""

from __future__ import annotations

import base64
import io
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from trialign.audit.files.findings import DISPOSITIONS, FindingStore, SavedFinding, SavedSignOff
from trialign.audit.files.folders import audit_folder
from trialign.audit.report import Report, build_report, write_report
from trialign.audit.report.noted import last_sign_off, noted_findings
from trialign.errors import UserError

from .. import navigation
from ..components import answers as drawn
from ..components import states
from ..components.heading import heading
from ..components.markup import Markup
from ..components.markup import show as draw
from ..reading import records
from ..reading.catalog import file_within
from ..session import access, selection
from ..session.selection import Selection

_DECISIONS = ("Consistent enough to use", "To be used with the noted limits", "Not to be used")


def show() -> None:
    """Draws the page."""
    chosen = selection.current()
    person = access.enter()
    st.html(drawn.STYLE_SHEET)
    heading(
        "What was found, and who signs for it?",
        f"{chosen.run.id} · {chosen.audit.sentence}",
        "Findings that people saved, the sign-off, and the audit report to take away. The report holds the same "
        "numbers as the command 'trialign report' and every other page.",
    )
    store = FindingStore(chosen.catalog.root)
    found = store.findings(chosen.run.id)
    _findings(chosen, store, found, person)
    signed = store.sign_offs(chosen.run.id, chosen.audit.id)
    _sign_off(chosen, store, signed, person)
    _report(chosen, found, signed)


def report_of(chosen: Selection, found: tuple[SavedFinding, ...], signed: tuple[SavedSignOff, ...]) -> Report:
    """The report of the chosen audit, with the findings on its agents and the last sign-off.

    Raises:
        UserError: a file of the audit is missing, damaged, changed or a link out of the root.
    """
    for audit in chosen.run.audits:  # each file's hash and place
        if (audit.data, audit.split) == (chosen.audit.data, chosen.audit.split) and audit.step in (
            0,
            chosen.audit.step,
        ):
            for file in audit.folder.iterdir():
                file_within(chosen.catalog.root, file)
            records.items(chosen.catalog, audit)
            records.analysis(chosen.catalog, audit)
            records.questions(chosen.catalog, audit)
    noted = noted_findings(found, chosen.audit.step)
    return build_report(audit_folder(chosen.audit.folder).path, None, noted, last_sign_off(signed))


def _findings(chosen: Selection, store: FindingStore, found: tuple[SavedFinding, ...], person: access.Person) -> None:
    st.header("Findings", anchor=False)
    if not found:
        states.nothing("Nothing was noted on this run yet. Ask a question on the page Compare and save what you see.")
        return
    for finding in reversed(found):
        _finding(chosen, store, finding, person)


def _finding(chosen: Selection, store: FindingStore, finding: SavedFinding, person: access.Person) -> None:
    agents = f"step {finding.step}" if finding.step else "before training"
    with st.container(border=True):
        if finding.deleted:
            draw(
                Markup('<p class="ta-small">Finding {} of {} ({}): its texts were deleted by {} on {}.</p>').format(
                    finding.id, finding.user, finding.time, *finding.deleted
                )
            )
            return
        draw(_finding_markup(finding, agents))
        with st.expander("Answers, comments and what is to become of it"):
            rows = [{"Agents": one.step, "Group": one.label, "Answer": one.text} for one in finding.answers]
            st.dataframe(rows, hide_index=True, width="stretch")
            navigation.link("compare", "Ask this again", icon=":material/forum:", finding=str(finding.id))
            if person.may_write:
                _edit(chosen, store, finding, person)


def _finding_markup(finding: SavedFinding, agents: str) -> Markup:
    remarks = Markup("").join(
        Markup('<p>{} <span class="ta-small">{}, {}: {}</span></p>').format(
            remark.comment, remark.user, remark.time, remark.disposition
        )
        for remark in finding.remarks
    )
    checkpoint = finding.checkpoint_sha256[:12] or "base model"
    return Markup(
        '<p class="ta-tag ta-plain">Finding {} · {} · {}</p><p class="ta-said">{}</p>{}'
        '<p class="ta-small">Agents {} · manifest {}</p>'
    ).format(
        finding.id,
        finding.disposition,
        f"audited question {finding.query_id}" if finding.query_id else "typed question",
        finding.question,
        remarks,
        agents,
        checkpoint,
    )


def _edit(chosen: Selection, store: FindingStore, finding: SavedFinding, person: access.Person) -> None:
    # A form of its own after each comment: what was typed goes when it is saved, and stays when it is refused.
    with st.form(f"remark-{finding.id}-{len(finding.remarks)}"):
        comment = st.text_area("Comment")
        disposition = st.selectbox(
            "What is to become of it?",
            DISPOSITIONS,
            index=DISPOSITIONS.index(finding.disposition),
        )
        if st.form_submit_button("Add comment") and _done(
            chosen, lambda: store.remark(finding.id, user=person.name, comment=comment or "", disposition=disposition)
        ):
            st.rerun()
    sure = st.checkbox("Delete its texts for good; who did so stays on record", key=f"sure-{finding.id}")
    if st.button("Delete", key=f"delete-{finding.id}", disabled=not sure, icon=":material/delete:") and _done(
        chosen, lambda: store.delete(finding.id, user=person.name)
    ):
        st.rerun()


def _done(chosen: Selection, action: Callable[[], object]) -> bool:
    try:
        action()
    except UserError as error:
        states.fault(error, chosen.catalog.root)
        return False
    return True


def _sign_off(chosen: Selection, store: FindingStore, signed: tuple[SavedSignOff, ...], person: access.Person) -> None:
    st.header("Sign-off", anchor=False)
    for one in signed:
        draw(
            Markup('<p class="ta-tag ta-good">✓ {}</p><p>{}</p><p class="ta-small">{} ({}), {}</p>').format(
                one.decision, one.remark, one.name, one.role or "no role stated", one.time
            )
        )
    if not person.may_write:
        st.caption("Signing is for auditors.")
        return
    if not signed:
        st.caption("Nobody has signed this audit yet. A later sign-off stands before an earlier one; both are kept.")
    with st.form(f"sign-{len(signed)}"):
        name = st.text_input("Your name")
        role = st.text_input("In which capacity", placeholder="auditor, product owner, …")
        decision = st.selectbox("Decision", _DECISIONS, index=None, placeholder="Choose one")
        remark = st.text_area("Remark (optional)")
        if st.form_submit_button("Sign this audit", icon=":material/draw:") and _done(
            chosen,
            lambda: store.sign(
                user=person.name,
                run=chosen.run.id,
                audit=chosen.audit.id,
                name=name or "",
                role=role or "",
                decision=decision or "",
                remark=remark or "",
            ),
        ):
            st.rerun()


def _report(chosen: Selection, found: tuple[SavedFinding, ...], signed: tuple[SavedSignOff, ...]) -> None:
    st.header("The report", anchor=False)
    st.caption("It is about the audit that is chosen in the sidebar, with the findings on the same agents.")
    if st.button("Make the report", icon=":material/description:", type="primary"):
        with st.spinner("Making the report …"):
            st.session_state["report"] = _made(chosen, found, signed)
    made: _Made | None = st.session_state.get("report")
    if made is None or (made.run, made.audit) != (chosen.run.id, chosen.audit.id):
        return
    if made.basis != (found, signed):
        st.caption("Findings or sign-offs were added since: make it again to take them in.")
    name = f"{made.run}.{made.audit}"
    left, right = st.columns(2)
    left.download_button("Download the report (HTML)", made.page, f"{name}.html", "text/html", width="stretch")
    right.download_button("Download everything (ZIP)", made.packed, f"{name}.zip", "application/zip", width="stretch")
    with st.expander("Preview"):
        # An address of its own kind gives the frame an origin of its own: whatever it held could not reach the app.
        st.iframe(
            f"data:text/html;base64,{base64.b64encode(made.page).decode()}", height=700, alt="Preview of the report"
        )


@dataclass(frozen=True)
class _Made:
    """A report ready to be taken away, and what it was made from."""

    run: str
    audit: str
    basis: tuple[tuple[SavedFinding, ...], tuple[SavedSignOff, ...]]
    page: bytes
    packed: bytes


def _made(chosen: Selection, found: tuple[SavedFinding, ...], signed: tuple[SavedSignOff, ...]) -> _Made:
    report = report_of(chosen, found, signed)
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in write_report(report, Path(folder)):
            archive.write(file, file.relative_to(folder))
        page = (Path(folder) / "report.html").read_bytes()
    return _Made(chosen.run.id, chosen.audit.id, (found, signed), page, packed.getvalue())
