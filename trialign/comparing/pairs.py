"""Two replies to one question, what is said of them, and what their canonical answers alone tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trialign.queries.answers import ParsedAnswer, is_correct, parse_answer
from trialign.queries.reading.cleaning import cleaned
from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.tokens import tokens
from trialign.queries.reading.words import Cue
from trialign.queries.types import PreferenceQuery, Query, TruthQuery

Verdict = Literal["same", "other", "cannot tell"]
#: What told: the canonical answers, the model of entailment, the judge; ``unread``: a reply with nothing to compare.
By = Literal["canonical", "unread", "nli", "judge"]
_TOLD_BY: dict[By, str] = {
    "canonical": "what they were read as",
    "unread": "one of them holds nothing to compare",
    "nli": "two-way entailment",
    "judge": "the judge",
}

# A reply that declines, or stops before its answer, states no fact: no teller may make agreement of it.
_SHORT = 12  # words of a reply that says nothing beside that it does not know
#: How a reply was read that says nothing to compare, also where its text alone does not show it.
NOTHING_SAID = ("refused", "cut_off", "filtered", "failed")


@dataclass(frozen=True)
class ReplyPair:
    """Two replies to one question; whose they are is told to nobody who compares them.

    Attributes:
        query: the question, with its options and its right answer where it has them.
        first: a whole reply.
        second: the other one.
    """

    query: Query
    first: str
    second: str

    @classmethod
    def of_question(cls, question: str, first: str, second: str) -> ReplyPair:
        """Replies to a question of which nothing but its words is known."""
        return cls(PreferenceQuery.asked(question, ()), first, second)


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        verdict: ``same``, ``other`` or ``cannot tell``.
        by: what told, or could not tell last.
    """

    verdict: Verdict
    by: By

    @property
    def told_by(self) -> str:
        """What told, or could not, in words."""
        if self.by == "unread":
            return _TOLD_BY[self.by]
        return f"{_TOLD_BY[self.by]} does not tell" if self.verdict == "cannot tell" else f"by {_TOLD_BY[self.by]}"


def held_against(query: Query, reference: tuple[str, str], others: Sequence[tuple[str, str]]) -> list[ReplyPair]:
    """Each of some replies beside one of them, for `compare`.

    Args:
        query: what all were asked.
        reference: the reply that the others are held against, and how it was read (``parse_status``).
        others: the same of the others.
    """
    first, *said = ("" if status in NOTHING_SAID else text for text, status in (reference, *others))
    return [ReplyPair(query, first, other) for other in said]


def by_canonical(pairs: Sequence[ReplyPair]) -> list[Comparison]:
    """What the canonical answers tell: equal ones are the same, two options or two numbers are others.

    Two answers that are both right are the same, in whatever words. Other texts that differ tell nothing: they may be
    one fact in two wordings. A reply that refuses, is cut off, is empty or only says that it does not know can be
    compared with nothing (``unread``).

    Returns:
        One comparison a pair, in order.
    """
    read: dict[tuple[int, str], ParsedAnswer] = {}

    def reading(query: Query, reply: str) -> ParsedAnswer:
        key = (id(query), reply)  # the pairs hold their queries, so no id is used twice
        if key not in read:
            read[key] = parse_answer(query, reply)
        return read[key]

    return [_of(one, reading(one.query, one.first), reading(one.query, one.second)) for one in pairs]


def _of(pair: ReplyPair, first: ParsedAnswer, second: ParsedAnswer) -> Comparison:
    if _says_nothing(pair.first, first) or _says_nothing(pair.second, second):
        return Comparison("cannot tell", "unread")
    if first.canonical is None or second.canonical is None:
        return Comparison("cannot tell", "canonical")
    if first.canonical == second.canonical or _both_right(pair.query, first.canonical, second.canonical):
        return Comparison("same", "canonical")
    return Comparison("cannot tell" if pair.query.answer_kind == "text" else "other", "canonical")


def _says_nothing(reply: str, read: ParsedAnswer) -> bool:
    """Whether a reply refuses, is cut off or empty, or is no more than "I don't know"."""
    if read.canonical is not None:
        return False
    row = tokens(cleaned(reply).said[:2000])
    words = sum(token.kind != "mark" for token in row)
    unknown = words <= _SHORT and any(one.value == Cue.UNKNOWN for one in cues().find(row))
    return read.status in NOTHING_SAID or words == 0 or unknown


def _both_right(query: Query, first: str, second: str) -> bool:
    return isinstance(query, TruthQuery) and is_correct(query, first) and is_correct(query, second)
