"""A question that was asked both ways, freely and with answers to choose from: does each agent say the same?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trialign.groups import Exposure
from trialign.queries import Query
from trialign.queries.answers import normal_text
from trialign.queries.endings import read_reply

from .replies import Answers, Reply


@dataclass(frozen=True)
class Told:
    """A question with its answers.

    Attributes:
        question: as `replies.Question`, without the groups.
        answers: one a source.
        when: in words.
        free: whether it was answered in words.
    """

    query: Query
    exposure: Exposure
    answers: tuple[Answers, ...]
    when: str
    free: bool


@dataclass(frozen=True)
class Twice:
    """What agents that were asked both ways said.

    Attributes:
        differing: of whom, the free reply, the chosen answer: where the reply holds another one of the answers.
        same: how many free replies hold the answer that was chosen.
        unread: how many hold none of the answers, or several.
    """

    differing: tuple[tuple[str, Reply, Reply], ...]
    same: int
    unread: int


def counterpart(told: Told, others: Sequence[Told]) -> Told | None:
    """The last of the others that put the same question the other way, with profiles of the same kind."""
    for other in reversed(others):
        if (
            other.free != told.free
            and normal_text(other.query.question) == normal_text(told.query.question)
            and other.exposure == told.exposure
            and _pairs(told, other)
        ):
            return other
    return None


def compared(told: Told, other: Told) -> Twice:
    """The two held against each other, agent by agent; a free reply is read as the audit reads replies.

    Args:
        told: asked one way.
        other: its `counterpart`.
    """
    differing, same, unread = [], 0, 0
    for label, first, second in _pairs(told, other):
        free, choice = (first, second) if told.free else (second, first)
        query = told.query if told.query.options else other.query
        said = read_reply(query, free.text, cut_off=not free.finished).canonical
        if said is None or choice.canonical is None:
            unread += 1
        elif said == choice.canonical:
            same += 1
        else:
            differing.append((label, free, choice))
    return Twice(tuple(differing), same, unread)


def _pairs(told: Told, other: Told) -> list[tuple[str, Reply, Reply]]:
    """The same agent's replies to both, with a name for it."""
    theirs = {(one.step, reply.group): reply for one in other.answers for reply in one.replies}
    several = len(told.answers) > 1
    return [
        (f"{reply.label}, step {one.step}" if several else reply.label, reply, theirs[one.step, reply.group])
        for one in told.answers
        for reply in one.replies
        if (one.step, reply.group) in theirs
    ]
