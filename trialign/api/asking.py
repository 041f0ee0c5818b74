"""Questions put to every group's agent at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trialign.api.people import asked_as
from trialign.api.results import Audit
from trialign.api.session import Session
from trialign.attributes import Value
from trialign.audit.asking.run import Auditor
from trialign.audit.figures.suffering import suffering
from trialign.audit.files.items import AuditItem
from trialign.checkpoints import AgentCheckpoint
from trialign.comparing.compare import compare
from trialign.comparing.opening import open_comparer
from trialign.comparing.pairs import Comparison, held_against
from trialign.errors import UnfinishedError, UserError
from trialign.groups import Exposure
from trialign.queries import PreferenceQuery, Query

log = logging.getLogger("trialign")


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
    run: Session,
    question: str,
    options: Sequence[str] = (),
    *,
    step: int | None = None,
    exposure: Exposure | None = None,
    people: Sequence[Mapping[str, Value]] = (),
) -> list[GroupAnswer]:
    """Every group's answer to one question.

    Args:
        run: a run, or a configuration without one.
        question: asked as it is.
        options: when given, the agents choose among them.
        step: which checkpoint; None: the last; 0: the base model, which is told the profiles all the same. A model
            behind an address, or with adapters from elsewhere, answers as it is.
        exposure: how the profile reaches the agents; None: as audited.
        people: attribute -> value, of each who is asked beside the groups. One whose number lies outside those of the
            groups is answered with a warning.

    Returns:
        The members' answers in the order of the groups, then the control's, then those of people.

    Raises:
        UserError: the options are no choice, there is no such checkpoint, a group has no such profile, or nobody can be
            told of such values.
    """
    check_question(question, options)
    checkpoint, query = load_asked(run, step), PreferenceQuery.asked(question, options)
    found = answers(run, checkpoint, [query], exposure)[0]
    told = asked_as(run, checkpoint, query, people, exposure or run.config.audit.exposures[0]) if people else ()
    for one in told:
        for sentence in one.beyond:
            log.warning("%s", sentence)
    return [*found, *(_answer(one.item, one.label, one.name) for one in told)]


def load_asked(session: Session, step: int | None) -> AgentCheckpoint | None:
    """Sees to it that the agents that are meant are loaded.

    Args:
        session: a run, or a configuration without one.
        step: see `ask`.

    Returns:
        Where they come from; None: they are the base model, or come from elsewhere.

    Raises:
        UserError: there is no such checkpoint.
    """
    if step == 0 or not session.trainable:
        session.renew_policy()  # what was trained or loaded in it is not what is meant
        return None
    return session.load_agents(step)


def known_harm(session: Session, step: int | None) -> str:
    """A sentence where a checkpoint's own audit says that its replies in words suffer, else nothing.

    Args:
        session: a run, or a configuration without one.
        step: see `ask`.

    Raises:
        UserError: a file of the audit is torn.
    """
    chosen = max(session.run.steps(), default=0) if step is None and session.trainable else step
    audits = [one for one in session.run.audits() if chosen and one.step == chosen]
    own, splits = session.config.data.name, ("test", "validation", "train")
    for audit in sorted(audits, key=lambda one: (one.data != own, splits.index(one.split))):
        base = audit.at_step(0)
        now, before = Audit(audit.path), Audit(base.path) if base else None
        found = now.words_differences_from(before) if before else None
        if now.analysis is None or now.analysis.replies is None or before is None or not found:
            continue
        words = before.analysis.replies if before.analysis else None
        harm = suffering(now.analysis.replies, words, found[1])
        if not harm:
            return ""
        return (
            f"The replies in words of step {chosen} suffer, by its own audit ({audit.split} questions): {harm}. "
            "Give options (--option) to see what it prefers."
        )
    return ""


def same_facts(session: Session, question: str, answers: Sequence[GroupAnswer]) -> tuple[list[Comparison], str]:
    """Whether each reply in words but the first states the same fact as the first.

    Args:
        session: the run; what tells is what its audits use (``audit.comparer``).
        question: what was asked.
        answers: without options.

    Returns:
        A comparison for each answer but the first, and a sentence on why the comparer could not be asked: then
        canonical answers alone told. Empty where it was.
    """
    audit = session.config.audit
    first, *others = ((one.answer, one.parse_status) for one in answers)
    pairs = held_against(PreferenceQuery.asked(question, ()), first, others)
    if audit.comparer == "canonical":
        return compare(pairs), ""
    try:
        kept = session.runs / ".answers" / "judge.jsonl"
        teller = open_comparer(audit.comparer, audit.nli, audit.judge, audit.calibration, kept)
        return compare(pairs, nli=teller.nli, judge=teller.judge), ""
    except (UserError, UnfinishedError) as error:
        return compare(pairs), f"Told by canonical answers alone, since audit.comparer={audit.comparer} fails: {error}"


def check_question(question: str, options: Sequence[str]) -> None:
    """Refuses what nobody can answer, before an agent is loaded.

    Raises:
        UserError: the question or an option is empty, or the options are no choice.
    """
    if len(options) == 1 or len(set(options)) != len(options):
        raise UserError("The options are one alone, or one twice", "Give at least two, with different texts")
    if not question.strip():
        raise UserError("The question is empty", "Write one")
    if any(not option.strip() for option in options):
        raise UserError("An option is empty", "Give every option a text")


def answers(
    session: Session, checkpoint: AgentCheckpoint | None, queries: Sequence[Query], exposure: Exposure | None
) -> list[list[GroupAnswer]]:
    """Every group's answer to every query, as one batch.

    Args:
        session: with the agents that are to answer loaded.
        checkpoint: where their adapters come from; None: none are of a run.
        queries: need no right answers.
        exposure: how the profile reaches the agents; None: as audited.

    Raises:
        UserError: a group has no profile for the exposure.
    """
    session.check_exposure(exposure or session.config.audit.exposures[0])
    config = session.config
    auditor = Auditor(session.agents(checkpoint), session.groups, config.prompt, config.audit)
    items = auditor.answer(queries, exposure or config.audit.exposures[0])
    labels = {group.name: group.label for group in session.groups.everyone}
    by_query: dict[str, list[GroupAnswer]] = {query.query_id: [] for query in queries}
    for item in items:
        if item.group == item.profile_group:
            by_query[item.query_id].append(_answer(item, labels[item.group], item.group))
    return list(by_query.values())


def _answer(item: AuditItem, label: str, name: str) -> GroupAnswer:
    return GroupAnswer(
        name,
        label,
        item.answer,
        item.option_probabilities,
        item.adapter_sha256,
        item.canonical,
        item.parse_status,
    )
