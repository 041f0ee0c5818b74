"""``trialign calibrate``: how often what compares replies is right, on labelled pairs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from trialign.api.session import Session
from trialign.comparing.calibration import Calibration, Share, labelled_pairs, measure
from trialign.comparing.compare import compare
from trialign.comparing.opening import calibration_file, identity, open_steps
from trialign.errors import UserError
from trialign.safe_output import literal


def calibrate(session: Session, pairs: Path | None, write: Path | None) -> None:
    """Measures the comparer of a configuration's audits, and writes the file that ``audit.calibration`` names.

    Args:
        session: with ``audit.comparer``, ``audit.nli`` and ``audit.judge``.
        pairs: labelled pairs, see `trialign.comparing.calibration.labelled_pairs`; None: those of the package.
        write: the file; None: where the configuration's audits look for it.

    Raises:
        UserError: the pairs, a model or an address are at fault, or nothing says where to write.
    """
    audit = session.config.audit
    target = write or calibration_file(audit.comparer, audit.nli, audit.calibration)
    if target is None and audit.comparer != "canonical":
        raise UserError(
            f"Nothing says where to write what is measured of audit.comparer={audit.comparer}", "Name it: --write FILE"
        )
    labelled, sha256 = labelled_pairs(pairs)
    nli, judge = open_steps(audit.comparer, audit.nli, audit.judge, session.runs / ".answers" / "judge.jsonl")
    found = measure(labelled, partial(compare, nli=nli, judge=judge), identity(nli, judge), sha256)
    console = Console()
    questions = len({one.pair.query.query_id for one in labelled})
    console.print(_table(found, f"{len(labelled):,} labelled pairs of {questions:,} questions"))
    if not found.usable:
        console.print("It was not shown to be better than chance: nothing is corrected for its errors.")
    if target is None:
        return
    try:
        found.write(target)
    except (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise UserError(f"The file {target} cannot be written", "Name another one: --write FILE") from error
    console.print(f"Written: {target}", markup=False, highlight=False, soft_wrap=True)


def _table(found: Calibration, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("", "share", "95 % interval", "worth so many pairs"):
        table.add_column(name)
    rows = {
        "sensitivity (another fact, and not called the same)": found.sensitivity,
        "specificity (the same fact, and called the same)": found.specificity,
        "decided": found.decided,
        **found.by_sort,
    }
    for name, share in rows.items():
        table.add_row(literal(name), *_words(share))
    return table


def _words(share: Share) -> tuple[str, str, str]:
    low, high = share.interval()
    return f"{100 * share.value:.1f} %", f"{100 * low:.1f} to {100 * high:.1f} %", f"{share.of:,.0f}"
