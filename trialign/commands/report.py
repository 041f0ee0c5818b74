"""``trialign report``: the audit report for signing."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from trialign.audit.files.findings import FindingStore
from trialign.audit.files.folders import find_audit
from trialign.audit.report import build_report, write_report
from trialign.audit.report.noted import last_sign_off, noted_findings
from trialign.audit.report.terminal import replies_table, verdict_text
from trialign.runs import RunFolder


def report(run: Path, *, against: Path | None, step: int | None, output: Path | None) -> None:
    """Writes the report of one audit of a run, with what was noted and signed on it in the dashboard.

    Args:
        run: a run's folder, or one of its audits.
        against: another run or audit of the same questions; None: the run's own base model, where it was audited.
        step: which audit of the run; None: the last.
        output: the folder to write to; None: ``reports/`` of the run.

    Raises:
        UserError: there is no such audit, or the two asked different questions.
    """
    audit = find_audit(run, step=step)
    earlier = find_audit(against, like=audit).path if against else None
    folder = output or RunFolder(audit.run).report(audit.path)
    store = FindingStore(audit.run.parent)
    noted = noted_findings(store.findings(audit.run.name), audit.step)
    signed = last_sign_off(store.sign_offs(audit.run.name, audit.path.name))
    made = build_report(audit.path, earlier, noted, signed)
    written = write_report(made, folder)
    console = Console()
    console.print(verdict_text("Verdict", made.audit.analysis))
    replies = replies_table(made.audit.analysis)
    if replies:
        console.print(replies)
    if noted or signed:
        console.print(f"Of the dashboard: {len(noted)} finding(s), {'signed' if signed else 'not signed'}.")
    console.print(f"Report: {written[0]}", markup=False, highlight=False, soft_wrap=True)
