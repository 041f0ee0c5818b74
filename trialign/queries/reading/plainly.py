"""Which options a reply names with nothing in it that denies: enough where it is known what the reply was to say."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.options import Texts
from trialign.queries.reading.tokens import tokens
from trialign.queries.reading.typography import plain
from trialign.queries.reading.words import Cue

_DENYING = {Cue.NOT, Cue.NOT_AFTER, Cue.WRONG, Cue.CORRECTION, Cue.REFUSAL, Cue.UNKNOWN, Cue.NEITHER}


def named_plainly(reply: str, options: Sequence[str], question: str) -> frozenset[int]:
    """Places of the options whose texts stand in a reply; none where it denies, takes back or refuses anything.

    It is no reading of a reply of which nothing is known: a sentence that speaks of an option need not choose it.
    """
    said = plain(reply)
    row = tokens(said)
    if any(found.value in _DENYING for found in cues().find(row)):
        return frozenset()
    return frozenset(mention.value for mention in _texts(tuple(options)).find(said, row, question))


@lru_cache(maxsize=256)
def _texts(options: tuple[str, ...]) -> Texts:
    return Texts(options, range(len(options)))
