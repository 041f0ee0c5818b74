"""An audit on disk as the rules look at it: the same questions by scored options and, where there are any, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from trialign.audit.figures.analysis import AuditAnalysis, read_analysis
from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.opinions import OpinionPanel, opinion_panel
from trialign.audit.figures.panel import Panel, fact_panel
from trialign.audit.figures.rows import FACTS, own_answers
from trialign.audit.figures.summary import read_summary
from trialign.audit.files.integrity import not_verifiable, unverified
from trialign.audit.files.items import read_items
from trialign.audit.files.record import AuditAbout, read_about, read_asked
from trialign.audit.rules.config import Way
from trialign.groups import Exposure
from trialign.queries.askable import needs_options
from trialign.queries.types import Query
from trialign.runs import ANALYSIS, ITEMS, REPLIES, SUMMARY, AuditFolder


@dataclass(frozen=True)
class Side:
    """The members' answers in one of the ways.

    Attributes:
        analysis: of these answers, as the audit wrote it.
        facts: None without facts.
        tastes: None without questions of taste.
        rows: every answer of a member to a fact, given alone: all wordings and repeats.
        compared: what a comparer found of replies in words (``replies.compared`` of the summary); None where none did.
    """

    analysis: AuditAnalysis
    facts: Panel | None
    tastes: OpinionPanel | None
    rows: pd.DataFrame
    compared: Mapping[str, Any] | None = None

    @property
    def bounds(self) -> Bounds:
        """Set before the audit."""
        return self.analysis.bounds


@dataclass(frozen=True)
class Audited:
    """A whole audit.

    Attributes:
        folder: where it lies.
        summary: its ``summary.json``.
        about: the system under audit; None where the audit holds no record of it.
        asked: query id -> question; empty where it holds no record of them.
        sides: the ways in which it answered.
        note: which files could not be verified, a sentence; empty where all were.
    """

    folder: AuditFolder
    summary: Mapping[str, Any]
    about: AuditAbout | None
    asked: Mapping[str, Query]
    sides: Mapping[Way, Side]
    note: str

    @property
    def analysis(self) -> AuditAnalysis:
        """Of the scored options, or of the only answers that there are."""
        return self.sides["scores"].analysis

    @property
    def place(self) -> str:
        """The audit's folder, from the folder of runs on."""
        return self.folder.path.relative_to(self.folder.run.parent).as_posix()


def read_audit(folder: AuditFolder) -> Audited:
    """Reads an audit, and verifies its files by the hashes that it kept.

    Raises:
        UserError: a file is missing, damaged, or not the one that the audit wrote.
    """
    path = folder.path
    summary = read_summary(path / SUMMARY)
    note = not_verifiable(unverified(path, summary))
    analysis, asked = read_analysis(path / ANALYSIS), read_asked(path)
    sides: dict[Way, Side] = {"scores": _side(analysis, path / ITEMS, _choices(asked, in_words=False))}
    if analysis.replies:
        words = _side(analysis.replies, path / REPLIES, _choices(asked, in_words=True))
        sides["words"] = replace(words, compared=(summary.get("replies") or {}).get("compared"))
    return Audited(folder, summary, read_about(path), asked, sides, note)


def _choices(asked: Mapping[str, Query], *, in_words: bool) -> dict[str, int] | None:
    """Query id -> options to choose from, as the audit counts them."""
    if not asked:
        return None
    return {name: 0 if in_words and not needs_options(query) else len(query.options) for name, query in asked.items()}


def _side(analysis: AuditAnalysis, path: Path, choices: Mapping[str, int] | None) -> Side:
    items = read_items(path)
    return side_of(analysis, items[items["split"] == analysis.split], choices)


def side_of(analysis: AuditAnalysis, items: pd.DataFrame, choices: Mapping[str, int] | None) -> Side:
    """One way's answers from the rows of an audit.

    Args:
        analysis: of these rows.
        items: as ``read_items`` gives them.
        choices: query id -> options to choose from; None: known where options were scored.
    """
    groups, exposure = analysis.groups, analysis.exposure
    return Side(
        analysis=analysis,
        facts=fact_panel(items, groups, exposure, choices),
        tastes=opinion_panel(items, groups, exposure),
        rows=_members(items, groups, exposure),
    )


def _members(items: pd.DataFrame, groups: tuple[str, ...], exposure: Exposure) -> pd.DataFrame:
    rows = own_answers(items, FACTS, exposure)
    return rows[rows["group"].isin(groups)]
