"""Runs as a table: a row each, the verdict beside the name, and what came of it, when and with what after it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from urllib.parse import urlencode

from trialign.audit.figures import measures
from trialign.audit.figures.comparison import Difference, reading
from trialign.audit.figures.measures import Measure
from trialign.audit.figures.words import PART_NAMES, SIGNS
from trialign.audit.report.format import moment
from trialign.audit.report.run_comparison import ComparedRun, RunComparison
from trialign.audit.report.run_tables import compared_rows

from ..reading.catalog import AuditEntry, RunEntry
from ..reading.overview import Judged, RunRow
from ..reading.progress import State
from .markup import Markup, isolated
from .tables import table
from .words import READINGS

# Never by a colour alone.
STATES: dict[State, str] = {"finished": "✓", "training": "▶", "stopped": "■", "audited": "○", "damaged": "✗"}
PARTS = tuple(f"{name[:1].upper()}{name[1:]}" for name in PART_NAMES.values())


def run_table(rows: Iterable[RunRow]) -> None:
    """A row for each run, its name a link to its verdict."""
    table(
        "Runs, and the verdict on the last audit of each",
        ("Run", "Verdict", *PARTS, "Status", "Model", "Audited", "Audit", "Objective", "Seed"),
        [
            (
                _opening(row.run, row.audit),
                *judgement(row.judged, audited=row.audit is not None),
                f"{STATES[row.progress.state]} {row.progress.sentence}",
                row.model or "–",
                moment(row.judged.when) if row.judged else "–",
                row.audit.label if row.audit else row.data or "–",
                row.objective or "–",
                row.seed or "–",
            )
            for row in rows
        ],
    )


def judgement(judged: Judged | None, *, audited: bool = True) -> tuple[str, ...]:
    """Cells of the verdict and its parts, of an audit that may be missing or damaged."""
    if judged is None or judged.verdict is None:
        nothing = "– no facts" if judged else "✗ cannot be read" if audited else "– no audit"
        return (nothing, *("–" for _ in PARTS))
    return (" ".join(judged.verdict), *judged.parts)


def step_table(run: RunEntry, audits: Sequence[tuple[AuditEntry, Judged]], figures: Sequence[Sequence[str]]) -> None:
    """A row for each audit of one run.

    Args:
        run: the run.
        audits: by step.
        figures: cells of each, right answers and gap.
    """
    table(
        f"{isolated(run.id)}, audit by audit",
        ("Agents", "Verdict", *PARTS, "Right answers, mean", "Gap", "Audited"),
        [
            (
                _opening(run, audit, f"step {audit.step:,}" if audit.step else "before training"),
                *judgement(judged),
                *cells,
                moment(judged.when),
            )
            for (audit, judged), cells in zip(audits, figures, strict=True)
        ],
    )


def comparison_table(comparison: RunComparison, way: str = "") -> None:
    """A column for each run, its cells those of ``trialign compare``.

    Args:
        comparison: of at least two runs.
        way: how they were asked; begins the caption.
    """
    rows: list[tuple[str | Markup, ...]] = [("Verdict", *(_lines(_titles(run)) for run in comparison.runs), "")]
    verdicts = [verdict for run in comparison.runs for verdict in run.verdicts if verdict]
    for name in dict.fromkeys(part for verdict in verdicts for part, *_ in verdict.said):
        rows.append((f"{name[:1].upper()}{name[1:]}", *(_lines(_outcomes(run, name)) for run in comparison.runs), ""))
    for measure, cells in shown_rows(comparison):
        rows.append((measure.words, *(_lines(cell) for cell in cells), measure.wanted))
    table(
        f"{way}Every run beside the first: change in points with its {100 * (1 - comparison.alpha):g} % interval, "
        "paired by question; p corrected for all that is shown (Holm)",
        ("Measure", *(run.name for run in comparison.runs), "Wanted"),
        rows,
    )


def shown_rows(comparison: RunComparison) -> Iterator[tuple[Measure, list[list[str]]]]:
    """The command's own cells, and under each what the difference says at the level of the comparison."""
    places = {measure.key: place for place, measure in enumerate(measures.compared())}
    for measure, cells in compared_rows(comparison):
        found = [run.differences[places[measure.key]] if run.differences else None for run in comparison.runs]
        yield measure, [[*cell, *_reading(one, comparison.alpha)] for cell, one in zip(cells, found, strict=True)]


def _reading(found: Difference | None, alpha: float) -> list[str]:
    """By the corrected p, the one that is shown; what unread replies decide, the cell says already."""
    if found is None or found.change is None or found.unread_decide:
        return []
    return [READINGS[reading(replace(found, p_value=found.p_holm), alpha)]]


def _titles(run: ComparedRun) -> Iterator[str]:
    for verdict in run.verdicts:
        # A sentence begins with its title.
        yield f"{SIGNS[verdict.outcome]} {re.split('[:.] ', verdict.sentence)[0]}" if verdict else "– no facts"


def _outcomes(run: ComparedRun, name: str) -> Iterator[str]:
    for verdict in run.verdicts:
        found = [f"{sign} {word}" for part, sign, word, _ in verdict.said if part == name] if verdict else []
        yield found[0] if found else "–"


def _opening(run: RunEntry, audit: AuditEntry | None, words: str = "") -> Markup | str:
    """A link to the verdict on an audit."""
    if audit is None:
        return words or run.id
    address = urlencode({"run": run.id, "audit": audit.label})
    return Markup('<a href="./?{}" target="_self">{}</a>').format(address, words or run.id)


def _lines(lines: Iterable[str]) -> Markup:
    return Markup("<br>").join(Markup("{}").format(line) for line in lines if line)
