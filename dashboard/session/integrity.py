"""Whether the files of an audit are those that it wrote, and whether its signatures still are about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from trialign.audit.files.findings import FindingStore, SavedFinding, SavedSignOff
from trialign.audit.files.integrity import not_verifiable
from trialign.audit.report.noted import noted_findings
from trialign.audit.report.signing import standing_of
from trialign.audit.report.types import Finding, Standing
from trialign.errors import UserError

from ..components.markup import plain
from ..reading import records
from ..reading.catalog import AuditEntry, Catalog, RunEntry, file_within


@dataclass(frozen=True)
class Noted:
    """What people noted and signed on one audit.

    Attributes:
        findings: on the run, those on other agents and deleted ones too.
        reported: as a report of this audit holds them.
        signed: the signatures of this audit, the oldest first, each with whether it still holds, in a word and in a
            sentence.
    """

    findings: tuple[SavedFinding, ...]
    reported: tuple[Finding, ...]
    signed: tuple[tuple[SavedSignOff, Standing, str], ...]

    @property
    def sign_offs(self) -> tuple[SavedSignOff, ...]:
        """The signatures alone."""
        return tuple(signed for signed, _, _ in self.signed)


def check(catalog: Catalog, *audits: AuditEntry) -> None:
    """Verifies every file of the audits that a page judges from; says so where there is nothing to verify it by.

    Raises:
        UserError: a file is missing, another than the audit wrote, or a link out of the root.
    """
    for audit in audits:
        said = not_verifiable(records.unverified(catalog, audit))
        if said:
            where = f"{audit.label}: " if len(audits) > 1 else ""
            st.warning(plain(f"{where}{said}"), icon=":material/gpp_maybe:")


def noted(catalog: Catalog, run: RunEntry, audit: AuditEntry) -> Noted:
    """The findings and signatures of an audit, and whether these still hold.

    Raises:
        UserError: the file of the findings is damaged.
    """
    store = FindingStore(catalog.root)
    findings = store.findings(run.id)
    reported = noted_findings(findings, audit.step)
    signed = store.sign_offs(run.id, audit.id)

    def digest(path: str) -> str | None:
        try:
            return records.digest(file_within(catalog.root, Path(catalog.root, path)))
        except UserError:  # gone, or behind a link
            return None

    return Noted(findings, tuple(reported), tuple((one, *standing_of(one, reported, digest)) for one in signed))
