"""``trialign gate``: is an audit good enough to be released?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from rich.console import Console

from trialign.api.gates import gate as hold
from trialign.audit.rules.formats import FORMATS, Format, write_gate
from trialign.audit.rules.result import GateResult
from trialign.audit.rules.terminal import gate_table
from trialign.errors import UserError
from trialign.safe_output import literal


def gate(
    run: Path,
    against: Path | None,
    config: Path | None,
    overrides: Sequence[str],
    form: str,
    output: Path | None,
) -> int:
    """Holds an audit to its rules and says what came of each.

    Args:
        run: a run's folder, or one of its audits.
        against: the baseline; None: rules on this audit alone.
        config: a YAML file of the rules.
        overrides: ``key=value``.
        form: what is printed: ``text``, or one of ``formats.FORMATS``.
        output: a folder for JSON, JUnit XML, Markdown and SARIF.

    Returns:
        0 the gate is passed, 3 it is not, 4 the facts are too few to tell.

    Raises:
        UserError: see `trialign.api.gates.gate`.
    """
    found = hold(run, against, config=config, overrides=overrides)
    written = _written(found, output) if output else []
    if form != "text":
        sys.stdout.write(FORMATS[cast(Format, form)](found))
        return found.exit_code
    console = Console()
    console.print(gate_table(found))
    for line in (*found.notes, found.sentence):
        console.print(literal(line))
    for path in written:
        console.print(f"Written: {path}", markup=False, highlight=False, soft_wrap=True)
    return found.exit_code


def _written(found: GateResult, folder: Path) -> list[Path]:
    try:
        return write_gate(found, folder)
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise UserError(f"The folder {folder} cannot be written to", "Name another one: --output FOLDER") from error
