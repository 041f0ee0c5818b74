"""What an audit and a fit leave behind, read from disk when a part is first needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from trialign.audit.figures.analysis import AuditAnalysis, read_analysis
from trialign.audit.figures.comparison import Change, Difference, intervals, paired
from trialign.audit.figures.noticed import TraitChange, trait_changes
from trialign.audit.figures.summary import read_summary
from trialign.audit.files.items import read_items
from trialign.errors import UserError
from trialign.runs import ANALYSIS, ITEMS, REPLIES, SUMMARY


@dataclass(frozen=True)
class Audit:
    """One finished audit on disk.

    Attributes:
        folder: where its files are.
    """

    folder: Path

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Every measure by its key, as summary.json holds it.

        Raises:
            UserError: the file is missing or torn.
        """
        return read_summary(self.folder / SUMMARY)

    @cached_property
    def analysis(self) -> AuditAnalysis | None:
        """Intervals, pairs and the verdict; None for an audit made before there were analyses.

        Raises:
            UserError: the file is torn.
        """
        file = self.folder / ANALYSIS
        return read_analysis(file) if file.is_file() else None

    @cached_property
    def items(self) -> pd.DataFrame:
        """One row for every answer (docs/data.md names the columns).

        Raises:
            UserError: the file is missing or torn.
        """
        return read_items(self.folder / ITEMS)

    @cached_property
    def replies(self) -> pd.DataFrame | None:
        """One row for every answer in words; None where the audit asked for none.

        Raises:
            UserError: the file is missing or torn.
        """
        return read_items(self.folder / REPLIES) if self.summary.get("replies") else None

    @property
    def verdict(self) -> str | None:
        """What the audit says of the groups' facts, in a sentence; None where it can say nothing."""
        return self.analysis.verdict.sentence if self.analysis and self.analysis.verdict else None

    @property
    def confidence(self) -> float:
        """Of the intervals: 1 - ``audit.alpha``, 0.95 for an audit made before there were analyses."""
        return 1 - self.analysis.bounds.alpha if self.analysis else 0.95

    def differences_from(self, earlier: Audit) -> tuple[Difference, ...]:
        """What changed since another audit of the same questions, measure by measure, at this one's confidence.

        Raises:
            UserError: the audits asked different questions.
        """
        groups, exposure = self.summary["groups"], self.summary["exposure"]
        return paired(earlier.items, self.items, groups, exposure, confidence=self.confidence)

    def words_differences_from(self, earlier: Audit) -> tuple[tuple[Difference, ...], tuple[TraitChange, ...]] | None:
        """The same of the answers in words, and what a reader would notice of them.

        None where one of them has none, or they asked other questions in words.
        """
        before, after = earlier.replies, self.replies
        if before is None or after is None or set(before["query_id"]) != set(after["query_id"]):
            return None
        groups, exposure = self.summary["groups"], self.summary["exposure"]
        found = paired(before, after, groups, exposure, confidence=self.confidence)
        return found, trait_changes(before, after, groups, exposure=exposure, confidence=self.confidence)

    def changes_from(self, earlier: Audit) -> dict[str, Change]:
        """The same as intervals.

        Returns:
            Key of each measure that is defined -> (change, lower and upper end of its interval).

        Raises:
            UserError: the audits asked different questions.
        """
        return intervals(self.differences_from(earlier))


@dataclass(frozen=True)
class Fitted:
    """A finished run.

    Attributes:
        folder: of the run.
        audits: of the base model and of the trained agents, on the held-out questions; None where the fit made none
            (``trainer.audits=false``).
        agents: folder with an adapter for each group; None for an objective that trains nothing.
    """

    folder: Path
    audits: tuple[Audit, Audit] | None
    agents: Path | None

    @property
    def before(self) -> Audit:
        """The audit of the base model.

        Raises:
            UserError: there is none.
        """
        return self._audits()[0]

    @property
    def after(self) -> Audit:
        """The audit of the trained agents.

        Raises:
            UserError: there is none.
        """
        return self._audits()[1]

    def _audits(self) -> tuple[Audit, Audit]:
        if self.audits is None:
            raise UserError(
                f"The run {self.folder} was trained without audits (trainer.audits=false)",
                f"Audit its agents with 'trialign test --run {self.folder}', or behind a server",
            )
        return self.audits

    @cached_property
    def changes(self) -> dict[str, Change]:
        """What training changed: measure -> (change, lower and upper end of its interval)."""
        return self.after.changes_from(self.before)
