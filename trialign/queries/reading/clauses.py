"""A reply as sentences of clauses, in which answers and the words that judge them are marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from trialign.queries.reading.endings import rethinks
from trialign.queries.reading.lexicon import Phrases, cues
from trialign.queries.reading.tokens import Token
from trialign.queries.reading.words import Cue, word_set


@dataclass(frozen=True, slots=True)
class Mention:
    """A place where an answer is named: the first and beyond the last token, and which answer it is.

    Attributes:
        opens: it is a label that opens its line.
        label: it is a letter or number that stands for the answer.
        particle: it is a yes or no that opens its clause: what follows is the reason, not a judgement of it.
    """

    first: int
    last: int
    value: int
    opens: bool = False
    label: bool = False
    particle: bool = False


@dataclass(slots=True)
class Piece:
    """A token, a cue or a mention, in the order of the text."""

    first: int
    last: int
    text: str
    mark: bool = False
    cue: Cue | None = None
    mention: Mention | None = None


@dataclass
class Clause:
    """Pieces between two marks or joining words; what is asked of it is kept, so it is asked only once it is whole."""

    pieces: list[Piece] = field(default_factory=list)
    begins: Cue | None = None  # the joining word that opens it
    bracketed: bool = False

    @cached_property
    def mentions(self) -> list[int]:
        """Places of the mentions among the pieces."""
        return [place for place, piece in enumerate(self.pieces) if piece.mention]

    @cached_property
    def cues(self) -> frozenset[Cue]:
        """The cues in it."""
        return frozenset(piece.cue for piece in self.pieces if piece.cue)

    def has(self, *wanted: Cue) -> bool:
        """Whether one of these cues is in it."""
        return not self.cues.isdisjoint(wanted)

    def names(self) -> bool:
        """Whether an answer is named in it, asked while it still grows."""
        return any(piece.mention for piece in self.pieces)

    def verdict(self) -> bool:
        """Whether it only calls right or wrong what stands before it."""
        judging = any(piece.cue in (Cue.RIGHT, Cue.WRONG) for piece in self.pieces)
        return (
            judging
            and self.begins is None
            and not self.names()
            and all(piece.cue in _VERDICT or piece.mark for piece in self.pieces[:2])
        )


@dataclass(slots=True)
class Sentence:
    """Clauses up to a full stop, question mark, semicolon or line end."""

    clauses: list[Clause] = field(default_factory=lambda: [Clause()])
    asked: bool = False
    ended: str = ""

    def has(self, *wanted: Cue) -> bool:
        """Whether one of these cues is in it."""
        return any(clause.has(*wanted) for clause in self.clauses)

    @property
    def pieces(self) -> list[Piece]:
        """All its pieces."""
        return [piece for clause in self.clauses for piece in clause.pieces]


_ENDS = frozenset("·.!?;\n。！？।؟؛…॥")
_PARTS = frozenset(",、،(){}[]—|")
_JOINING = (Cue.BUT, Cue.BECAUSE, Cue.MEANWHILE, Cue.THEREFORE, Cue.CORRECTION)


T = TypeVar("T")


def few(found: Sequence[T]) -> Sequence[T]:
    """The first and last of very many finds: each is judged in the light of all words, and these are enough."""
    return found if len(found) <= 200 else [*found[:50], *found[-150:]]


def sentences(row: Sequence[Token], mentions: Sequence[Mention], spoken: str | None = None) -> list[Sentence]:
    """A reply's tokens as sentences of clauses, in which mentions and cues are marked."""
    found = [Sentence()]
    named = False
    for piece in _pieces(row, mentions, cues(spoken)):
        sentence = found[-1]
        if piece.mark and _ends_sentence(row, piece):
            sentence.asked = piece.text in ("?", "？", "؟")
            sentence.ended = piece.text
            _merge_verdicts(sentence)
            if sentence.pieces or sentence.ended != "\n":
                found.append(Sentence())
        elif piece.text in ("-", "—") and spoken in _DASH_IS_COPULA and _parts_clause(row, piece):
            piece.cue, piece.mark = Cue.FILLER, False
            sentence.clauses[-1].pieces.append(piece)
        elif _parts_clause(row, piece):
            last = sentence.clauses[-1]
            carried = last.begins if len(last.pieces) == 1 and last.begins else None  # "Therefore, ..."
            sentence.clauses.append(Clause(begins=carried, bracketed=piece.text in "(["))
        elif not piece.mark:
            named = named or piece.mention is not None
            if named and _takes_up_again(row, piece):
                piece.cue = Cue.CORRECTION
            if piece.cue == Cue.NOT_AFTER and _follows_a_mention(sentence):
                sentence.clauses[-2].pieces.append(piece)  # "Paris, ではなく Lyon"
                continue
            if piece.cue in _JOINING:
                if sentence.clauses[-1].pieces:
                    sentence.clauses.append(Clause())
                sentence.clauses[-1].begins = piece.cue
            sentence.clauses[-1].pieces.append(piece)
            joint = _JOINTS.search(row[piece.last - 1].text)
            if joint:
                sentence.clauses.append(Clause(begins=Cue.BUT if joint[1] else None))
    _merge_verdicts(found[-1])
    return found


def _follows_a_mention(sentence: Sentence) -> bool:
    return len(sentence.clauses) > 1 and not sentence.clauses[-1].pieces and sentence.clauses[-2].names()


#: Languages that write a dash where others say "is".
_DASH_IS_COPULA = frozenset({"ru", "uk"})
# Endings of Korean words that end a clause; the first kind sets it against the next one.
_JOINTS = re.compile("[가-힣](?:(지만|는데|으나)|(?:으며|[이하되]며|므로|니까))$")


_LONGEST_INTERJECTION = 12


def _takes_up_again(row: Sequence[Token], piece: Piece) -> bool:
    """Whether the words between two marks only take up again what seemed said: "Lyon ... ah no, Paris"."""
    before = row[piece.first - 1]
    if piece.mention or not (before.text == "-" or (before.kind == "mark" and before.text not in ":'\"(")):
        return False
    last = piece.first
    while last < len(row) and row[last].kind != "mark" and row[last].text != "-":
        last += 1
        if last - piece.first > _LONGEST_INTERJECTION:
            return False
    return last < len(row) and row[last].text != "?" and rethinks(row[piece.first : last])


def _merge_verdicts(sentence: Sentence) -> None:
    """Joins "- incorrect" or "(wrong)" to the clause that it judges."""
    merged: list[Clause] = []
    for clause in sentence.clauses:
        if len(clause.pieces) > 1 and clause.pieces[-2].mention and clause.pieces[-1].text.casefold() in _TICKS:
            clause.pieces[-1].cue = _TICKS[clause.pieces[-1].text.casefold()]  # "Paris yes, Lyon no"
        tick = _TICKS.get(clause.pieces[0].text.casefold()) if len(clause.pieces) == 1 else None
        if tick and clause.begins != Cue.CORRECTION and merged and merged[-1].names():
            clause.pieces[0].cue = tick
        if merged and clause.verdict() and merged[-1].names():
            merged[-1].pieces += clause.pieces
        else:
            merged.append(clause)
    sentence.clauses = merged


_TICKS = dict.fromkeys(
    ("yes", "sí", "sim", "oui", "ja", "да", "是", "はい", "예", "نعم", "بله", "हाँ", "evet"), Cue.RIGHT
)
_TICKS |= dict.fromkeys(
    ("no", "não", "non", "nein", "нет", "否", "いいえ", "아니요", "لا", "نه", "नहीं", "hayır"), Cue.WRONG
)
_VERDICT = (Cue.RIGHT, Cue.WRONG, Cue.NOT, Cue.FILLER)
_INTERJECTIONS = word_set("no nein non não нет nej لا نه いいえ 아니 아니요 不 不是 hayır nee όχι")


def _pieces(row: Sequence[Token], mentions: Sequence[Mention], known: Phrases[Cue]) -> Iterator[Piece]:
    place = 0
    for mention in (*mentions, None):
        end = mention.first if mention else len(row)
        yield from _plain_pieces(row, place, end, known)
        if mention:
            yield Piece(mention.first, mention.last, "", mention=mention)
            place = mention.last


def _plain_pieces(row: Sequence[Token], start: int, end: int, known: Phrases[Cue]) -> Iterator[Piece]:
    place = start
    for found in (*known.find(row[start:end]), None):
        until = start + found.first if found else end
        for index in range(place, until):
            token = row[index]
            yield Piece(index, index + 1, token.text, mark=token.kind == "mark")
        if found:
            place = start + found.last
            text = " ".join(token.text for token in row[until:place]).casefold()
            follows = row[place].text if place < len(row) else ""
            interjected = (
                found.value == Cue.NOT
                and text in _INTERJECTIONS
                and follows in _AFTER_INTERJECTION
                and not _is_verb_before(row, until)
            )
            yield Piece(until, place, text, cue=Cue.NOTHING if interjected else found.value)


_AFTER_INTERJECTION = frozenset(",:.;—-!、，。")


def _is_verb_before(row: Sequence[Token], place: int) -> bool:
    return place > 0 and row[place - 1].kind != "mark" and row[place - 1].text != "-"


def _ends_sentence(row: Sequence[Token], piece: Piece) -> bool:
    if piece.text not in _ENDS:
        return False
    if piece.text not in ".·":
        return True
    following = row[piece.last] if piece.last < len(row) else None
    return following is None or following.start > row[piece.first].end or following.kind in ("mark", "unspaced")


def _parts_clause(row: Sequence[Token], piece: Piece) -> bool:
    if piece.mark:
        return piece.text in _PARTS
    if piece.text != "-" or piece.cue or piece.mention:
        return False
    token = row[piece.first]
    if 0 < piece.first < len(row) - 1 and row[piece.first - 1].kind == row[piece.first + 1].kind == "number":
        return False  # a minus
    before = row[piece.first - 1].end < token.start if piece.first else True
    after = piece.last >= len(row) or row[piece.last].start > token.end
    return before and after
