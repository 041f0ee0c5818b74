"""Whether a free reply gives the right text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from trialign.queries.reading.cleaning import Cleaned
from trialign.queries.reading.languages import spoken_in
from trialign.queries.reading.options import Texts
from trialign.queries.reading.polar import Polar
from trialign.queries.reading.statements import Asked
from trialign.queries.reading.sure import Named, goes_on
from trialign.queries.reading.tokens import Level, Token, form, tokens
from trialign.queries.reading.typography import plain
from trialign.queries.statuses import ParseStatus

_LIST_NUMBER = re.compile(r"^[ \t]*\d{1,2}[.)](?=\s)", re.MULTILINE)


class Right:
    """The right texts of a question, ready to be found in replies."""

    def __init__(self, texts: tuple[str, ...], question: str) -> None:
        self._texts = Texts(texts, [0] * len(texts))
        self._polar = Polar(texts)
        self._question = question
        self._asked = Asked(question)
        self._words = [[form(one, Level.FOLD) for one in tokens(plain(text)) if one.kind != "mark"] for text in texts]

    def read(self, cleaned: Cleaned) -> ParseStatus | None:
        """How the right text was found in a reply.

        Returns:
            None where the reply surely does not give it: nothing that is like it occurs; ``ambiguous`` where it, or
            what looks like it, occurs and is not surely given.
        """
        if cleaned.marked:
            return self._read(cleaned.marked[-1]) if not goes_on(cleaned) else "ambiguous"
        return self._read(cleaned.said)

    def _read(self, said: str) -> ParseStatus | None:
        if self._texts.whole(said):
            return "text"
        said = _LIST_NUMBER.sub("", said)
        row = tokens(said)
        mentions = self._polar.standing(self._texts.find(said, row, self._question), row)
        if not mentions:
            return "ambiguous" if self._resembles(row) else None
        named = Named(row, mentions, self._asked, spoken_in(said, plain(self._question)), free=True)
        return "contained" if named.surely() else "ambiguous"

    def _resembles(self, row: Sequence[Token]) -> bool:
        """Whether a word begins like one of a right text, or its letters stand in a row: "Krakowie" for "Kraków"."""
        said = [form(token, Level.FOLD) for token in row if token.kind in ("word", "number", "unspaced")]
        joined = "".join(said)
        for words in self._words:
            letters = "".join(words)
            if len(letters) >= _LONG and letters in joined:
                return True
            for own in (one for one in words if len(one) >= _LONG and not one.isdigit()):
                length = max(3, int(len(own) * _BEGINNING))
                if any(one[:length] == own[:length] for one in said):
                    return True
        return False


_LONG = 4
_BEGINNING = 0.6  # share of a word's letters that its other forms keep


@lru_cache(maxsize=256)
def right_of(texts: tuple[str, ...], question: str) -> Right:
    """The right texts of a question, kept for its further replies."""
    return Right(texts, question)
