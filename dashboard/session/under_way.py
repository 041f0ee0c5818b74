"""That a run is still being trained: said in the sidebar and on its pages, and looked up again every few seconds."""

from __future__ import annotations

import streamlit as st

from trialign.errors import UserError
from trialign.runs import RunFolder

from ..components.markup import plain
from ..reading.catalog import Catalog, RunEntry
from ..reading.overview import configuration
from ..reading.progress import Progress, progress

EVERY = 10  # seconds


def far(catalog: Catalog, run: RunEntry) -> Progress:
    """How far a run is, whatever its configuration."""
    try:
        return progress(catalog, run, configuration(catalog, run))
    except UserError:
        return progress(catalog, run, {})


def on_the_page(catalog: Catalog, run: RunEntry) -> None:
    """Says that a run is being trained, and how far it is; nothing of any other."""
    if not RunFolder(run.folder).in_training:
        return

    @st.fragment(run_every=EVERY)
    def said() -> None:
        now = far(catalog, run)
        if now.state == "training":
            st.info(
                plain(f"This run is {now.sentence}. Shown is what was audited so far; nothing of it can be signed."),
                icon=":material/model_training:",
            )
        else:
            st.info(plain("This run was being trained. Load the page again."), icon=":material/refresh:")

    said()


def in_the_sidebar(catalog: Catalog, run: RunEntry) -> None:
    """The same of the chosen run, in short, with a bar where its share is known."""
    if not RunFolder(run.folder).in_training:
        return

    @st.fragment(run_every=EVERY)
    def said() -> None:
        now = far(catalog, run)
        words = f"{now.sentence[:1].upper()}{now.sentence[1:]}"
        if now.share is None:
            st.caption(plain(words))
        else:
            st.progress(now.share, text=plain(words))

    said()
