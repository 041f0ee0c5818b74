"""Where numbers stand among the words of a reply, and what joins them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.numbers import Number
from trialign.queries.reading.tokens import Token

_RIVAL = re.compile(
    r"(?:,|;|/|、|[,]?\s?(?:or|and|or maybe|or perhaps|o|y|u|ou|et|e|oder|und|или|и|либо|أو|و|یا|या|और|หรือ|และ|"
    r"veya|ya da|ve|或|或者|还是|和|か|または|또는|혹은|או))",
    re.IGNORECASE,
)


def has_rival(said: str, found: Sequence[Number], chosen: Number) -> bool:
    """Whether "or", "and" or a bare comma joins the number with another one."""
    place = found.index(chosen)
    for left, right in zip(
        found[max(0, place - 1) : place + 1], found[max(0, place - 1) + 1 : place + 2], strict=False
    ):
        if left.readings != right.readings and chosen in (left, right):
            between = said[left.end : right.start]
            if len(between) < 16 and _RIVAL.fullmatch(between.strip()):
                return True
    return False


def is_of_name(said: str, row: Sequence[Token], place: tuple[int, int]) -> bool:
    """Whether a number belongs to a name before it, as in "Apollo 11"."""
    before = row[place[0] - 1] if place[0] > 1 else None
    if before is None or before.kind != "word" or len(before.text) < 3 or not before.text.istitle():
        return False
    earlier = row[place[0] - 2]
    return earlier.kind == "word" and before.text.isascii() and not cues().find([before])


def alike(left: str, right: str) -> bool:
    """Whether two words are one but for their ending."""
    if left == right:
        return len(left) > 1 or not left.isascii()
    length = min(len(left), len(right))
    return (length >= 4 and left[: length - 1] == right[: length - 1]) or (
        length >= 3 and (left.startswith(right) or right.startswith(left))
    )


def number_places(row: Sequence[Token], found: Sequence[Number]) -> list[tuple[int, int]]:
    """First and beyond the last token of every number."""
    places = []
    index = 0
    for number in found:
        while index < len(row) and row[index].end <= number.start:
            index += 1
        first = index
        while index < len(row) and row[index].start < number.end:
            index += 1
        places.append((first, max(index, first + 1)))
    return places
