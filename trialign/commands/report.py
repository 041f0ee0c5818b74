"""``trialign report``: the audit report for signing."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from trialign.audit.files.findings import FindingStore, SavedSignOff
from trialign.audit.files.folders import find_audit
from trialign.audit.files.integrity import not_verifiable
from trialign.audit.report import Finding, build_report, write_report
from trialign.audit.report.decisions import STANDINGS
from trialign.audit.report.format import moment
from trialign.audit.report.lm_eval import write_samples
from trialign.audit.report.noted import last_sign_off, noted_findings
from trialign.audit.report.signing import files_below, standing_of, verification
from trialign.audit.report.terminal import replies_table, verdict_text
from trialign.errors import UnfinishedError, UserError
from trialign.runs import AuditFolder, RunFolder
from trialign.safe_output import literal


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
    noted, sign_offs = _noted(audit)
    signed = last_sign_off(sign_offs, noted, files_below(audit.run.parent))
    made = build_report(audit.path, earlier, noted, signed)
    try:
        written = write_report(made, folder)
    except PermissionError as error:
        raise UserError(f"The folder {folder} cannot be written to", "Name another one: --output FOLDER") from error
    console = Console()
    console.print(verdict_text("Verdict", made.audit.analysis))
    replies = replies_table(made.audit.analysis)
    if replies:
        console.print(replies)
    if made.audit.unverified:
        console.print(literal(not_verifiable(made.audit.unverified)))
    if noted or signed:
        said = (
            f"{STANDINGS[signed.standing]}: {signed.decision} ({signed.name}). {signed.note}" if signed else "unsigned"
        )
        console.print(literal(f"Of the dashboard: {len(noted)} finding(s); {said}"))
    console.print(f"Report: {written[0]}", markup=False, highlight=False, soft_wrap=True)


def samples(run: Path, *, against: Path | None, step: int | None, output: Path | None) -> None:
    """Writes the answers of one audit as sample logs of lm-evaluation-harness, a task for each agent.

    Args:
        run: a run's folder, or one of its audits.
        against: None: samples are of one audit alone.
        step: which audit of the run; None: the last.
        output: the folder to write to; None: ``lm-eval/`` beside the audit's report.

    Raises:
        UserError: there is no such audit, it does not hold what it asked, or another is named beside it.
    """
    if against is not None:
        raise UserError("--format lm-eval writes the answers of one audit", "Leave --against out")
    audit = find_audit(run, step=step)
    folder = output or RunFolder(audit.run).report(audit.path) / "lm-eval"
    try:
        written = write_samples(audit, folder)
    except PermissionError as error:
        raise UserError(f"The folder {folder} cannot be written to", "Name another one: --output FOLDER") from error
    print(f"{len(written)} sample logs: {folder}")


def verify(run: Path, *, step: int | None) -> None:
    """Makes the report of one audit again, writes nothing, and says whether its signatures are about these bytes.

    Args:
        run: a run's folder, or one of its audits.
        step: which audit of the run; None: the last.

    Raises:
        UserError: there is no such audit or no signature on it, or a file of the audit is missing or damaged.
        UnfinishedError: the last signature is not about these bytes.
    """
    audit = find_audit(run, step=step)
    noted, sign_offs = _noted(audit)
    if not sign_offs:
        raise UserError(f"Nobody has signed the audit {audit.path}", "Sign it in the dashboard, on the page Report")
    files, made = files_below(audit.run.parent), build_report(audit.path, None, noted)
    console = Console()
    for signed in sign_offs:
        standing, note = verification(signed, standing_of(signed, noted, files), made)
        console.print(
            literal(f"{moment(signed.time)}, {signed.name}: {signed.decision}. {STANDINGS[standing]}: {note}")
        )
    if standing != "holds":
        raise UnfinishedError("The last signature is not about this audit as it is now", "Read it and sign it anew")


def _noted(audit: AuditFolder) -> tuple[list[Finding], tuple[SavedSignOff, ...]]:
    """The findings on the audit's agents, and its signatures."""
    store = FindingStore(audit.run.parent)
    noted = noted_findings(store.findings(audit.run.name), audit.step)
    return noted, store.sign_offs(audit.run.name, audit.path.name)
