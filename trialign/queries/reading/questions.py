"""What a question says of its answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.tokens import Level, Token, forms, tokens
from trialign.queries.reading.words import Cue, asking, irregular


def overlap(words: Iterable[Token], question: frozenset[str]) -> float:
    """The share of a question's words (`words_of`) that come again; words are alike as far as their endings."""
    if not question:
        return 0.0
    said = list(words)
    found = {root(one) for token in said for one in forms(token, Level.STEM)} | set(_pairs(said))
    if any(_MOST.fullmatch(token.text.casefold()) for token in said):
        found.add(_SUPERLATIVE)
    return len(found & question) / len(question)


def _pairs(words: Sequence[Token]) -> Iterator[str]:
    """Neighbours in scripts without blanks, of which one character alone says little."""
    for left, right in pairwise(words):
        if left.kind == right.kind == "unspaced" and left.end == right.start:
            yield left.text + right.text


_SUPERLATIVE = "@most"
# Words for the highest degree: that a reply speaks of one answers a question for one, whatever its words.
_MOST = re.compile(
    r"most|least|best|worst|(?!forest|harvest|interest|request|honest|modest|arrest|invest|protest|contest|digest)"
    r"[a-z]{3,}est|(?:[a-zäöüß]{3,})(?:ßte|[^aeiou]ste)[nrsm]?|más|mais|plus|più|maior|mayor|mejor|"
    r"сам(?:ый|ая|ое|ые|ым|ой|ого)|наибол\w+|\w+(?:ейш|айш)\w+|най\w{3,}|naj\w{3,}|en|最|一番|가장|제일|सबसे|أكبر|أطول|أعلى|أكثر|"
    r"أصغر|أقصر|أقدم|أسرع|الأكبر|الأطول|الأعلى|الأكثر|الأصغر|\w+ترین|ביותר|הכי|nhất|paling|ter\w{4,}|πιο|μεγαλύτερ\w+"
)


def root(word: str) -> str:
    """A word without what endings change: "populous" and "population" share it; that of "sank" is "sink"."""
    word = _IRREGULAR.get(word, word)
    length = _ROOT - ("\u0590" <= word[:1] <= "\u06ff")  # Hebrew and Arabic words are short
    return word[:length] if len(word) > length and not word.isdigit() else word


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
    kept = [
        token
        for place, token in enumerate(row)
        if token.kind in ("word", "number", "unspaced") and place not in small and token.text.casefold() not in _ASKING
    ]
    most = {_SUPERLATIVE} if any(_MOST.fullmatch(token.text.casefold()) for token in row) else set()
    words = {root(min(forms(token, Level.STEM), key=len)) for token in kept if token.kind != "unspaced"}
    signs = {
        token.text
        for before, token, after in zip([None, *row], row, [*row[1:], None], strict=False)
        if token in kept and _is_ideograph(token) and not _is_ideograph(before) and not _is_ideograph(after)
    }
    return frozenset(words | signs | set(_pairs(kept)) | most)


def _is_ideograph(token: Token | None) -> bool:
    return token is not None and token.kind == "unspaced" and "\u3400" <= token.text <= "\u9fff"


_ASKING = frozenset(asking())
