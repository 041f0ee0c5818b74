"""What the rest of a reply makes of an answer that it has named: asks, corrects, excuses or takes it back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from trialign.queries.reading.clauses import Sentence
from trialign.queries.reading.endings import breaks_off, stops_short, takes_back
from trialign.queries.reading.tokens import Token
from trialign.queries.reading.weights import CLOSE, Judged, Weight
from trialign.queries.reading.words import Cue, word_set


def reconsider(row: Sequence[Token], parts: Sequence[Sentence], found: list[Judged], *, polar: bool) -> None:
    """Changes the weights of mentions by what comes after them.

    Args:
        row: the reply's tokens.
        parts: its sentences.
        found: its mentions, in order.
        polar: each of two answers denies the other, so that a denial may affirm.
    """
    _only_question(parts, found)
    if not polar:
        _reply_to_questions(parts, found)
    _doubt(parts, found)
    _correct(parts, found)
    _excuse(parts, found)
    _end(row, parts, found, polar)


_YES = word_set("yes yep yeah sí sim oui ja да 是 是的 はい 예 네 نعم بله हाँ evet ใช่ correct right exactly")
_NO = word_set("no nope nah não non nein нет 不 不是 いいえ 아니요 لا نه नहीं hayır ไม่ใช่ wrong")


def _reply_to_questions(parts: Sequence[Sentence], found: Sequence[Judged]) -> None:
    """Of "Whales? Yes. Bats? No." the word behind a question decides about what it asks."""
    for number, (asked, told) in enumerate(pairwise(parts)):
        pieces = [piece for piece in told.pieces if not piece.mark]
        if not asked.asked or not pieces or any(piece.mention for piece in pieces):
            continue
        word = pieces[0].text.casefold()
        for one in found:
            if one.sentence == number and len(pieces) <= 2 and word in _YES:
                one.weight = Weight.ALONE
            elif one.sentence == number and word in _NO:
                one.weight = Weight.DENIED


def _doubt(parts: Sequence[Sentence], found: Sequence[Judged]) -> None:
    """In "Whales. Or was it bats?" the doubt weighs as much as the answer."""
    for one in found:
        part = parts[one.sentence]
        before = [other for other in found if other.sentence < one.sentence]
        if part.asked and before and part.pieces and part.pieces[0].cue == Cue.OR:
            one.weight = max(other.weight for other in before)


def _hesitates(row: Sequence[Token], parts: Sequence[Sentence], last: int) -> bool:
    """Whether nothing but "no" or "hmm, wait" follows the last answer, from beyond its last token on."""
    rest = [piece for part in parts for piece in part.pieces if piece.first >= last and not piece.mark]
    parted = row[last - 1].kind == "mark" or (last < len(row) and row[last].kind == "mark")
    plain = all(piece.cue in (Cue.CORRECTION, Cue.FILLER, Cue.NOTHING, Cue.NOT) for piece in rest)
    corrects = any(piece.cue == Cue.CORRECTION for piece in rest)
    return 0 < len(rest) <= 3 and parted and plain and (corrects or rest[-1].text.casefold() in _NO)


def _only_question(parts: Sequence[Sentence], found: list[Judged]) -> None:
    """A reply that is nothing but "Paris?" is an answer, however shy."""
    spoken = [part for part in parts if part.pieces]
    if len(spoken) == 1 and spoken[0].asked and all(piece.mention or piece.mark for piece in spoken[0].pieces):
        for one in found:
            one.weight = Weight.SAID


def _correct(parts: Sequence[Sentence], found: list[Judged]) -> None:
    """What was said before a correction ("wait, no") no longer counts, if an answer follows."""
    places = [
        clause.pieces[0].first
        for part in parts
        for clause in part.clauses
        if clause.begins == Cue.CORRECTION and clause.pieces
    ]
    for place in reversed(places):
        if any(one.weight >= Weight.GUESSED and one.mention.first > place for one in found):
            for one in found:
                if one.mention.first < place:
                    one.weight = min(one.weight, Weight.MENTIONED)
            return


def _excuse(parts: Sequence[Sentence], found: Sequence[Judged]) -> None:
    """What is merely named after a refusal is no answer: "I can't discuss that. You can call 988"."""
    refused = next((number for number, part in enumerate(parts) if part.has(Cue.REFUSAL)), len(parts))
    for one in found:
        if one.sentence > refused and one.weight in (Weight.GUESSED, Weight.SAID) and one.overlap == 0:
            part = parts[one.sentence]
            if not part.has(Cue.BUT, Cue.THEREFORE, Cue.ANSWER, Cue.FINAL, Cue.PICK):
                one.weight = Weight.MENTIONED


def _end(row: Sequence[Token], parts: Sequence[Sentence], found: Sequence[Judged], polar: bool) -> None:
    """A reply that takes its last answer back gives none; one that breaks off has not concluded by its steps."""
    if not found:
        return
    last = max(one.mention.last for one in found)
    taken = takes_back(row, last, hesitating=polar) or (not polar and _hesitates(row, parts, last))
    if found[-1].weight >= Weight.GUESSED and taken:
        for one in found:
            one.weight = min(one.weight, Weight.MENTIONED)
        return
    if any(token.kind != "mark" for token in row[last:]) and breaks_off(row):
        for one in found:
            if one.weight < Weight.ALONE:
                one.weight = min(one.weight, Weight.MENTIONED)
    if short := stops_short(row):
        _stop(row, parts, found, short)


def _stop(row: Sequence[Token], parts: Sequence[Sentence], found: Sequence[Judged], short: int) -> None:
    """What a reply states before it stops within a sentence is a step, unless its words are the question's."""
    concluding = next((part for part in reversed(parts) if part.pieces), parts[-1]).has(Cue.THEREFORE)
    words = sum(token.kind != "mark" for token in row[short:])
    goes_on = sum(token.kind != "mark" for token in row[found[-1].mention.last :]) > 1
    within = {one.value for one in found if one.mention.first >= short}
    others = {one.value for one in found if one.mention.first < short and one.weight >= Weight.GUESSED}
    for one in found:
        if one.mention.first < short:
            step = one.weight < Weight.ALONE and (
                concluding or one.overlap < CLOSE if words > 2 else bool(within - {one.value})
            )
        elif one.weight == Weight.ALONE:
            step = bool(others - {one.value})
        else:
            step = one.weight < Weight.FOLLOWS and goes_on
        if step:
            one.weight = min(one.weight, Weight.MENTIONED)
