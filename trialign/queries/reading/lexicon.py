"""Finding phrases, of whatever language, in a row of tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar

from trialign.queries.reading.tokens import Level, Token, form, forms, tokens
from trialign.queries.reading.words import Cue, phrases

T = TypeVar("T")

# What may stand between the words of one phrase.
_PASSED = frozenset(",'\"-(:.)")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A phrase in a text: the places of its first and beyond its last token, and what it stands for."""

    first: int
    last: int
    value: T


class Phrases(Generic[T]):
    """Phrases and what they stand for; the longest one wins, and finds do not overlap."""

    def __init__(self, entries: Iterable[tuple[str, T]], level: Level, *, across: frozenset[str] = _PASSED) -> None:
        self._level = level
        self._across = across
        self._by_first: dict[str, list[tuple[tuple[str, ...], T]]] = defaultdict(list)
        known: dict[tuple[str, ...], T] = {}
        for text, value in entries:
            words = tuple(form(token, level) for token in tokens(text) if token.kind != "mark")
            if words:
                known[words] = value
        for words, value in known.items():
            self._by_first[words[0]].append((words, value))
        for listed in self._by_first.values():
            listed.sort(key=lambda entry: -len(entry[0]))

    def find(self, row: Sequence[Token]) -> list[Found[T]]:
        """Every phrase in a row of tokens, from left to right."""
        found: list[Found[T]] = []
        place = 0
        while place < len(row):
            best = None if row[place].kind == "mark" else self._at(row, place)
            if best is not None:
                found.append(best)
            place = best.last if best else place + 1
        return found

    def _at(self, row: Sequence[Token], place: int) -> Found[T] | None:
        best: Found[T] | None = None
        for first in forms(row[place], self._level):
            for words, value in self._by_first.get(first, ()):
                if best is None or len(words) > best.last - best.first:
                    last = self._end(row, place, words)
                    if last:
                        best = Found(place, last, value)
                        break
        return best

    def _end(self, row: Sequence[Token], place: int, words: tuple[str, ...]) -> int:
        """The place beyond a phrase that begins here; 0 where it does not go on."""
        place += 1
        for word in words[1:]:
            while (
                place < len(row)
                and row[place].kind == "mark"
                and (row[place].text in self._across or row[place].text == "'s")
            ):
                place += 1
            if place >= len(row) or word not in forms(row[place], self._level):
                return 0
            place += 1
        return place


@cache
def cues(spoken: str | None = None) -> Phrases[Cue]:
    """The words by which replies state, deny, report and correct, as a language means them."""
    return Phrases(phrases(spoken), Level.STEM, across=frozenset(",'\"-"))
