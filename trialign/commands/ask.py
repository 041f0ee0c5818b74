"""``trialign ask`` and ``trialign predict``: every group's answer, side by side or as lines of JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from trialign.audit.run import Auditor
from trialign.checkpoints import AgentCheckpoint
from trialign.commands.session import Session
from trialign.errors import UserError
from trialign.groups import Exposure
from trialign.progress import Progress
from trialign.queries import PreferenceQuery, Query
from trialign.queries.readers import read_query_files
from trialign.safe_output import json_text, literal
from trialign.storage import write_text_atomic


@dataclass(frozen=True)
class GroupAnswer:
    """What one group's agent said.

    Attributes:
        option_probabilities: per option; None for a free answer.
        adapter_sha256: hash of the adapter that answered; None for the base weights.
        canonical: the answer as it was read; None where none was.
        parse_status: how it was read, or why not (see ``trialign.queries.statuses``).
    """

    group: str
    label: str
    answer: str
    option_probabilities: tuple[float, ...] | None
    adapter_sha256: str | None
    canonical: str | None
    parse_status: str


def ask(
    session: Session,
    question: str,
    options: Sequence[str],
    *,
    step: int | None,
    exposure: Exposure | None,
    as_json: bool,
) -> None:
    """Prints every group's answer to one question.

    Args:
        session: the run.
        question: asked as it is.
        options: when given, the agents choose among them and their probabilities are shown.
        step: which checkpoint; None: the last.
        exposure: how the profile reaches the agents; None: as audited.
        as_json: machine-readable output.
    """
    if len(options) == 1 or len(set(options)) != len(options):
        raise UserError("The options are one alone, or one twice", "Give --option at least twice, with different texts")
    if not question.strip():
        raise UserError("The question is empty", "Write it between quotes")
    if any(not option.strip() for option in options):
        raise UserError("An option is empty", "Give every --option a text")
    checkpoint = session.load_agents(step)
    query = PreferenceQuery.asked(question, options)
    answers = _answers(session, checkpoint, [query], exposure)[0]
    if as_json:
        print(json_text([asdict(answer) for answer in answers], indent=2))
    else:
        Console().print(answer_table(question, options, answers))


def predict(session: Session, source: Path, target: Path, *, step: int | None, exposure: Exposure | None) -> None:
    """Answers a file of questions: one line of JSON a question, with every group's answer.

    Raises:
        UserError: a question is at fault; names file and row.
    """
    queries = read_query_files([source])
    if not target.parent.is_dir():
        raise UserError(
            f"There is no folder {target.parent} to write {target.name} into",
            "Make it, or name another --output",
        )
    if target.is_dir():
        raise UserError(f"{target} is a folder", "Name a file with --output")
    checkpoint = session.load_agents(step)
    size = session.config.audit.queries_per_batch
    lines: list[str] = []
    with Progress("Answering", len(queries), "questions") as progress:
        for begin in range(0, len(queries), size):
            chunk = queries[begin : begin + size]
            for query, answers in zip(chunk, _answers(session, checkpoint, chunk, exposure), strict=True):
                lines.append(json_text(_line(query, answers)) + "\n")
            progress.advance(len(chunk))
    write_text_atomic(target, "".join(lines))


def answer_table(question: str, options: Sequence[str], answers: Sequence[GroupAnswer]) -> Table:
    """Answers in columns; with options, a row of probabilities for each."""
    table = Table(title=literal(question), title_justify="left", show_lines=True)
    table.add_column("")
    for answer in answers:
        table.add_column(literal(answer.label), overflow="fold")
    table.add_row("answer", *[literal(answer.answer or "(empty)") for answer in answers])
    for index, option in enumerate(options):
        shares = [(answer.option_probabilities or ())[index] for answer in answers]
        table.add_row(literal(option), *[f"{share:.3f}" for share in shares])
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


def _answers(
    session: Session, checkpoint: AgentCheckpoint, queries: Sequence[Query], exposure: Exposure | None
) -> list[list[GroupAnswer]]:
    """Every group's answer to every query, as one batch."""
    session.check_exposure(exposure or session.config.audit.exposures[0])
    auditor = Auditor.of_checkpoint(
        session.policy.eval(),
        session.renderer,
        session.groups,
        session.config.prompt,
        session.config.scoring,
        session.config.audit,
        checkpoint,
    )
    items = auditor.answer(queries, exposure or session.config.audit.exposures[0])
    labels = {group.name: group.label for group in session.groups.everyone}
    by_query: dict[str, list[GroupAnswer]] = {query.query_id: [] for query in queries}
    for item in items:
        if item.group == item.profile_group:
            by_query[item.query_id].append(
                GroupAnswer(
                    item.group,
                    labels[item.group],
                    item.answer,
                    item.option_probabilities,
                    item.adapter_sha256,
                    item.canonical,
                    item.parse_status,
                )
            )
    return list(by_query.values())
