"""What a question says of its answer."""

from __future__ import annotations

from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.tokens import Level, form, tokens
from trialign.queries.reading.words import Cue, word_set


def words_of(question: str) -> frozenset[str]:
    """Forms of the question's words that carry its content."""
    row = tokens(question)
    small = {
        place
        for one in cues().find(row)
        for place in range(one.first, one.last)
        if one.value in (Cue.FILLER, Cue.AND, Cue.OR, Cue.BECAUSE)
    }
    return frozenset(
        form(token, Level.STEM)
        for place, token in enumerate(row)
        if token.kind in ("word", "unspaced") and place not in small and token.text.casefold() not in _ASKING
    )


_ASKING = word_set(
    "which what who where when how many much why whose whom does do did in on at of for by with from quel quelle "
    "quién qué cuál wer was welche wie"
)
