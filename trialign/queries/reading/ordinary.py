"""Answers that stand in ordinary sentences: named alone, beside others that are denied, after "so", after a correction.

Each form is decided by the clauses of a reply: which answers they name, how they are tied to the question, and what
in them speaks against an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from trialign.queries.reading.statements import SOFT, Statement, Tie
from trialign.queries.reading.tokens import Token
from trialign.queries.reading.words import Cue, word_set


@dataclass(frozen=True)
class Part:
    """A clause of a reply.

    Attributes:
        said: what it says.
        begins: the joining word that opens it.
        bracketed: it stands in brackets.
        sentence: the place of its sentence.
    """

    said: Statement
    begins: Cue | None
    bracketed: bool
    sentence: int

    @property
    def turns(self) -> bool:
        """Whether it is set against what stands before it, or called right."""
        return self.begins == Cue.BUT or Cue.RIGHT in self.said.cues

    def words(self, row: Sequence[Token]) -> Iterator[str]:
        """Its words but for the answers."""
        own = (piece for piece in self.said.pieces if not piece.mention)
        return (row[place].text.casefold() for piece in own for place in range(piece.first, piece.last))


def names_alone(whole: Statement, row: Sequence[Token], *, counted: bool) -> bool:
    """Whether a sentence that names one answer, and in which nothing speaks against it, speaks of the question.

    It has one of the question's words, or nothing of its own stands between the "it" that opens it and the answer. A
    number may also stand behind small words ("about 30 km on foot") or after one verb ("it weighs 30 kg").
    """
    first = next(place for place, piece in enumerate(whole.pieces) if piece.mention)
    before = [piece for piece in whole.rest if piece.first < whole.pieces[first].first]
    pointing = row[whole.pieces[0].first].text.casefold() in _POINTING
    own = set(Part(whole, None, False, 0).words(row))
    if own & _ALSO or (not whole.tells and own & _SPEAKERS):
        return False
    if not counted:
        return whole.closeness > 0 or (pointing and not before)
    return first > 0 and (whole.closeness > 0 or not before or (pointing and len(before) == 1))


def beside_others(parts: Sequence[Part], row: Sequence[Token]) -> int | None:
    """The one answer that is stated where all others are denied, reported, or told aside."""
    stated, others = set[int](), set[int]()
    for place, part in enumerate(parts):
        one = part.said
        if not one.named:
            continue
        reasons = bool(stated) and next(part.words(row), "") == "as"  # "B, as A is only larger"
        if part.bracketed or reasons or part.begins in _ASIDES or Cue.MEANWHILE in one.cues:
            granted = not (part.bracketed or stated) and one.tie is Tie.BARE and one.closeness == 0
            if one.tie in _GIVING and not granted and not one.cues & _DENIALS:
                return None  # "A is the largest, while B is the largest of all"
            others |= one.named
        elif one.cues & _DENIALS:
            others |= one.named
        elif Cue.REPORTED in one.cues:
            later = parts[place + 1 :]
            if not any(after.said.named and (after.turns or after.sentence != part.sentence) for after in later):
                return None
            others |= one.named
        elif one.doubts - SOFT - {Cue.BUT} or one.tie not in _GIVING or adds(part, row) or _is_listed(parts, place):
            return None
        else:
            stated |= one.named
    return stated.pop() if len(stated) == 1 and others and not stated & others else None


def _is_listed(parts: Sequence[Part], place: int) -> bool:
    """Whether a clause is nothing but an answer, and may belong to a list with its neighbours: "A, B are wrong"."""
    part = parts[place]
    if part.turns or not all(piece.mention for piece in part.said.pieces):
        return False
    before, after = parts[max(0, place - 1) : place], parts[place + 1 : place + 2]
    beside = [one for one in (*before, *after) if one.sentence == part.sentence and not one.bracketed]
    return any(one.said.named and (one in before or one.said.pieces[0].mention) for one in beside)


def concludes(parts: Sequence[Part], whole: Statement, row: Sequence[Token]) -> int | None:
    """What the last clause concludes: "..., so it is B"."""
    last = parts[-1].said
    if len(last.named) != 1 or last.tie not in (Tie.BARE, Tie.TOLD) or last.doubts - SOFT:
        return None
    if Cue.THEREFORE not in last.cues and parts[-1].begins != Cue.THEREFORE:
        return None
    return None if whole.doubts & _UNSETTLED or adds(parts[-1], row) else next(iter(last.named))


def corrected(parts: Sequence[Part], row: Sequence[Token], *, taken_back: int) -> int | None:
    """What the last clause names alone and anew, after words that take back what was named before it."""
    last = parts[-1].said
    if len(last.named) != 1 or last.tie not in (Tie.BARE, Tie.TOLD) or last.doubts - SOFT - {Cue.CORRECTION}:
        return None
    before = [piece for part in parts[:-1] for piece in part.said.pieces]
    named = [piece for piece in before if piece.mention]
    if not named or last.named & {piece.mention.value for piece in named if piece.mention}:
        return None
    end = next(piece.first for piece in last.pieces if piece.mention)
    since = [piece for piece in (*before, *last.pieces) if named[-1].last <= piece.first < end]
    retracts = any(piece.cue == Cue.CORRECTION for piece in since) or named[-1].last <= taken_back < end
    settled = taken_back < end and not any(piece.cue in _UNSETTLED for piece in since)
    return next(iter(last.named)) if retracts and settled and not adds(parts[-1], row) else None


def adds(part: Part, row: Sequence[Token]) -> bool:
    """Whether a clause puts its answer beside one before it: "so is B", "as can B", "B too"."""
    words = list(part.words(row))
    inverted = any(one in ("so", "as") and two in _AUXILIARIES for one, two in pairwise(words))
    following = {row[piece.first].text.casefold() for piece in part.said.pieces if piece.cue == Cue.THEREFORE}
    return inverted or bool(_ALSO & set(words) - following)  # German "also" is "so"


_GIVING = (Tie.BARE, Tie.TOLD, Tie.RESTATED)
ARTICLES = word_set(
    "the a an el la los las le les l un una der die das den dem ein eine o os as il lo gli i une um uma"
)
_ASIDES = (Cue.BECAUSE, Cue.MEANWHILE)
_DENIALS = frozenset((Cue.NOT, Cue.NOT_AFTER, Cue.WRONG, Cue.NEITHER))
_UNSETTLED = frozenset((Cue.IF, Cue.OR, Cue.UNKNOWN, Cue.REPORTED, Cue.REFUSAL, Cue.PARTLY))
_AUXILIARIES = word_set("is are was were does do did has have had can could will would should may might must")
# Words that put an answer beside another one.
_ALSO = word_set(
    "also too well either likewise same auch ebenso ebenfalls genauso gleichfalls aussi également pareil también "
    "tampoco igual igualmente também anche pure neanche тоже также też również także ook också 也 都 も 도 أيضا "
    "أيضًا كذلك भी ด้วย เช่นกัน juga cũng גם επίσης dahi"
)
# Words by which a sentence speaks of what was asked.
_POINTING = word_set(
    "it that this these those they he she es das dies dieser diese er sie c ce c'est il elle ils elles cela ça eso "
    "esto ella ello isso isto ele ela questo quello lui lei это он она оно они to jest bu o 这 那 它 他 她 それ これ "
    "彼 그것 그건 이건 هذا هذه إنه إنها هو هي این آن यह वह זה זו het dat det den itu ini đó nó αυτό"
)
# Speakers: what they say of themselves answers nothing.
_SPEAKERS = word_set(
    "i me my mine we us our ich mir mich mein wir je moi mon nous yo mi eu meu io я мы мой ben 我 私 나 أنا"
)
