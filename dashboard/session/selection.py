"""Which run and which audit are shown: chosen in the sidebar, kept in the URL on every page."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from trialign.audit.report.decisions import STANDINGS, decided
from trialign.audit.report.format import moment
from trialign.errors import UserError

from ..components import states
from ..components.markup import isolated, plain
from ..reading import records
from ..reading.catalog import AuditEntry, Catalog, RunEntry, scan
from ..reading.overview import last_held_out
from . import under_way
from .integrity import noted
from .settings import Settings

_NAMED = 3  # runs that cannot be chosen


@dataclass(frozen=True)
class Selection:
    """What the pages show.

    Attributes:
        catalog: all runs.
        run: the chosen one.
        audit: one of its audits.
    """

    catalog: Catalog
    run: RunEntry
    audit: AuditEntry


def sidebar() -> None:
    """Draws the choice of run and audit; to be called once on every run of the app, outside the page."""
    catalog = scan(Settings.from_environment().runs)
    runs = {run.id: run for run in catalog.audited}
    with st.sidebar:
        if runs:
            run = runs.get(_choose("Run", "run", list(runs), _newest(catalog)) or "")
            if run:
                first = last_held_out(catalog, run).label
                label = _choose("Audit", "audit", [audit.label for audit in run.audits], first)
                for audit in run.audits:
                    if audit.label == label:
                        _about(catalog, audit)
                        under_way.in_the_sidebar(catalog, run)
                        _signature(catalog, run, audit)
        _not_shown(catalog)


def current() -> Selection:
    """The choice; where there is none, the page ends with a word on why.

    Returns:
        A run and one of its audits, both from the scan.
    """
    catalog = scan(Settings.from_environment().runs)
    if not catalog.audited:
        if catalog.runs:
            states.nothing("No run has a complete audit yet. The page Runs says how far each of them is.")
        else:
            states.no_runs(catalog.root)
        st.stop()
    run = next((run for run in catalog.audited if run.id == st.session_state.get("run")), None)
    if run is None:
        states.nothing("There is no run of this name here. Choose one in the sidebar.")
        st.stop()
    audit = next((audit for audit in run.audits if audit.label == st.session_state.get("audit")), None)
    if audit is None:
        states.nothing("This run has no such audit. Choose one in the sidebar.")
        st.stop()
    return Selection(catalog, run, audit)


def _about(catalog: Catalog, audit: AuditEntry) -> None:
    """The model that was audited, and when."""
    try:
        record, when = records.about(catalog, audit), records.finished(catalog, audit)
    except UserError:
        return  # the page says which file is damaged
    model = f"{record.base_model.called}, audited" if record else "Audited"
    st.caption(plain(f"{model} {moment(when)}"))


def _not_shown(catalog: Catalog) -> None:
    """The runs that cannot be chosen, and why; a few by name."""
    others = [entry for entry in catalog.runs if entry.fault]
    for entry in others[:_NAMED]:
        now = under_way.far(catalog, entry)
        sign, why = (":material/block:", entry.fault)
        if now.state == "training":
            sign, why = (":material/model_training:", f"{now.sentence}.")
        st.caption(f"{sign} {plain(entry.id)}: {plain(why)}")
    if len(others) > _NAMED:
        st.caption(f"{len(others) - _NAMED:,} more without an audit: see the page Runs.")


def _signature(catalog: Catalog, run: RunEntry, audit: AuditEntry) -> None:
    """Who signed the audit last, and whether that still holds; on every page."""
    try:
        found = noted(catalog, run, audit)
    except UserError:
        st.caption(":material/error: What was noted and signed cannot be read; the page Report says why.")
        return
    if found.signed:
        one, standing, note = found.signed[-1]
        sign, _ = decided(one.decision, standing)
        said = f"{sign} {one.decision} ({isolated(one.name)}): {STANDINGS[standing]}."
        st.caption(plain(said if standing == "holds" else f"{said} {note}"))


def _choose(label: str, key: str, options: list[str], default: str) -> str | None:
    """A choice that stands in the URL, the default too: a copied link must not show another run later."""
    if key not in st.query_params and st.session_state.get(key) not in options:
        st.session_state[key] = st.query_params[key] = default
    chosen: str | None = st.selectbox(label, options, index=None, key=key, bind="query-params", required=True)
    return chosen


def _newest(catalog: Catalog) -> str:
    """The last of the finished runs; of all runs where none is finished."""
    return max(catalog.audited, key=lambda run: (run.finished, run.folder.stat().st_mtime)).id
