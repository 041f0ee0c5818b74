"""A comparison of runs for the terminal, and as CSV, JSON, Markdown and SVG."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.table import Table as TerminalTable

from trialign.audit.figures import measures
from trialign.audit.figures.comparison import Difference
from trialign.audit.figures.measures import Measure
from trialign.audit.figures.replies import in_words
from trialign.audit.report.card import markdown_table
from trialign.audit.report.columns import Column, Table
from trialign.audit.report.format import UNDEFINED, formatted, measured
from trialign.audit.report.html import environment
from trialign.audit.report.pareto import pareto_plot
from trialign.audit.report.run_comparison import ComparedRun, ComparedVerdict, RunComparison
from trialign.safe_output import csv_text, json_text, literal, markdown_cell
from trialign.storage import write_text_atomic


def terminal_table(comparison: RunComparison, way: str = "") -> TerminalTable:
    """One row a measure, one column a run; ``way`` begins the title."""
    table = TerminalTable(
        title=literal(f"{way}{_title(comparison)}"), title_justify="left", show_lines=len(comparison.runs) > 1
    )
    table.add_column("")
    for run in comparison.runs:
        table.add_column(literal(run.name), justify="right", overflow="fold")
    table.add_column("wanted")
    for measure, cells in compared_rows(comparison):
        table.add_row(measure.label, *("\n".join(cell) for cell in cells), measure.wanted)
    return table


def verdict_lines(comparison: RunComparison) -> list[str]:
    """What each audit says of its groups, its parts, and replies without an answer; first what forbids comparing."""
    noted = [comparison.note] if comparison.note else []
    return noted + [
        line
        for run in comparison.runs
        for audit, verdict in zip(run.audits, run.verdicts, strict=True)
        if verdict
        for line in _said(audit, verdict)
    ]


def _said(audit: str, verdict: ComparedVerdict) -> Iterator[str]:
    yield f"{audit}: {verdict.sentence}"
    for name, sign, outcome, sentence in verdict.said:
        yield f"  {sign} {name}, {outcome}: {sentence}"
    unread = {group: one for group, one in verdict.replies.items() if one.unread}
    for group, one in unread.items():
        yield (
            f"  {group}: {in_words(one)}; right at least {100 * one.right_at_least:.1f} %, at most "
            f"{100 * one.right_at_most:.1f} %"
        )


def write_comparison(comparison: RunComparison, folder: Path) -> list[Path]:
    """Writes ``comparison.csv``, ``.json`` and ``.md``, and ``pareto.svg`` where facts and tastes were asked.

    Raises:
        OSError: a file cannot be written.
    """
    table, plot = _long_table(comparison), pareto_plot(comparison)
    texts = {
        "comparison.csv": csv_text([column.key for column in table.columns], table.rows),
        "comparison.json": json_text(asdict(comparison), indent=1) + "\n",
        **_words_csv(comparison),
        "comparison.md": _markdown(comparison, with_plot=plot is not None),
    }
    if plot:
        template = environment().get_template("pareto.svg.jinja")
        texts["pareto.svg"] = template.render(plot=plot, measure=measures.by_key()) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_text_atomic(folder / name, text)
    return [folder / name for name in texts]


def _words_csv(comparison: RunComparison) -> dict[str, str]:
    if comparison.words is None:
        return {}
    table = _long_table(comparison.words)
    return {"comparison_words.csv": csv_text([column.key for column in table.columns], table.rows)}


def _title(comparison: RunComparison) -> str:
    guessing = "" if comparison.chance is None else f"; guessing gives {formatted(comparison.chance, 'share')}"
    if comparison.always_shortest is not None and comparison.always_longest is not None:
        ends = (formatted(end, "share") for end in (comparison.always_shortest, comparison.always_longest))
        guessing += ", always a shortest option {}, always a longest {}".format(*ends)
    return (
        f"{comparison.data}, {comparison.split}: {comparison.n_questions:,} questions of {comparison.n_clusters:,} "
        f"facts and tastes, {', '.join(comparison.groups)}{guessing}"
    )


def compared_rows(comparison: RunComparison) -> Iterator[tuple[Measure, list[list[str]]]]:
    """A measure, and the lines of each run's cell; measures that are nowhere defined are left out."""
    for place, measure in enumerate(measures.compared()):
        values = [run.values[measure.key] for run in comparison.runs]
        if any(value is not None for value in values):
            yield measure, [_cell(run, measure, place) for run in comparison.runs]


def _cell(run: ComparedRun, measure: Measure, place: int) -> list[str]:
    value = run.values[measure.key]
    lines = [UNDEFINED if value is None else measured(value, measure.unit)]
    return lines + (_against(run.differences[place]) if run.differences else [])


def _against(found: Difference) -> list[str]:
    if found.change is None or found.low is None or found.high is None or found.p_holm is None:
        return []
    change, low, high = (formatted(value, "points") for value in (found.change, found.low, found.high))
    p_value = formatted(found.p_holm, "p_value")
    said = [f"{change} ({low} to {high})", f"p {p_value}"]
    return [*said, "cannot be judged: unread replies decide"] if found.unread_decide else said


def _long_table(comparison: RunComparison) -> Table:
    """One row for each run and measure."""
    keys = ("run", "measure", "wanted", "value", "change", "low", "high", "p_value", "p_holm", "unread_decide")
    rows = []
    for run in comparison.runs:
        for place, measure in enumerate(measures.compared()):
            found = run.differences[place] if run.differences else None
            figures = (found.change, found.low, found.high, found.p_value, found.p_holm) if found else (None,) * 5
            decide = ("yes" if found.unread_decide else "no") if found else None
            rows.append((run.name, measure.key, measure.wanted, run.values[measure.key], *figures, decide))
    return Table("comparison", "Runs", tuple(Column(key, key) for key in keys), tuple(rows))


def _markdown(comparison: RunComparison, *, with_plot: bool) -> str:
    percent = f"{100 * (1 - comparison.alpha):g} %"
    parts = [f"# Runs compared\n\n{markdown_cell(_title(comparison))}.\n"]
    if with_plot:
        parts.append(
            "![Right answers against preference score, per run; the table below holds the figures](pareto.svg)\n"
        )
    parts.append(markdown_table(_wide_table(comparison)))
    if comparison.words:
        parts.append(f"## In words\n\n{markdown_cell(_title(comparison.words))}.\n")
        parts.append(markdown_table(_wide_table(comparison.words)))
    parts.append("".join(_listed(line) for line in verdict_lines(comparison)))
    parts.append(
        f"Differences are to the first run, in points, paired by question, with {percent} intervals (bootstrap over "
        "facts and tastes); p by exchanging answers between the runs, corrected for all differences shown (Holm). Runs "
        "that differ in their seed only are averaged question by question: intervals are about the questions, not "
        "about further seeds.\n"
    )
    return "\n".join(parts)


def _wide_table(comparison: RunComparison) -> Table:
    """One row for each measure, one column for each run."""
    columns = (Column("measure", ""), *(Column("run", run.name) for run in comparison.runs), Column("wanted", "wanted"))
    rows = tuple(
        (measure.label, *("; ".join(cell) for cell in cells), measure.wanted)
        for measure, cells in compared_rows(comparison)
    )
    return Table("comparison", "", columns, rows)


def _listed(line: str) -> str:
    """A line as an item of a list, those of parts below the audit's."""
    return f"{'  ' if line.startswith(' ') else ''}- {markdown_cell(line.strip())}\n"
