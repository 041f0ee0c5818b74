"""Whether a reply leaves the answer that was read from it undisputed: in doubt it is not read.

An answer that nobody gave does more harm than one that is asked for again, so a reading stands only where nothing
in the reply speaks against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from trialign.queries.reading.clauses import Sentence, sentences
from trialign.queries.reading.lexicon import Found, Phrases
from trialign.queries.reading.tokens import Level, Token
from trialign.queries.reading.weights import Judged, Weight
from trialign.queries.reading.words import Closing, closings


def closing(row: Sequence[Token]) -> list[Found[Closing]]:
    """What a reply says of its own answers, in order: it cannot decide, takes back, stands by the first."""
    return _known().find(row)


def is_left_open(row: Sequence[Token], last: int) -> bool:
    """Whether what follows a reply's answer takes it back or leaves the choice open.

    Args:
        row: the reply's tokens.
        last: beyond the last token of the answer's last mention.
    """
    behind = [one for one in closing(row) if one.first >= last]
    return any(one.value != Closing.STANDS for one in behind)


def disputed(row: Sequence[Token], found: Sequence[Judged], value: int, spoken: str | None) -> bool:
    """Whether something in a reply speaks against the answer that was read from it.

    Args:
        row: the reply's tokens.
        found: its mentions, as judged.
        value: the answer that was read.
        spoken: the reply's language.
    """
    mine = [one for one in found if one.value == value]
    if not mine:
        return False
    last = mine[-1].mention
    if is_left_open(row, last.last):
        return True
    denied = [one for one in mine if one.weight == Weight.DENIED]
    if denied and mine[-1].weight < Weight.ALONE:
        return True
    later = [one for one in found if one.mention.first > last.first and one.value != value]
    later = [one for one in later if one.weight >= Weight.MENTIONED]
    return bool(later) and not _stands_first(sentences(row, [one.mention for one in found], spoken), mine, later)


def _stands_first(parts: Sequence[Sentence], mine: Sequence[Judged], later: Sequence[Judged]) -> bool:
    """Whether the answer was given before anything else, or answers the question better than what follows it."""
    best = max(mine, key=lambda one: (one.weight, one.overlap))
    if best.weight <= Weight.SAID:
        return all(one.overlap < best.overlap or one.weight == Weight.MENTIONED for one in later)
    if any(one.weight >= Weight.FOLLOWS for one in later):
        return False
    opening = next((number for number, part in enumerate(parts) if part.pieces), 0)
    return mine[0].sentence == opening or best.weight >= Weight.ANSWER


@cache
def _known() -> Phrases[Closing]:
    return Phrases(closings(), Level.STEM, across=frozenset(",'\"-"))
