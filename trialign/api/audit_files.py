"""An audit of the agents that are loaded: made, analysed, and written with the record of what it is of."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from trialign import __version__, distributed
from trialign.api.session import Session
from trialign.audit.asking.run import Auditor
from trialign.audit.figures.analysis import AuditAnalysis, analyze, write_analysis
from trialign.audit.figures.summary import summarize, write_summary
from trialign.audit.figures.verdict import record
from trialign.audit.files.integrity import AUDIT_FILES
from trialign.audit.files.items import items_frame, write_items
from trialign.audit.files.record import ABOUT_SCHEMA_VERSION, AuditAbout, BaseModel, write_about
from trialign.checkpoints import AgentCheckpoint, adapters_of
from trialign.environment import PromptConfig
from trialign.queries import Split
from trialign.queries.writer import write_queries
from trialign.runs import ANALYSIS, ITEMS, QUESTIONS, SUMMARY
from trialign.storage import sha256_of_file


def run_audit(
    session: Session, split: Split, checkpoint: AgentCheckpoint | None, *, instructed: bool = False
) -> dict[str, Any]:
    """Audits the agents that are loaded now, and writes its files.

    Args:
        session: the run, or a configuration without one.
        split: which questions.
        checkpoint: where the loaded adapters come from; None for the base model.
        instructed: the base model is asked as an objective without training wants it to be; the audit is filed
            under the run's last step.

    Returns:
        The summary.
    """
    objective, prompt = session.config.objective, session.config.prompt
    step = checkpoint.step if checkpoint else session.config.trainer.steps if instructed else 0
    if instructed:
        prompt = replace(prompt, system=f"{prompt.system} {objective.instruction}".strip())
    queries = session.require_split(split)
    begin = time.monotonic()
    agents = session.agents(checkpoint)
    strip = instructed and objective.strip_profile
    topology = session.config.environment.topology
    auditor = Auditor(agents, session.groups, prompt, session.config.audit, strip, topology)
    items = auditor.run(queries, f"Auditing step {step} on {split}")
    frame = items_frame(items)
    exposure = session.config.audit.exposures[0]
    choices = {query.query_id: len(query.options) for query in queries}
    summary = summarize(
        frame,
        step=step,
        data=session.config.data.name,
        exposure=exposure,
        split=split,
        scoring=agents.scoring,
        eps=session.config.objective.welfare.epsilon,
        seconds=round(time.monotonic() - begin, 1),
        groups=session.groups.names,
        choices=choices,
    )
    summary["model"] = about_model(session)
    summary["clarify"] = session.config.audit.clarify
    if distributed.rank() == 0:
        folder = session.run.audit(step, session.config.data.name, split)
        folder.mkdir(parents=True, exist_ok=True)
        write_items(folder / ITEMS, items)
        write_queries(folder / QUESTIONS, queries)
        analysis = _analysis(session, split, frame, choices)
        write_analysis(folder / ANALYSIS, analysis)
        summary["verdict"] = record(analysis.verdict) if analysis.verdict else None
        named = objective.name if checkpoint or instructed else None
        write_about(folder, _about_audit(session, checkpoint, named, prompt))
        summary["files"] = {name: sha256_of_file(folder / name) for name in AUDIT_FILES}
        write_summary(folder / SUMMARY, summary)  # last: where it is, the audit is whole
    distributed.barrier()
    return summary


def _analysis(session: Session, split: Split, frame: pd.DataFrame, choices: Mapping[str, int]) -> AuditAnalysis:
    audit = session.config.audit
    return analyze(
        frame,
        session.groups.names,
        exposure=audit.exposures[0],
        split=split,
        parts=session.groups.parts,
        choices=choices,
        bounds=audit.bounds,
    )


def about_model(session: Session) -> dict[str, Any]:
    """Which model an audit is of, for its summary."""
    if session.config.model.source == "endpoint":
        return session.endpoint.about()
    adapters = {name: adapter.sha256 for name, adapter in session.adapters.items()}
    about = {"source": session.config.model.source, "name": session.files.name, "sha256": session.files.sha256}
    return {**about, "adapters": adapters}


def _about_audit(
    session: Session, checkpoint: AgentCheckpoint | None, objective: str | None, prompt: PromptConfig
) -> AuditAbout:
    """The record of an audit that has just been made, of a checkpoint's agents or (None) of the base model."""
    behind_address = session.config.model.source == "endpoint"
    return AuditAbout(
        schema_version=ABOUT_SCHEMA_VERSION,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        trialign=__version__,
        run=session.config.name,
        base_model=_base_model(session),
        adapters=adapters_of(session.policy) if checkpoint or session.adapters else None,
        objective=objective,
        seed=session.config.seed,
        attribute=session.groups.attribute,
        groups=session.groups.everyone,
        prompt={**asdict(prompt), "chat": None if behind_address else session.renderer.about()},
    )


def _base_model(session: Session) -> BaseModel:
    if session.config.model.source == "endpoint":
        return BaseModel(session.config.model.name, None, None, session.endpoint.client.base_url)
    return BaseModel(session.files.name, session.files.revision, session.files.sha256)
