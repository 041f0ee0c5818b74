"""Whether a free reply gives the right text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from trialign.queries.reading.clauses import sentences
from trialign.queries.reading.cleaning import Cleaned
from trialign.queries.reading.judging import judged
from trialign.queries.reading.languages import spoken_in
from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.options import Texts
from trialign.queries.reading.polar import Polar
from trialign.queries.reading.questions import words_of
from trialign.queries.reading.tokens import Token, tokens
from trialign.queries.reading.trust import is_left_open
from trialign.queries.reading.typography import plain
from trialign.queries.reading.weights import Judged, Weight
from trialign.queries.reading.words import Cue
from trialign.queries.statuses import ParseStatus

_LIST_NUMBER = re.compile(r"^[ \t]*\d{1,2}[.)](?=\s)", re.MULTILINE)


class Right:
    """The right texts of a question, ready to be found in replies."""

    def __init__(self, texts: tuple[str, ...], question: str) -> None:
        self._texts = Texts(texts, [0] * len(texts))
        self._polar = Polar(texts)
        self._question = question
        self._asked = words_of(question)

    def read(self, cleaned: Cleaned) -> ParseStatus | None:
        """How the right text was found in a reply; None where the reply does not give it, ``ambiguous`` in doubt."""
        for marked in cleaned.marked:
            found = self._read(marked)
            if found:
                return found
        return None if any(one.strip() for one in cleaned.marked) else self._read(cleaned.said)

    def _read(self, said: str) -> ParseStatus | None:
        if self._texts.whole(said):
            return "text"
        said = _LIST_NUMBER.sub("", said)
        row = tokens(said)
        mentions = self._polar.standing(self._texts.find(said, row, self._question), row)
        if not mentions:
            return None
        spoken = spoken_in(said, plain(self._question))
        found = judged(row, mentions, self._asked, spoken)
        live = [one for one in found if one.weight >= Weight.GUESSED]
        if not live or self._concluded_otherwise(row, found, live, spoken):
            return None
        best = max(live, key=lambda one: one.weight)
        if is_left_open(row, live[-1].mention.last):
            return None
        if _is_alternative(row, best, spoken) and best.weight < Weight.FINAL:
            return "ambiguous"
        return "contained"

    def _taken_back(self, row: Sequence[Token], found: Sequence[Judged], last: Judged, spoken: str | None) -> bool:
        """Whether a correction that names something else follows: "Paris. No, wait, that was Lyon"."""
        corrected = False
        for sentence in sentences(row, [one.mention for one in found], spoken):
            for clause in sentence.clauses:
                if not clause.pieces or clause.pieces[0].first < last.mention.last or sentence.asked:
                    continue
                corrected |= clause.begins == Cue.CORRECTION
                content = [piece for piece in clause.pieces if piece.cue is None and not piece.mark]
                if corrected and any(piece.text[:1].isupper() or not piece.text.isascii() for piece in content):
                    return True
        return False

    def _concluded_otherwise(
        self, row: Sequence[Token], found: Sequence[Judged], live: Sequence[Judged], spoken: str | None
    ) -> bool:
        """Whether a later sentence concludes ("the answer is ...") without the right text."""
        top = max(live, key=lambda one: one.weight)
        if top.weight >= Weight.ANSWER:
            return False
        if self._taken_back(row, found, live[-1], spoken):
            return True
        named = {one.sentence for one in found}
        for number, sentence in enumerate(sentences(row, [one.mention for one in found])):
            if (
                number not in named
                and number > live[-1].sentence
                and sentence.has(Cue.ANSWER, Cue.FINAL)
                and len(sentence.pieces) <= 14
            ):
                announces = any(piece.cue in (Cue.ANSWER, Cue.FINAL) for piece in sentence.pieces[:6])
                content = [piece for piece in sentence.pieces if piece.cue is None and not piece.mark]
                if announces and content:
                    return True
        return False


def _is_alternative(row: Sequence[Token], one: Judged, spoken: str | None) -> bool:
    """Whether "or" joins the text with another one in its sentence."""
    for index, step in ((one.mention.first - 1, -1), (one.mention.last, 1)):
        place = index
        for _ in range(3):
            if not 0 <= place < len(row) or (row[place].kind == "mark" and row[place].text != ","):
                break
            found = cues(spoken).find(row[place : place + 1])
            if found and found[0].value == Cue.OR:
                return True
            if step > 0 or row[place].kind != "word":
                break
            place += step
    return False


@lru_cache(maxsize=256)
def right_of(texts: tuple[str, ...], question: str) -> Right:
    """The right texts of a question, kept for its further replies."""
    return Right(texts, question)
