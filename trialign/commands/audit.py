"""``trialign validate`` and ``trialign test``: one audit of the base model or of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console

from trialign import distributed
from trialign.audit.analysis import read_analysis
from trialign.audit.comparison import Difference, intervals, not_known, paired
from trialign.audit.items import read_items
from trialign.audit.summary import read_summary
from trialign.audit.table import audit_table, before_after_table, replies_table, verdict_text
from trialign.audit.ways import way_of_answering
from trialign.commands.audit_files import about_model, run_audit
from trialign.commands.session import Session
from trialign.errors import UserError


def check_audit(session: Session, split: Literal["validation", "test"], *, trained: bool) -> None:
    """Everything that can be wrong with an audit before weights are loaded.

    Raises:
        UserError: the configuration is at fault, or a run of this name exists with another one.
    """
    session.require_split(split)
    if not trained:
        # An audit of the base model is filed under the run's name: not under that of another configuration.
        _ = session.status
    session.check_audit()
    if not trained:
        _refuse_other_model(session, split)


def audit(session: Session, split: Literal["validation", "test"], *, trained: bool, step: int | None) -> None:
    """Audits one split and prints it, beside the base model's audit where there is one.

    Args:
        session: the run, or a configuration without one.
        split: the tuning or the held-out questions.
        trained: audit the run's agents; otherwise the base model.
        step: which checkpoint; None: the last.

    Raises:
        UserError: a run of this name exists with another configuration, or has no such checkpoint.
    """
    check_audit(session, split, trained=trained)
    instructed = trained and not session.trains
    if instructed and step is not None:
        raise UserError(
            f"--step was given, and objective={session.config.objective.name} trains no agents", "Leave --step out"
        )
    checkpoint = session.load_agents(step) if trained and session.trains else None
    after = run_audit(session, split, checkpoint, instructed=instructed)
    if distributed.rank() != 0:
        return
    folder, base = (session.run.audit(at, session.config.data.name, split) for at in (after["step"], 0))
    if trained and (base / "summary.json").is_file():
        items = [read_items(at / "items.parquet") for at in (base, folder)]
        found = paired(items[0], items[1], session.groups.names, after["exposure"])
        before = read_summary(base / "summary.json")
        Console().print(before_after_table(session.config.name, before, after, intervals(found)))
        print_not_known(found)
        print_verdicts({"Before": base, "After": folder})
    else:
        Console().print(audit_table(session.config.name, after))
        print_verdicts({"Verdict": folder})
    Console().print(f"Answer to a choice: {way_of_answering(after)}.", markup=False, highlight=False)
    Console().print(f"Audit: {folder}", markup=False, highlight=False, soft_wrap=True)


def _refuse_other_model(session: Session, split: Literal["validation", "test"]) -> None:
    """An audit made again takes the place of the old one, but not of one of another model."""
    folder = session.run.audit(0, session.config.data.name, split)
    if not (folder / "summary.json").is_file():
        return
    audited, now = read_summary(folder / "summary.json").get("model"), about_model(session)
    if audited is not None and audited != now:
        raise UserError(
            f"The audit in {folder} is of another model ({audited.get('name')}, or asked otherwise)",
            "Choose another name=... for this one",
        )


def print_not_known(found: Sequence[Difference]) -> None:
    """Prints which changes rest on replies that nobody could read; nothing where none does."""
    said = not_known(found)
    if said:
        Console().print(said, markup=False, highlight=False)


def print_verdicts(audits: Mapping[str, Path]) -> None:
    """Prints what audits say of the groups in plain words.

    Args:
        audits: what stands before a verdict -> folder of the audit; one made before there were analyses has none.
    """
    for title, folder in audits.items():
        if (folder / "analysis.json").is_file():
            analysis = read_analysis(folder / "analysis.json")
            Console().print(verdict_text(title, analysis))
            replies = replies_table(analysis)
            if replies:
                Console().print(replies)
