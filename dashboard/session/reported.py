"""The report of an audit as it is read, taken away and signed."""

from __future__ import annotations

import io
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from trialign.audit.files.findings import Binding, SavedSignOff
from trialign.audit.files.folders import audit_folder
from trialign.audit.report import Finding, Report, build_report, write_report
from trialign.audit.report.noted import sign_off_of
from trialign.audit.report.signing import binding_of
from trialign.audit.report.types import Standing

from ..reading.catalog import file_within
from .integrity import Noted
from .selection import Selection


@dataclass(frozen=True)
class Made:
    """A report ready to be read, taken away and signed.

    Attributes:
        run: id of the run.
        audit: id of the audit.
        basis: the findings and signatures that it was made from.
        binding: what somebody who signs it signs.
        verdict: its sentence; empty without one.
        page: ``report.html``.
        packed: all of its files, as ZIP.
    """

    run: str
    audit: str
    basis: tuple[tuple[Finding, ...], tuple[tuple[SavedSignOff, Standing, str], ...]]
    binding: Binding
    verdict: str
    page: bytes
    packed: bytes


def report_of(chosen: Selection, found: Noted) -> Report:
    """The report of the chosen audit without a signature; every file that it is made from is verified anew.

    Raises:
        UserError: a file of the audit is missing, damaged, changed or a link out of the root.
    """
    for audit in chosen.run.audits:
        if (audit.data, audit.split) == (chosen.audit.data, chosen.audit.split) and audit.step in (
            0,
            chosen.audit.step,
        ):
            for file in audit.folder.iterdir():
                file_within(chosen.catalog.root, file)
    return build_report(audit_folder(chosen.audit.folder).path, None, found.reported)


def made_report(chosen: Selection, found: Noted) -> Made:
    """The report with the last signature, in all its forms.

    Raises:
        UserError: as for `report_of`.
    """
    unsigned = report_of(chosen, found)
    report = replace(unsigned, sign_off=sign_off_of(*found.signed[-1]) if found.signed else None)
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in write_report(report, Path(folder)):
            archive.write(file, file.relative_to(folder))
        page = (Path(folder) / "report.html").read_bytes()
    basis = (found.reported, found.signed)
    verdict = report.audit.analysis.verdict
    said = verdict.sentence if verdict else ""
    return Made(chosen.run.id, chosen.audit.id, basis, binding_of(unsigned), said, page, packed.getvalue())
