"""A run's agents on questions that are not the run's own: sets that nobody here wrote, or a later one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trialign import distributed
from trialign.api.audit_files import questions_in_words, run_audit
from trialign.api.session import Session, open_run
from trialign.audit.asking.attacks import attacks_of
from trialign.audit.figures.summary import read_summary
from trialign.audit.files.items import read_items
from trialign.audit.files.record import read_asked
from trialign.composition import compose
from trialign.config import load
from trialign.errors import UserError
from trialign.queries import Split
from trialign.runs import REPLIES, SUMMARY, is_whole_audit

log = logging.getLogger("trialign")

_BASE = "conf/base.yaml"
# What may be asked of a finished run otherwise than by its configuration: it changes no answer, only which there are.
_ASKED = ("audit.pressure", "audit.answers", "audit.replies_limit")


def open_run_on(folder: Path, overrides: Sequence[str]) -> Session:
    """The session of a run on disk, asked about other questions; its configuration on disk stays as it is.

    Args:
        folder: the run's.
        overrides: none for the run's own questions; ``data=...`` and ``data.*=...`` as ``--config`` takes them, over
            the shipped default; a file of one's own is ``data=files`` with ``data.name`` and ``data.files``.
            ``audit.pressure=...`` pushes the agents, on whichever questions; ``audit.answers=...`` and
            ``audit.replies_limit=...`` say whether, and of how many of them, words are asked.

    Raises:
        UserError: another key is overridden, the data cannot be composed, or they have the name of the run's own.
    """
    session = open_run(folder)
    asking = [one for one in overrides if one.partition("=")[0] in _ASKED]
    overrides = [one for one in overrides if one not in asking]
    if asking:
        keys = [one.partition("=")[0].removeprefix("audit.") for one in asking]
        stated = compose(_BASE, asking)["audit"]
        session = _with(session, audit={**session.composed.get("audit", {}), **{key: stated[key] for key in keys}})
    if not overrides:
        return session
    for one in overrides:
        key = one.partition("=")[0].lstrip("+~")
        if key != "data" and not key.startswith("data."):
            raise UserError(
                f"The override {one} was given with --run, whose configuration is fixed but for the data and "
                + ", ".join(_ASKED),
                "Leave it out, or use --config",
            )
    if not any(one.startswith("data=") for one in overrides):
        raise UserError(
            f"Overrides were given with --run and none names other data ({', '.join(overrides)})",
            "Add data=..., or leave them out to audit the run on its own data",
        )
    data = compose(_BASE, overrides)["data"]
    if data["name"] == session.config.data.name:
        raise UserError(
            f"The data are called '{data['name']}', as those of the run {session.run.folder} are, and "
            "their audit would take the place of its own",
            "Choose other data, or call these data.name=...",
        )
    return _with(session, data=data)


def _with(session: Session, **sections: Any) -> Session:
    """The session of the same run with other sections of the configuration."""
    composed = {**session.composed, **sections}
    config = load(composed)
    return Session(replace(config, name=session.config.name, runs=session.config.runs), composed)


def audit_base_model(session: Session, split: Split) -> None:
    """Audits the base model on these questions, unless that was done: what the agents are held against.

    Raises:
        UserError: a question cannot be put to it.
    """
    folder = session.run.audit(0, session.config.data.name, split)
    now = {one.query_id: one.question for one in session.split(split)}
    done = is_whole_audit(folder) and {key: one.question for key, one in read_asked(folder).items()} == now
    done = done and _is_pushed(session, folder) and _is_asked_in_words(session, split, folder)
    distributed.barrier()  # every rank has looked before the first one writes
    if done:
        log.info("The base model's answers to these questions are there: %s", folder)
        return
    session.renew_policy()
    run_audit(session, split, None)
    distributed.barrier()


def _is_pushed(session: Session, folder: Path) -> bool:
    """Whether an audit was made with every attack that is asked for."""
    pressure = read_summary(folder / SUMMARY).get("pressure") or {"attacks": {}}
    wanted = attacks_of(session.config.audit.pressure, len(session.audited_groups.members))
    return {one.name for one in wanted} <= set(pressure["attacks"])


def _is_asked_in_words(session: Session, split: Split, folder: Path) -> bool:
    """Whether an audit asked in words what is to be asked in words, and no more: two are compared on the same."""
    replies = folder / REPLIES
    found = set(read_items(replies)["query_id"]) if replies.is_file() else set()
    return found == {query.query_id for query in questions_in_words(session, session.require_split(split))}
