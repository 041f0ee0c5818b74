"""What a checkpoint's own audit holds against its replies in words."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from trialign.audit.figures.analysis import AuditAnalysis
from trialign.audit.figures.noticed import trait_changes
from trialign.audit.figures.suffering import suffering
from trialign.runs import REPLIES

from . import records
from .catalog import AuditEntry, Catalog, RunEntry

_SPLITS = ("test", "validation", "train")


def suffers(catalog: Catalog, run: RunEntry, step: int, chosen: AuditEntry) -> tuple[AuditEntry, str] | None:
    """The audit of a step that asked in words, and what it says against the replies; None where there is nothing.

    Args:
        catalog: all runs.
        run: one of them.
        step: of the agents; 0 for the base model.
        chosen: the audit that is shown, which goes before others of the step.

    Raises:
        UserError: a file of the audit is damaged.
    """
    of_step = [audit for audit in run.audits if audit.step == step]
    for audit in sorted(of_step, key=lambda one: (one != chosen, _SPLITS.index(one.split))):
        replies = records.replies(catalog, audit)  # first: an older audit has no analysis to read
        words = records.analysis(catalog, audit).replies if replies is not None else None
        if replies is None or words is None:
            continue
        base = _base(run, audit) if step else None
        before = records.replies(catalog, base) if base is not None else None
        beside = records.analysis(catalog, base).replies if base is not None and before is not None else None
        frames = None if before is None else (before, replies)
        said: str = _said(records.version(audit.folder / REPLIES), words, beside, frames)
        return (audit, said) if said else None
    return None


def _base(run: RunEntry, audit: AuditEntry) -> AuditEntry | None:
    """The audit of the base model on the same questions."""
    return next((one for one in run.audits if (one.step, one.data, one.split) == (0, audit.data, audit.split)), None)


@st.cache_resource(max_entries=32, show_spinner=False)
def _said(
    version: tuple[int, ...],
    _words: AuditAnalysis,
    _base: AuditAnalysis | None,
    _frames: tuple[pd.DataFrame, pd.DataFrame] | None,
) -> str:
    if _frames is None:
        return suffering(_words, _base, ())
    before, after = _frames
    confidence = 1 - _words.bounds.alpha
    traits = trait_changes(before, after, _words.groups, exposure=_words.exposure, confidence=confidence)
    return suffering(_words, _base, traits)
