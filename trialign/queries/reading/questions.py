"""What a question says of its answer."""

from __future__ import annotations

from collections.abc import Iterable

from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.tokens import Level, Token, form, forms, tokens
from trialign.queries.reading.words import Cue, asking, irregular


def overlap(words: Iterable[Token], question: frozenset[str]) -> float:
    """The share of a question's words (`words_of`) that come again; words are alike as far as their endings."""
    if not question:
        return 0.0
    return len({root(one) for token in words for one in forms(token, Level.STEM)} & question) / len(question)


def root(word: str) -> str:
    """A word without what endings change: "populous" and "population" share it; that of "sank" is "sink"."""
    word = _IRREGULAR.get(word, word)
    return word[:_ROOT] if len(word) > _ROOT and not word.isdigit() else word


_ROOT = 5
_IRREGULAR = dict(irregular())


def words_of(question: str) -> frozenset[str]:
    """Roots of the question's words that carry its content."""
    row = tokens(question)
    small = {
        place
        for one in cues().find(row)
        for place in range(one.first, one.last)
        if one.value in (Cue.FILLER, Cue.AND, Cue.OR, Cue.BECAUSE)
    }
    return frozenset(
        root(form(token, Level.STEM))
        for place, token in enumerate(row)
        if token.kind in ("word", "unspaced") and place not in small and token.text.casefold() not in _ASKING
    )


_ASKING = frozenset(asking())
