"""Report: what was found, and who signs for it?"""

from __future__ import annotations

import base64

import streamlit as st

from trialign.audit.files.findings import DISPOSITIONS, FindingStore, SavedFinding
from trialign.audit.report.format import moment
from trialign.audit.report.noted import agents_of, asked_how
from trialign.errors import UserError

from .. import navigation
from ..components import answers as drawn
from ..components import states
from ..components.banner import banner
from ..components.markup import Markup
from ..components.markup import show as draw
from ..components.tables import table
from ..reading import records
from ..session import access, selection
from ..session.head import head
from ..session.integrity import Noted, check, noted
from ..session.reported import Made, made_report
from ..session.selection import Selection
from ..session.sign import done, sign_off


def show() -> None:
    """Draws the page: the verdict, what was noted, the report, and only then what signs it."""
    chosen = selection.current()
    person = access.enter()
    st.html(drawn.STYLE_SHEET)
    head(
        chosen,
        "What was found, and who signs for it?",
        "Read the report, then sign it. It holds the same numbers as the command 'trialign report' and every other "
        "page, and the findings that people saved.",
    )
    found = noted(chosen.catalog, chosen.run, chosen.audit)
    whole = _verdict(chosen)
    _findings(chosen, found, person)
    st.header("The report", anchor=False)
    if not whole:
        states.nothing("There is no report of an audit whose files are damaged or missing, and nothing to sign.")
        return
    made = _report(chosen, found)
    sign_off(chosen, found, made, person)


def _verdict(chosen: Selection) -> bool:
    """The verdict, where the files that it and the report are made from are whole; otherwise why they are not."""
    try:
        check(chosen.catalog, chosen.audit)
        analysis = records.analysis(chosen.catalog, chosen.audit)
        labels = records.labels(chosen.catalog, chosen.run, chosen.audit)
    except UserError as error:
        states.fault(error, chosen.catalog.root)
        return False
    if analysis.verdict is not None and analysis.facts is not None:
        banner(analysis.verdict, analysis.facts, analysis, labels)
    return True


def _findings(chosen: Selection, found: Noted, person: access.Person) -> None:
    st.header("Findings", anchor=False)
    store = FindingStore(chosen.catalog.root)
    if not found.findings:
        states.nothing("Nothing was noted on this run yet. Ask a question on the page Compare and save what you see.")
        return
    for finding in reversed(found.findings):
        _finding(chosen, store, finding, person)


def _finding(chosen: Selection, store: FindingStore, finding: SavedFinding, person: access.Person) -> None:
    with st.container(border=True):
        if finding.deleted:
            who, when = finding.deleted
            draw(
                Markup(
                    '<p class="ta-small" dir="auto">Finding {} of {} ({}): its texts were deleted by {} on {}.</p>'
                ).format(finding.id, finding.user, moment(finding.time), who, moment(when))
            )
            return
        draw(_finding_markup(finding))
        with st.expander("Answers, comments and what is to become of it"):
            _evidence(finding)
            navigation.link("compare", "Ask this again", icon=":material/forum:", finding=str(finding.id))
            if person.may_write:
                _edit(chosen, store, finding, person)


def _evidence(finding: SavedFinding) -> None:
    """The answers of all agents, and whence they came."""
    rows = [
        {
            "Group": one.label,
            "Answer": one.text,
            "Agents": f"step {one.step}" if one.step else "before training",
            "Read as": one.canonical,
            "How likely each option was": " · ".join(
                f"{option} {100 * share:.0f} %"
                for option, share in zip(finding.options, one.probabilities or (), strict=False)
            ),
            "Told of who asks": one.profile,
            "Adapter": (one.adapter_sha256 or "")[:12],
        }
        for one in finding.answers
    ]
    # An earlier version kept less.
    head = [name for name in (rows[0] if rows else {}) if any(row[name] for row in rows)]
    table(f"Answers of finding {finding.id}", head, [[row[name] or "–" for name in head] for row in rows])


def _finding_markup(finding: SavedFinding) -> Markup:
    remarks = Markup("").join(
        Markup('<p dir="auto">{}</p><p class="ta-small"><bdi>{}</bdi>, {}: {}</p>').format(
            remark.comment, remark.user, moment(remark.time), remark.disposition
        )
        for remark in finding.remarks
    )
    manifest = f" · manifest {finding.checkpoint_sha256[:12]}" if finding.checkpoint_sha256 else ""
    return Markup(
        '<p class="ta-tag ta-plain" dir="auto">Finding {} · {} · {}</p><p class="ta-said" dir="auto">{}</p>{}'
        '<p class="ta-small">Agents {}{}</p>'
    ).format(
        finding.id,
        finding.disposition,
        f"audited question {finding.query_id}" if finding.query_id else "typed question",
        finding.question,
        remarks,
        asked_how(finding) or agents_of(finding),
        manifest,
    )


def _edit(chosen: Selection, store: FindingStore, finding: SavedFinding, person: access.Person) -> None:
    # A form of its own after each comment: what was typed goes when it is saved, and stays when it is refused.
    with st.form(f"remark-{finding.id}-{len(finding.remarks)}", enter_to_submit=False):
        comment = st.text_area("Comment")
        disposition = st.selectbox(
            "What is to become of it?",
            DISPOSITIONS,
            index=DISPOSITIONS.index(finding.disposition),
        )
        if st.form_submit_button("Add comment") and done(
            chosen, lambda: store.remark(finding.id, user=person.name, comment=comment or "", disposition=disposition)
        ):
            st.rerun()
    sure = st.checkbox("Delete its texts for good; who did so stays on record", key=f"sure-{finding.id}")
    if st.button("Delete", key=f"delete-{finding.id}", disabled=not sure, icon=":material/delete:") and done(
        chosen, lambda: store.delete(finding.id, user=person.name)
    ):
        st.rerun()


def _report(chosen: Selection, found: Noted) -> Made | None:
    """The report, made on demand and shown; None as long as it is not made of what is there now."""
    st.caption("It is about the audit that is chosen in the sidebar, with the findings on the same agents.")
    if st.button("Make the report", icon=":material/description:", type="primary"):
        with st.spinner("Making the report …"):
            st.session_state["report"] = made_report(chosen, found)
    made: Made | None = st.session_state.get("report")
    if made is None or (made.run, made.audit) != (chosen.run.id, chosen.audit.id):
        return None
    if made.basis != (found.reported, found.signed):
        st.caption("Findings, signatures or files changed since: make it again to take them in.")
        return None
    name = f"{made.run}.{made.audit}"
    left, right = st.columns(2)
    left.download_button("Download the report (HTML)", made.page, f"{name}.html", "text/html", width="stretch")
    right.download_button("Download everything (ZIP)", made.packed, f"{name}.zip", "application/zip", width="stretch")
    with st.expander("Read it here", expanded=True):
        # An address of its own kind gives the frame an origin of its own: whatever it held could not reach the app.
        st.iframe(f"data:text/html;base64,{base64.b64encode(made.page).decode()}", height=640, alt="The report")
    return made
