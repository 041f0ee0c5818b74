"""``trialign compare``: several runs in one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from trialign.audit.files.folders import find_audit
from trialign.audit.report.run_comparison import compare_runs
from trialign.audit.report.run_tables import terminal_table, verdict_lines, write_comparison
from trialign.errors import UserError
from trialign.safe_output import literal


def compare(runs: Sequence[Path], output: Path | None) -> None:
    """Prints the last audits of some runs side by side, and writes them where a folder is given.

    Args:
        runs: runs' folders, or single audits; the others are held against the first.
        output: the folder to write to.

    Raises:
        UserError: fewer than two, one without an audit, or audits of different questions.
    """
    if len(runs) < 2:
        raise UserError("One run alone cannot be compared", "Name two runs or more")
    first = find_audit(runs[0])
    comparison = compare_runs([first, *(find_audit(run, like=first) for run in runs[1:])])
    console = Console()
    console.print(terminal_table(comparison))
    if comparison.words:
        console.print(terminal_table(comparison.words, way="In words: "))
    for line in verdict_lines(comparison):
        console.print(literal(line))
    if output:
        for path in write_comparison(comparison, output):
            console.print(f"Written: {path}", markup=False, highlight=False, soft_wrap=True)
