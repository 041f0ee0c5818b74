"""Whether a reply leaves the answer that was read from it undisputed: in doubt it is not read.

An answer that nobody gave does more harm than one that is asked for again, so a reading stands only where nothing
in the reply speaks against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from trialign.queries.reading.clauses import Sentence, sentences
from trialign.queries.reading.lexicon import Found, Phrases
from trialign.queries.reading.tokens import Level, Token
from trialign.queries.reading.weights import Judged, Weight
from trialign.queries.reading.words import Closing, closings, word_set


def closing(row: Sequence[Token]) -> list[Found[Closing]]:
    """What a reply says of its own answers, in order: it cannot decide, takes back, stands by the first."""
    return _known().find(row)


def is_left_open(row: Sequence[Token], last: int) -> bool:
    """Whether what follows a reply's answer takes it back or leaves the choice open.

    Args:
        row: the reply's tokens.
        last: beyond the last token of the answer's last mention.
    """
    words = [token.text.casefold() for token in row[last:] if token.kind != "mark"]
    behind = [one.value for one in closing(row) if one.first >= last]
    asked = max((place for place, token in enumerate(row) if place >= last and token.text in "?？؟"), default=-1)
    if asked >= 0 and " ".join(one.text.casefold() for one in row[asked + 1 :] if one.kind != "mark") in _UNSURE:
        return True  # "In km? Not sure."
    return bool(words and words[-1] in _HESITATES) or bool(behind and behind[-1] != Closing.STANDS)


def first_stands(row: Sequence[Token], found: Sequence[Judged]) -> int | None:
    """The first answer, where a reply returns to it at its end: "Wait ... no, my first answer stands"."""
    closings = closing(row)
    if (
        not found
        or not closings
        or closings[-1].value != Closing.STANDS
        or closings[-1].last <= found[-1].mention.first
    ):
        return None
    return found[0].value if found[0].weight > Weight.DENIED else None


def concluded(row: Sequence[Token], found: Sequence[Judged], spoken: str | None, *, polar: bool = False) -> int | None:
    """The answer that alone fills the last sentence of a reply that reasoned, or alone follows what it took back."""
    if not found or is_left_open(row, found[-1].mention.last):
        return None
    behind = [one.first for one in closing(row) if one.value == Closing.RETRACT]
    after = {one.value: one.weight for one in found if behind and one.mention.first > behind[-1]}
    if len(after) == 1 and min(after.values()) >= Weight.SAID:
        return next(iter(after))
    last = found[-1]
    if last.contrasts and last.weight >= Weight.ALONE and all(one.value != last.value for one in found[:-1]):
        return last.value  # "True, many believe, but it is false"
    if polar:
        return None
    parts = sentences(row, [one.mention for one in found], spoken)
    spoken_parts = [number for number, part in enumerate(parts) if part.pieces]
    if last.sentence != spoken_parts[-1] or last.weight < Weight.FOLLOWS:
        return None
    pieces = [piece for number in spoken_parts[:-1] for piece in parts[number].pieces]
    reasoned = sum(piece.cue is None and piece.mention is None for piece in pieces) >= _REASONING
    own = [one for one in found if one.sentence == last.sentence]
    return last.value if reasoned and {one.value for one in own} == {last.value} else None


_REASONING = 3  # words of its own before a conclusion: "Paris. Lyon." has none


def disputed(
    row: Sequence[Token], found: Sequence[Judged], value: int, spoken: str | None, *, negated: bool = False
) -> bool:
    """Whether something in a reply speaks against the answer that was read from it.

    Args:
        row: the reply's tokens.
        found: its mentions, as judged.
        value: the answer that was read.
        spoken: the reply's language.
        negated: the question asks what is not so, so that a denial answers it.
    """
    mine = [one for one in found if one.value == value]
    if not mine:
        return False
    last = mine[-1]
    corrected = any(one.weight == Weight.DENIED and one.sentence == last.sentence for one in found if one not in mine)
    if is_left_open(row, last.mention.last) and not corrected:
        return True
    denied = any(one.weight == Weight.DENIED for one in mine) and not (negated and last is found[-1])
    if denied and last.weight < Weight.ALONE:
        return True
    later = [one for one in found if one.mention.first > last.mention.first and one.value != value]
    later = [one for one in later if one.weight >= Weight.MENTIONED]
    return bool(later) and not _stands_first(row, sentences(row, [one.mention for one in found], spoken), mine, later)


def _stands_first(
    row: Sequence[Token], parts: Sequence[Sentence], mine: Sequence[Judged], later: Sequence[Judged]
) -> bool:
    """Whether the answer was given before anything else, or answers the question better than what follows it."""
    best = max(mine, key=lambda one: (one.weight, one.overlap))
    if best.weight <= Weight.SAID:
        return all(2 * one.overlap < best.overlap or one.weight == Weight.MENTIONED for one in later)
    opens = _opens(parts, mine[0])
    if any(one.first >= mine[0].mention.last for one in closing(row)):
        return False
    beside = [one for one in later if one.sentence == best.sentence and one.weight >= Weight.SAID]
    if best.mention.label and beside and not beside[0].mention.label and all(one.mention.label for one in mine):
        return False  # "A, that is the Po"
    if best.weight >= Weight.ANSWER:
        return (
            not beside
            if opens
            else all(one.weight <= Weight.SAID for one in later) and not (beside or _is_unfinished(parts))
        )
    if all(one.weight < Weight.FOLLOWS for one in later):
        closer = max(one.overlap for one in mine) > max(one.overlap for one in later)
        if beside and len(mine) == 1 and max(one.overlap for one in beside) > best.overlap:
            return False  # "In Othello, the villain is Iago"
        return opens or (closer and not _is_unfinished(parts))
    return False


def _opens(parts: Sequence[Sentence], one: Judged) -> bool:
    """Whether nothing that adds to it stands before an answer or in its clause: "It's Paris, as Lyon is smaller"."""
    for part in parts[: one.sentence + 1]:
        for clause in part.clauses:
            if any(piece.mention is None and piece.cue is None and not piece.mark for piece in clause.pieces):
                return False
            if any(piece.mention is one.mention for piece in clause.pieces):
                return True
    return False


def _is_unfinished(parts: Sequence[Sentence]) -> bool:
    """Whether the last of several sentences has no end."""
    spoken = [part for part in parts if part.pieces]
    return len(spoken) > 1 and not spoken[-1].ended


_UNSURE = frozenset(("not sure", "no idea", "no clue", "dunno", "unsure", "hard to say", "i dont know", "i don't know"))
_HESITATES = word_set("hm hmm hmmm uh um erm uhm mmm euh ähm eh э хм えっと 음 嗯")


@cache
def _known() -> Phrases[Closing]:
    return Phrases(closings(), Level.STEM, across=frozenset(",'\"-"))
