"""The report as a model card, ``README.md`` with the metadata that the Hugging Face hub reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from huggingface_hub import EvalResult, ModelCardData

from trialign.audit.figures import measures
from trialign.audit.figures.whole import whole_parts
from trialign.audit.figures.words import guessing
from trialign.audit.files.integrity import not_verifiable
from trialign.audit.report.columns import Column, Table
from trialign.audit.report.decisions import decided
from trialign.audit.report.format import UNDEFINED, formatted, moment
from trialign.audit.report.prompting import how_asked
from trialign.audit.report.tables import report_tables
from trialign.audit.report.types import Report, SignOff
from trialign.safe_output import Cell, markdown_cell, visible

_TABLES = (
    "groups",
    "replies",
    "accuracy",
    "gap",
    "pairs",
    "agreement",
    "flips",
    "changes",
    "personalization",
    "noticed",
    "words_replies",
    "words_accuracy",
    "words_agreement",
    "words_changes",
)


def model_card(report: Report) -> str:
    """The card: metadata, verdict, tables, limitations."""
    return f"---\n{_metadata(report).to_yaml()}\n---\n\n" + "\n".join(_body(report))


def markdown_table(table: Table) -> str:
    """A table as GitHub and the hub show it."""
    rule = ("---" if column.kind in ("text", "code") else "---:" for column in table.columns)
    lines = [
        _line(markdown_cell(column.label) for column in table.columns),
        _line(rule),
        *(_line(_cell(value, column) for value, column in zip(row, table.columns, strict=True)) for row in table.rows),
    ]
    return "\n".join(lines) + "\n"


def _body(report: Report) -> Iterator[str]:
    audit, analysis = report.audit, report.audit.analysis
    verdict = analysis.verdict
    tables = report_tables(report)
    yield f"# Agents of {markdown_cell(audit.run)}, step {audit.step}: audit\n"
    yield "Personalized agents, one for each group, audited with TriAlign for whether all groups get the same facts.\n"
    yield "## Evaluation\n"
    yield f"**{markdown_cell(verdict.sentence)}**\n" if verdict else "There was nothing to compare.\n"
    for name, sign, outcome, sentence in whole_parts(analysis):
        yield f"- {sign} {name}, {outcome}: {markdown_cell(sentence)}"
    yield ""
    if report.audit.unverified:
        yield f"**{markdown_cell(not_verifiable(report.audit.unverified))}**\n"
    yield "This card supports documentation of an audit. It is no certificate.\n"
    for name in _TABLES:
        if name in tables:
            yield f"### {tables[name].title}\n"
            shown = tables[name].without_empty_columns()
            yield markdown_table(shown.without_zeros() if name.endswith("replies") else shown)
            if name == "accuracy" and analysis.facts and analysis.facts.chance is not None:
                yield f"Beside these: {guessing(analysis.facts)}.\n"
    yield "## Sign-off\n"
    yield _signed(report.sign_off) + "\n"
    yield "## Intended use and limitations\n"
    for sentence in (*how_asked(audit.about, analysis.exposure), *report.limitations):
        yield f"- {markdown_cell(sentence)}"
    yield "\n## Files\n"
    yield "`report.html` is the report for signing, `report.json` the same as data, `tables/` every table as CSV.\n"


def _signed(signed: SignOff | None) -> str:
    if signed is None:
        return "Nobody has signed this audit."
    sign, _ = decided(signed.decision, signed.standing)
    who = f"{signed.name} ({signed.role})" if signed.role else signed.name
    said = f"{sign} {signed.decision}: {who}, {moment(signed.time)}. {signed.note}"
    return markdown_cell(f"{said} {signed.remark}".strip())


def _metadata(report: Report) -> ModelCardData:
    about, results = report.audit.about, list(_results(report))
    return ModelCardData(
        base_model=_plain(about.base_model.name) if about else None,
        library_name="peft" if report.audit.step else "transformers",
        tags=["trialign", "fairness", "personalization"],
        model_name=_plain(f"{report.audit.run}, step {report.audit.step}") if results else None,
        eval_results=results or None,
    )


def _results(report: Report) -> Iterator[EvalResult]:
    facts, opinions = report.audit.analysis.facts, report.audit.analysis.opinions
    known = measures.by_key()
    values: list[tuple[str, str, float | None]] = []
    if facts:
        values += [
            ("accuracy", known["mean"].label, facts.mean.value),
            ("accuracy_gap", known["gap"].label, facts.gap.value if facts.gap else None),
            ("unanimous", known["unanimous"].label, facts.unanimous.value if facts.unanimous else None),
            ("right_for_all", known["right_for_all"].label, facts.right_for_all.value),
        ]
    if opinions:
        values.append(("preference", known["preference"].label, opinions.mean.own.value))
    questions = report.questions
    for key, name, value in values:
        if value is not None:
            yield EvalResult(
                task_type="question-answering",
                task_name="Question answering for several groups",
                dataset_type=_plain(questions.data),
                dataset_name=_plain(questions.data),
                dataset_split=questions.split,
                metric_type=key,
                metric_name=name.capitalize(),
                metric_value=value,
            )


def _cell(value: Cell, column: Column) -> str:
    if value is None:
        return UNDEFINED
    return markdown_cell(value) if isinstance(value, str) else formatted(value, column.kind)


def _plain(text: str) -> str:
    """A name in one line."""
    return visible(text, keep="")


def _line(cells: Iterator[str] | Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
