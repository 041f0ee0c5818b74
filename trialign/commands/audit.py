"""``trialign validate`` and ``trialign test``: one audit of the base model or of a checkpoint."""

from __future__ import annotations

from rich.console import Console

from trialign import distributed
from trialign.api import auditing
from trialign.api.auditing import Audited
from trialign.api.elsewhere import audit_base_model
from trialign.api.results import Audit
from trialign.api.session import Session
from trialign.audit.figures.comparison import not_known
from trialign.audit.figures.ways import way_of_answering
from trialign.audit.report.pressure_tables import pressure_table
from trialign.audit.report.terminal import (
    audit_table,
    beside_table,
    change_table,
    replies_table,
    verdict_text,
    words_table,
)
from trialign.commands.launch import launch_for_audit
from trialign.runs import is_whole_audit


def audit(session: Session, split: Audited, *, trained: bool, step: int | None, base_first: bool = False) -> None:
    """Audits one split, on as many ranks as the trainer has, and prints it beside the base model's where there is one.

    Args:
        session: the run, or a configuration without one.
        split: the tuning or the held-out questions.
        trained: audit the run's agents; otherwise the base model.
        step: which checkpoint; None: the last.
        base_first: the base model is asked, too, where it was not yet.

    Raises:
        UserError: a run of this name exists with another configuration, or has no such checkpoint.
    """
    auditing.check_audit(session, split, trained=trained)
    launch_for_audit(session.config.trainer)
    if base_first:
        audit_base_model(session, split)
    after = auditing.audit(session, split, trained=trained, step=step)
    if distributed.rank() != 0:
        return
    base = session.run.audit(0, session.config.data.name, split)
    if trained and is_whole_audit(base):
        print_change(session.config.name, Audit(base), after)
    else:
        Console().print(audit_table(session.config.name, after.summary))
        if words := words_table(after.summary):
            Console().print(words)
        _print_pressure(after)
        print_verdict("Verdict", after)
    Console().print(f"Answer to a choice: {way_of_answering(after.summary)}.", markup=False, highlight=False)
    Console().print(f"Audit: {after.folder}", markup=False, highlight=False, soft_wrap=True)


def print_change(run: str, before: Audit, after: Audit) -> None:
    """Prints two audits of the same questions side by side, and what each says of the groups in plain words."""
    found = after.differences_from(before)
    Console().print(beside_table(before.summary, after.summary))
    Console().print(change_table(run, after.summary, found, after.confidence))
    if said := not_known(found):
        Console().print(said, markup=False, highlight=False)
    in_words = after.words_differences_from(before)
    if in_words:
        differing, traits = in_words
        Console().print(change_table(run, after.summary, differing, after.confidence, traits))
        if said := not_known(differing):
            Console().print(f"In words: {said}", markup=False, highlight=False)
    for one in (before, after):
        _print_pressure(one)
    print_verdict("Before", before)
    print_verdict("After", after)


def _print_pressure(audit: Audit) -> None:
    if table := pressure_table(audit.summary):
        Console().print(table)


def print_verdict(title: str, audit: Audit) -> None:
    """Prints what an audit says of the groups in plain words; one made before there were analyses says nothing."""
    if audit.analysis is not None:
        Console().print(verdict_text(title, audit.analysis))
        for table in (
            replies_table(audit.analysis),
            replies_table(audit.analysis.replies, "Replies in words"),
        ):
            if table:
                Console().print(table)
