"""The pairs of an audit's replies that people label, drawn once for everybody."""

from __future__ import annotations

import streamlit as st

from trialign.audit.figures.compared_replies import said_replies
from trialign.audit.figures.labelling import Queue, labelling_queue
from trialign.audit.files.labels import LabelStore
from trialign.runs import REPLIES

from . import records
from .catalog import AuditEntry, Catalog, RunEntry, file_within


def queue_of(catalog: Catalog, audit: AuditEntry) -> Queue | None:
    """The queue of an audit; None where it has no replies in words of two groups, or kept no questions.

    Raises:
        UserError: a file of the audit is damaged or missing.
    """
    if records.replies(catalog, audit) is None or not records.questions(catalog, audit):
        return None
    file = file_within(catalog.root, audit.folder / REPLIES)
    found: Queue | None = _queue(str(file), records.version(file), catalog, audit)
    return found if found and found.pairs else None


def store_of(catalog: Catalog, run: RunEntry, audit: AuditEntry) -> LabelStore:
    """Where the labels of an audit's replies are kept.

    Raises:
        UserError: the replies are missing, or a link out of the root.
    """
    digest = records.digest(file_within(catalog.root, audit.folder / REPLIES))
    return LabelStore(catalog.root, run.id, audit.id, digest)


@st.cache_resource(max_entries=16, show_spinner="Drawing pairs of replies …")
def _queue(file: str, version: tuple[int, ...], _catalog: Catalog, _audit: AuditEntry) -> Queue | None:
    summary, rows = records.summary(_catalog, _audit), records.replies(_catalog, _audit)
    assert rows is not None
    replies = said_replies(rows, summary["groups"], summary["exposure"])
    if replies is None:
        return None
    seed = records.analysis(_catalog, _audit).seed
    return labelling_queue(records.questions(_catalog, _audit), replies, seed)
