"""An audit of the agents that are loaded: made, analysed, and written with the record of what it is of."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from trialign import __version__, distributed
from trialign.api.pressing import under_pressure, write_pressure
from trialign.api.session import Session
from trialign.asking import Agents, LocalAgents
from trialign.audit.asking.endpoint import EndpointAgents
from trialign.audit.asking.run import Auditor
from trialign.audit.figures.analysis import AuditAnalysis, analyze, write_analysis
from trialign.audit.figures.compared_replies import compared_replies
from trialign.audit.figures.lengths import OptionLengths, option_lengths
from trialign.audit.figures.noticed import noticed
from trialign.audit.figures.pressure import pressure_summary
from trialign.audit.figures.reply_summary import summarize_replies
from trialign.audit.figures.summary import summarize, write_summary
from trialign.audit.figures.whole import whole_record, with_replies
from trialign.audit.files.integrity import AUDIT_FILES
from trialign.audit.files.items import AuditItem, items_frame, write_items
from trialign.audit.files.kept import KeptBaseScores, KeptReplies
from trialign.audit.files.lines import forget_kept
from trialign.audit.files.pressed import PressedItem
from trialign.audit.files.record import ABOUT_SCHEMA_VERSION, AuditAbout, BaseModel, write_about
from trialign.checkpoints import AgentCheckpoint, adapters_of
from trialign.comparing.opening import Comparer, open_comparer
from trialign.endpoint.spending import Usage
from trialign.environment import PromptConfig
from trialign.gating.serving import Gatekeeper
from trialign.groups import GroupSet
from trialign.queries import Query, Split
from trialign.queries.askable import needs_options
from trialign.queries.limits import first_clusters
from trialign.queries.translated import languages_of
from trialign.queries.writer import write_queries
from trialign.runs import ANALYSIS, ITEMS, QUESTIONS, REPLIES, SUMMARY
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
    agents = _reminded(session, session.agents(checkpoint))
    strip = instructed and objective.strip_profile
    topology, groups = session.config.environment.topology, _asked_groups(session)
    auditor = Auditor(agents, groups, prompt, session.config.audit, strip, topology, seed=session.config.seed)
    folder = session.run.audit(step, session.config.data.name, split)
    spoken = questions_in_words(session, queries)
    comparer = _comparer(session) if spoken else None  # what is at fault with it is said before asking
    scored = _answered(session, auditor, queries, step, split)
    summary = scored.summary
    title = f"Pushing step {step} on {split}"
    pressed = under_pressure(session, auditor, scored.items, queries, title, folder)
    replied = _replied(session, auditor, spoken, step, split, folder) if spoken else None
    summary["model"] = about_model(session, checkpoint)
    summary["clarify"] = session.config.audit.clarify
    if isinstance(agents, EndpointAgents):
        used = distributed.gather(agents.spending.used)
        summary["usage"] = sum(used, Usage()).record(agents.spending.prices)
    if not prompt.question:
        summary["question"] = False
    if isinstance(agents, LocalAgents) and isinstance(agents.route, Gatekeeper):
        summary["gate"] = agents.route.counts(queries)
    if replied:
        summary["seconds"] = round(summary["seconds"] + replied.summary["seconds"], 1)
    if distributed.rank() == 0:
        folder.mkdir(parents=True, exist_ok=True)
        _write_answers(session, folder, queries, scored, replied, pressed)
        if replied and comparer:
            scored.summary["replies"]["compared"] = _compared(session, comparer, queries, replied)
        named = objective.name if checkpoint or instructed else None
        write_about(folder, _about_audit(session, checkpoint, named, prompt))
        summary["files"] = {name: sha256_of_file(folder / name) for name in AUDIT_FILES if (folder / name).is_file()}
        write_summary(folder / SUMMARY, summary)  # last: where it is, the audit is whole
        forget_kept(folder)
    distributed.barrier()
    return summary


@dataclass(frozen=True)
class _Answered:
    """Answers to all questions of one split, in one way.

    Attributes:
        choices: query id -> options to choose from; 0 for a free answer, and where the options were not shown in words.
        lengths: query id -> the lengths of these options.
        languages: query id -> the language in which all groups were asked, where one is stated.
    """

    items: list[AuditItem]
    frame: pd.DataFrame
    summary: dict[str, Any]
    choices: dict[str, int]
    lengths: dict[str, OptionLengths]
    languages: dict[str, str]


def questions_in_words(session: Session, queries: Sequence[Query]) -> tuple[Query, ...]:
    """The questions that are asked in words too: where options can be scored here, and that is wanted.

    None where no question is put: there is nothing to reply to.
    """
    config = session.config
    if not (config.model.has_weights and "replies" in config.audit.answers and config.prompt.question):
        return ()
    return first_clusters(queries, config.audit.replies_limit)


def _asked_groups(session: Session) -> GroupSet:
    """The groups that are asked: without the control where logs hold no reply of it."""
    groups = session.audited_groups
    if session.config.model.source == "logs" and groups.control and not session.logged.has(groups.control.name):
        return replace(groups, control=None)
    return groups


def _comparer(session: Session) -> Comparer:
    """What holds replies in words against each other; the replies of a judge are kept beside those of agents."""
    audit = session.config.audit
    kept = session.runs / ".answers" / "judge.jsonl"
    return open_comparer(audit.comparer, audit.nli, audit.judge, audit.calibration, kept)


def _compared(
    session: Session, comparer: Comparer, queries: Sequence[Query], replied: _Answered
) -> dict[str, Any] | None:
    audit = session.config.audit
    return compared_replies(
        comparer,
        queries,
        replied.frame,
        session.audited_groups.names,
        exposure=audit.exposures[0],
        confidence=1 - audit.alpha,
    )


def _answered(session: Session, auditor: Auditor, queries: Sequence[Query], step: int, split: Split) -> _Answered:
    """Asks, and reduces the answers to their summary."""
    begin = time.monotonic()
    words = auditor.in_words
    items = auditor.run(queries, f"Auditing step {step} on {split}{' in words' if words else ''}")
    frame = items_frame(items)
    choices = {query.query_id: 0 if words and not needs_options(query) else len(query.options) for query in queries}
    lengths = option_lengths([query for query in queries if choices[query.query_id]])
    summary = summarize(
        frame,
        step=step,
        data=session.config.data.name,
        exposure=session.config.audit.exposures[0],
        split=split,
        scoring=None if words else auditor.agents.scoring,
        eps=session.config.objective.welfare.epsilon,
        seconds=round(time.monotonic() - begin, 1),
        groups=session.audited_groups.names,
        choices=choices,
        lengths=lengths,
    )
    return _Answered(items, frame, summary, choices, lengths, languages_of(queries, session.audited_groups.members))


def _replied(
    session: Session, auditor: Auditor, queries: Sequence[Query], step: int, split: Split, folder: Path
) -> _Answered:
    """The same questions, asked as a person asks them; goes on where an audit was cut off."""
    agents = auditor.agents
    if isinstance(agents, LocalAgents):
        unadapted = session.runs / ".answers" / "base.jsonl"
        agents = replace(agents, kept=KeptReplies(folder, _weights(session), distributed.rank(), unadapted))
    return _answered(session, replace(auditor, agents=agents, in_words=True), queries, step, split)


def _reminded(session: Session, agents: Agents) -> Agents:
    """The agents, who need not score again what the base weights alone scored in any run of the folder."""
    if not isinstance(agents, LocalAgents):
        return agents
    kept = session.runs / ".answers" / "base-scores.jsonl"
    return replace(agents, scores=KeptBaseScores(kept, _weights(session)))


def _weights(session: Session) -> str:
    """What tells the base model from others, in what is kept of its answers."""
    return f"{session.files.sha256} {session.config.model.numbers} {__version__}"


def _write_answers(
    session: Session,
    folder: Path,
    queries: Sequence[Query],
    scored: _Answered,
    replied: _Answered | None,
    pressed: Sequence[PressedItem] | None,
) -> None:
    """Writes answers, questions and analysis, and completes the summary with its later sections and the verdict."""
    write_items(folder / ITEMS, scored.items)
    (folder / REPLIES).unlink(missing_ok=True)  # of an audit that was here before
    write_queries(folder / QUESTIONS, queries)
    analysis, audit = _analysis(session, scored), session.config.audit
    if replied:
        write_items(folder / REPLIES, replied.items)
        exposure, confidence = audit.exposures[0], 1 - audit.alpha
        seen = noticed(replied.frame, session.audited_groups.names, exposure=exposure, confidence=confidence)
        analysis = with_replies(analysis, _analysis(session, replied), seen)
        scored.summary["replies"] = summarize_replies(
            replied.summary, replied.frame, seen, max_new_tokens=audit.max_new_tokens, repeats=audit.repeats
        )
    pressure = write_pressure(session, folder, pressed)
    if pressure:
        analysis = replace(analysis, pressure=pressure)
        scored.summary["pressure"] = pressure_summary(pressure)
    write_analysis(folder / ANALYSIS, analysis)
    scored.summary["verdict"] = whole_record(analysis)


def _analysis(session: Session, answered: _Answered) -> AuditAnalysis:
    audit = session.config.audit
    return analyze(
        answered.frame,
        session.audited_groups.names,
        exposure=audit.exposures[0],
        split=answered.summary["split"],
        parts=session.audited_groups.parts,
        choices=answered.choices,
        lengths=answered.lengths,
        languages=answered.languages,
        stated=session.audited_groups.audited,
        bounds=audit.bounds,
    )


def about_model(session: Session, checkpoint: AgentCheckpoint | None = None) -> dict[str, Any]:
    """Which model an audit is of, for its summary: a checkpoint's agents, or (None) whoever answers before training."""
    if session.config.model.source == "endpoint":
        return session.endpoint.about()
    if session.config.model.source == "logs":
        return session.logged.about()
    there = session.adapters or ({} if checkpoint else session.starts)
    adapters = {name: adapter.sha256 for name, adapter in there.items()}
    about = {"source": session.config.model.source, "name": session.files.name, "sha256": session.files.sha256}
    bits = {"quantization": session.files.quantization} if session.files.quantization != "none" else {}
    return {**about, **bits, "adapters": adapters}


def _about_audit(
    session: Session, checkpoint: AgentCheckpoint | None, objective: str | None, prompt: PromptConfig
) -> AuditAbout:
    """The record of an audit that has just been made, of a checkpoint's agents or (None) of the base model."""
    return AuditAbout(
        schema_version=ABOUT_SCHEMA_VERSION,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        trialign=__version__,
        run=session.config.name,
        base_model=_base_model(session),
        adapters=adapters_of(session.policy) if checkpoint or session.adapters or session.starts else None,
        objective=objective,
        seed=session.config.seed,
        attribute=session.audited_groups.attribute,
        groups=_asked_groups(session).everyone,
        prompt={**asdict(prompt), "chat": session.renderer.about() if session.config.model.has_weights else None},
    )


def _base_model(session: Session) -> BaseModel:
    if session.config.model.source == "endpoint":
        return BaseModel(session.config.model.name, None, None, session.endpoint.client.base_url)
    if session.config.model.source == "logs":
        return BaseModel(session.config.model.name, None, None)
    files = session.files
    bits = None if files.quantization == "none" else files.quantization
    return BaseModel(files.name, files.revision, files.sha256, quantization=bits)
