"""``trialign ask`` and ``trialign predict``: every group's answer, side by side or as lines of JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from trialign.api import asking
from trialign.api.asking import GroupAnswer
from trialign.api.people import stated_values
from trialign.api.session import Session
from trialign.audit.figures.replies import read_as
from trialign.commands.lengths import label_faults, measure
from trialign.comparing.pairs import Comparison
from trialign.errors import UserError
from trialign.groups import Exposure
from trialign.progress import Progress
from trialign.queries import Query
from trialign.queries.encodings import known_encoding
from trialign.queries.sources import FieldMap
from trialign.queries.unanswered import read_unanswered, typed_questions
from trialign.safe_output import json_text, literal
from trialign.storage import write_text_atomic

# Standard input or output, where a file is asked for.
_STANDARD = "-"


def ask(
    session: Session,
    question: str,
    options: Sequence[str],
    *,
    step: int | None,
    exposure: Exposure | None,
    as_json: bool,
    people: Sequence[str] = (),
) -> None:
    """Prints every group's answer to one question.

    Args:
        session: the run.
        question: asked as it is.
        options: when given, the agents choose among them and their probabilities are shown.
        step: which checkpoint; None: the last.
        exposure: how the profile reaches the agents; None: as audited.
        as_json: machine-readable output.
        people: values of those who are asked beside the groups, see `trialign.api.people.stated_values`.
    """
    values = [stated_values(session.groups, text) for text in people]
    answers = asking.ask(session, question, options, step=step, exposure=exposure, people=values)
    told, fault = ([], "") if options else asking.same_facts(session, question, answers)
    if as_json:
        print(json_text(_with_facts(answers, told), indent=2))
    else:
        Console().print(answer_table(question, options, answers, told))
    for said in (fault, "" if options else asking.known_harm(session, step)):
        if said:
            print(said, file=sys.stderr)


def _with_facts(answers: Sequence[GroupAnswer], told: Sequence[Comparison]) -> list[dict[str, Any]]:
    """The answers for programs; each but the first with whether it states the same fact as the first."""
    beside: list[dict[str, Any]] = [{}, *({"same_fact": one.verdict, "told_by": one.by} for one in told)]
    beside += [{}] * (len(answers) - len(beside))
    return [{**asdict(answer), **facts} for answer, facts in zip(answers, beside, strict=True)]


@dataclass(frozen=True)
class QuestionsAt:
    """Where the questions of a prediction are; see `trialign.queries.unanswered`.

    Attributes:
        source: a file, or ``-`` for standard input.
        fields: where things are in a row; None: under the usual names.
        encoding: of a text file; None: found out.
    """

    source: Path
    fields: FieldMap | None = None
    encoding: str | None = None

    def read(self) -> list[tuple[Query, str]]:
        """The questions, each with its place.

        Raises:
            UserError: one cannot be read; names file and row.
        """
        if self.encoding is not None and not known_encoding(self.encoding):
            raise UserError(f"The encoding '{self.encoding}' is not known", "Name one such as utf-8 or cp1252")
        if str(self.source) == _STANDARD:
            return typed_questions(sys.stdin.buffer.read(), self.fields, self.encoding)
        return read_unanswered(self.source, self.fields, self.encoding)


def stated_fields(question: str | None, options: str | None, passage: str | None, key: str | None) -> FieldMap | None:
    """Where a row holds what a question needs; None where nobody said.

    Args:
        question: column of the question.
        options: column of the options, or several with commas between.
        passage: column of the text before the question.
        key: column of the question's name.
    """
    if not (question or options or passage or key):
        return None
    columns = tuple(name.strip() for name in (options or "options").split(","))
    return FieldMap(
        question or "question", columns if len(columns) > 1 else columns[0], passage=passage, id=key or "id"
    )


def predict(
    session: Session, questions: QuestionsAt, target: Path, *, step: int | None, exposure: Exposure | None
) -> None:
    """Answers questions: one line of JSON for each, with every group's answer.

    Args:
        session: the run.
        questions: need no right answers, and no split.
        target: the file to write, replaced as a whole at the end; ``-`` for standard output.
        step: which checkpoint; None: the last.
        exposure: how the profile reaches the agents; None: as audited.

    Raises:
        UserError: a question is at fault; names file and row.
    """
    placed = questions.read()
    _check_target(questions.source, target)
    _check_fits(session, placed, exposure or session.config.audit.exposures[0])
    queries = [query for query, _ in placed]
    checkpoint = session.load_agents(step)
    size = session.config.audit.queries_per_batch
    lines: list[str] = []
    with Progress("Answering", len(queries), "questions") as progress:
        for begin in range(0, len(queries), size):
            chunk = queries[begin : begin + size]
            for query, answers in zip(chunk, asking.answers(session, checkpoint, chunk, exposure), strict=True):
                lines.append(json_text(_line(query, answers)) + "\n")
            progress.advance(len(chunk))
    if str(target) == _STANDARD:
        print("".join(lines), end="")
    else:
        write_text_atomic(target, "".join(lines))


def _check_target(source: Path, target: Path) -> None:
    if str(target) == _STANDARD:
        return
    if not target.parent.is_dir():
        raise UserError(
            f"There is no folder {target.parent} to write {target.name} into",
            "Make it, or name another --output",
        )
    if target.is_dir():
        raise UserError(f"{target} is a folder", "Name a file with --output")
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"{target} holds the questions, which the answers would replace", "Name another --output")


def _check_fits(session: Session, placed: Sequence[tuple[Query, str]], exposure: Exposure) -> None:
    """Refuses what no agent could be asked, before the first one is."""
    session.check_exposure(exposure)
    if not _unfit(session, [query for query, _ in placed], exposure):
        return
    for query, place in placed:
        for fault in _unfit(session, [query], exposure):
            raise UserError(f"{place}: {fault.problem}", fault.remedy)


def _unfit(session: Session, queries: Sequence[Query], exposure: Exposure) -> list[UserError]:
    unlabelled = label_faults(session, queries)
    return unlabelled or measure(session, queries, [exposure], session.config.audit.max_new_tokens)[1]


def answer_table(
    question: str, options: Sequence[str], answers: Sequence[GroupAnswer], told: Sequence[Comparison] = ()
) -> Table:
    """Answers in columns; with options, a row of probabilities for each; in words, what each was read as.

    Args:
        question: what was asked.
        options: to choose from.
        answers: one a group.
        told: whether each answer in words but the first states the same fact as the first.
    """
    table = Table(title=literal(question), title_justify="left", show_lines=True)
    table.add_column("")
    for answer in answers:
        table.add_column(literal(answer.label), overflow="fold")
    table.add_row("answer", *[literal(answer.answer or "(empty)") for answer in answers])
    for index, option in enumerate(options):
        shares = [(answer.option_probabilities or ())[index] for answer in answers]
        table.add_row(literal(option), *[f"{share:.3f}" for share in shares])
    if not options:
        table.add_row("read as", *[literal(read_as(answer.canonical, answer.parse_status)) for answer in answers])
    if told:
        same = [f"{one.verdict} ({one.told_by})" for one in told]
        table.add_row("same fact", "(held against)", *same)
    hashes = [answer.adapter_sha256[:12] if answer.adapter_sha256 else "base weights" for answer in answers]
    table.add_row("adapter", *hashes)
    return table


def _line(query: Query, answers: Sequence[GroupAnswer]) -> dict[str, Any]:
    return {
        "id": query.query_id,
        "question": query.question,
        "options": list(query.options),
        "answers": {answer.group: {k: v for k, v in asdict(answer).items() if k != "group"} for answer in answers},
    }
