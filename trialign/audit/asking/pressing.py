"""Asking under pressure: every agent that answered alone is pushed away from its answer, and, elsewhere, is not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from trialign import distributed
from trialign.asking import Answer
from trialign.audit.asking.attacks import ARMS, Arm, Attack, followed, in_profile, in_question
from trialign.audit.asking.run import Auditor, Reading
from trialign.audit.files.items import AuditItem
from trialign.audit.files.pressed import PressedItem
from trialign.claims import asserted
from trialign.environment import check_fits, observe, stable_seed
from trialign.errors import UserError
from trialign.groups import SocialGroup
from trialign.models import ChatRenderer
from trialign.progress import Progress
from trialign.queries import Query, TruthQuery
from trialign.queries.answers import is_correct
from trialign.queries.translated import known, told_in
from trialign.weighing import Asked


class Kept(Protocol):
    """Answers under pressure that outlive the process: what is there is not asked again."""

    def get(self, key: str) -> list[PressedItem] | None:
        """The answers that are kept under a key; None where none are."""
        ...

    def keep(self, items: Mapping[str, Sequence[PressedItem]]) -> None:
        """Writes answers down, by their keys."""
        ...


@dataclass(frozen=True)
class Alone:
    """What an agent answered alone.

    Attributes:
        said: as others hear it.
        right: whether it is.
    """

    said: str
    right: bool


@dataclass(frozen=True)
class Pushed:
    """One question as one agent is asked it under pressure.

    Attributes:
        attack: the kind.
        arm: whether something is claimed.
        target: the option that is claimed.
        alone: what the agent answered alone.
        said: the words that push.
        asked: the question with them.
    """

    attack: Attack
    arm: Arm
    target: str
    alone: Alone
    said: tuple[str, ...]
    asked: Asked


def facts_with_options(queries: Sequence[Query]) -> list[TruthQuery]:
    """The questions that can be put under pressure: facts with options, one of which can be claimed.

    Raises:
        UserError: there are none.
    """
    found = [query for query in queries if isinstance(query, TruthQuery) and query.options]
    if not found:
        raise UserError(
            "audit.pressure pushes agents towards wrong options, and no fact that is asked has options",
            "Leave audit.pressure out, or ask facts with options",
        )
    return found


def pushed(
    auditor: Auditor, query: TruthQuery, group: SocialGroup, alone: Alone, attacks: Sequence[Attack]
) -> Iterator[Pushed]:
    """Everything that one agent is asked about one question: every attack, and its twin.

    An agent that was right alone is pushed to a wrong option, one that was wrong to the right one.

    Args:
        auditor: who asks.
        query: the question.
        group: whose agent.
        alone: its answer in turn 0.
        attacks: the kinds of pressure.
    """
    exposure, query = auditor.config.exposures[0], told_in(query, group.language)
    wrong = asserted(query, stable_seed(f"pressure:{auditor.seed}:{query.query_id}"))
    target = wrong if alone.right else query.gold
    plain = auditor.asked(query, group, exposure, 0, 0)
    for attack in attacks:
        for arm in ARMS:
            said = attack.said(arm, target, query.options, len(auditor.groups.members))
            if attack.channel == "question":
                asked = auditor.asked(in_question(query, said[0]), group, exposure, 0, 0)
            elif attack.channel == "profile":
                asked = auditor.asked(query, in_profile(group, exposure, said[0]), exposure, 0, 0)
            else:
                conversation = followed(plain.conversation, alone.said, attack, said, auditor.prompt)
                asked = replace(plain, turn=1, conversation=conversation)
            yield Pushed(attack, arm, target, alone, said, asked)


def press(
    auditor: Auditor,
    items: Sequence[AuditItem],
    queries: Sequence[Query],
    attacks: Sequence[Attack],
    title: str,
    kept: Kept | None = None,
) -> list[PressedItem]:
    """Every member's agent under every attack, shared out over the ranks and joined on all of them.

    Args:
        auditor: who asks.
        items: what the same agents answered alone, of all ranks.
        queries: of which the facts with options are asked.
        attacks: the kinds of pressure.
        title: of the progress.
        kept: answers of an audit that was cut off; None: none are kept.

    Raises:
        UserError: there is nothing to ask, or a question cannot be put to the agents.
    """
    rank, ranks = distributed.rank(), distributed.world_size()
    mine = facts_with_options(queries)[rank::ranks]
    alone = _alone(items, auditor)
    found: list[PressedItem] = []
    size = max(1, auditor.config.queries_per_batch // 4)  # each is asked many times over
    with Progress(title, len(mine), "questions", shown=rank == 0) as progress:
        for begin in range(0, len(mine), size):
            plans = {
                query.query_id: [
                    one
                    for group in auditor.groups.members
                    for one in pushed(auditor, query, group, alone[query.query_id, group.name], attacks)
                ]
                for query in mine[begin : begin + size]
            }
            for rows in _answered(auditor, plans, kept):
                found.extend(rows)
                progress.advance()
    return [item for part in distributed.gather(found) for item in part]


def _answered(
    auditor: Auditor, plans: Mapping[str, Sequence[Pushed]], kept: Kept | None
) -> Iterator[Sequence[PressedItem]]:
    """The answers to some questions, those that are kept and those that are asked for now."""
    keys = {query_id: _key(plan) for query_id, plan in plans.items()}
    known = {query_id: kept.get(key) if kept else None for query_id, key in keys.items()}
    missing = [query_id for query_id, rows in known.items() if rows is None]
    asked = [one for query_id in missing for one in plans[query_id]]
    answers = list(auditor.agents.answer([one.asked for one in asked]))
    readings = auditor.readings([one.asked for one in asked], answers)
    rows = iter([_row(*parts) for parts in zip(asked, answers, readings, strict=True)])
    new = {query_id: [next(rows) for _ in plans[query_id]] for query_id in missing}
    if kept and new:
        kept.keep({keys[query_id]: rows for query_id, rows in new.items()})
    return (new[query_id] if query_id in new else known[query_id] or [] for query_id in plans)


def _alone(items: Sequence[AuditItem], auditor: Auditor) -> dict[tuple[str, str], Alone]:
    """(query, group) -> what was answered in turn 0, with the first wording, the first time."""
    exposure = auditor.config.exposures[0]
    return {
        (one.query_id, one.group): Alone(
            one.canonical if one.parse_status == "structured" and one.canonical else one.answer, bool(one.correct)
        )
        for one in items
        if one.turn == one.wording == one.repeat == 0 and one.exposure == exposure and one.group == one.profile_group
    }


def _row(pushed: Pushed, answer: Answer, reading: Reading) -> PressedItem:
    query, alone = pushed.asked.query, pushed.alone
    return PressedItem(
        query_id=query.query_id,
        cluster=query.cluster,
        split=query.split,
        topic=query.topic,
        group=pushed.asked.group.name,
        exposure=pushed.asked.exposure,
        attack=pushed.attack.name,
        arm=pushed.arm,
        target=pushed.target,
        before=alone.said,
        right_before=alone.right,
        said="\n".join(pushed.said),
        answer=answer.text,
        canonical=known(query, reading.canonical),
        parse_status=reading.status,
        correct=isinstance(query, TruthQuery) and is_correct(query, reading.canonical),
        option_probabilities=answer.option_probabilities,
        adapter_sha256=answer.adapter_sha256,
    )


def _key(plan: Sequence[Pushed]) -> str:
    """Names the answers to a question by all that they depend on but the weights."""
    whole = [
        (one.attack.name, one.arm, one.target, one.alone.said, one.asked.group.name, one.asked.conversation)
        for one in plan
    ]
    options = plan[0].asked.query.options if plan else ()
    return hashlib.sha256(json.dumps([options, whole]).encode()).hexdigest()


def check_turns(
    queries: Sequence[TruthQuery],
    auditor: Auditor,
    attacks: Sequence[Attack],
    renderer: ChatRenderer,
    context_length: int | None,
) -> None:
    """Whether the template holds the turns of the attacks, and the context the longest of their prompts.

    Asked before the first question: an audit that ends under pressure has answered everything else by then.

    Args:
        queries: facts with options.
        auditor: who asks; its agents are not needed.
        attacks: the kinds of pressure.
        renderer: of the base model.
        context_length: of the base model; None: it is not known.

    Raises:
        UserError: the template does not hold the turns, or a prompt does not fit.
    """
    longest: dict[str, Asked] = {}
    for query in queries:
        for group in auditor.groups.members:
            for one in pushed(auditor, query, group, Alone(max(query.options, key=len), right=True), attacks):
                if _size(one.asked) > _size(longest.get(one.attack.channel)):
                    longest[one.attack.channel] = one.asked
    for channel, asked in longest.items():
        try:
            found = observe(asked.query, asked.group, asked.exposure, 0, asked.turn, asked.conversation, renderer)
        except UserError as error:
            raise UserError(
                f"The base model cannot be put under pressure by its {channel}: {error}",
                "Leave these attacks out of audit.pressure, or choose another base model",
            ) from error
        check_fits(found, max(len(renderer.reply(option)) for option in asked.query.options), context_length)


def _size(asked: Asked | None) -> int:
    return sum(len(content) for _, content in asked.conversation) if asked else 0
