"""Phrases by which a reply takes its answer back, or leaves it open."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from trialign.queries.reading.lexicon import Found, Phrases
from trialign.queries.reading.tokens import Level, Token
from trialign.queries.reading.words import Closing, closings


def closings_in(row: Sequence[Token]) -> list[Found[Closing]]:
    """What a reply says of its own answers, in order: it cannot decide, takes back, stands by the first."""
    return _known().find(row)


@cache
def _known() -> Phrases[Closing]:
    return Phrases(closings(), Level.STEM, across=frozenset(",'\"-"))
