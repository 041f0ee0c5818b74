"""What a sentence or clause of a reply says of the answers that it names, as far as that can be told by its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from itertools import pairwise

from trialign.queries.reading.clauses import Clause, Piece, Sentence
from trialign.queries.reading.languages import SMALL_WORDS
from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.questions import overlap, root, words_of
from trialign.queries.reading.tokens import Level, Token, form, forms, tokens
from trialign.queries.reading.typography import plain
from trialign.queries.reading.words import Cue, asking

#: Cues that speak for an answer or say nothing of it. Every other cue leaves it in doubt.
PLAIN = frozenset(
    (
        Cue.ANSWER,
        Cue.FINAL,
        Cue.OPTION,
        Cue.PICK,
        Cue.RIGHT,
        Cue.THEREFORE,
        Cue.FILLER,
        Cue.AND,
        Cue.BECAUSE,
        Cue.NOTHING,
    )
)
#: A guess is still an answer: "I would say B", "perhaps B".
SOFT = frozenset((Cue.GUESS, Cue.WOULD, Cue.BOTH))
TELLING = frozenset((Cue.ANSWER, Cue.FINAL, Cue.PICK))
#: Share of the question's words in a sentence from which on it answers the question.
CLOSE = 0.3


class Tie(Enum):
    """By what a statement that names one answer gives it as the answer to the question."""

    BARE = auto()  # it has no words but the answer, the question's and small ones
    TOLD = auto()  # "the answer is", "I choose"
    RESTATED = auto()  # it repeats the question
    OPENS = auto()  # the answer opens it, and a mark or "because" follows
    ENDS = auto()  # the answer ends it, and some of the question's words are in it
    SHORT = auto()  # the answer ends it after one further word ("Actually, B"), a letter after two
    COUNTED = auto()  # one further word, right behind the answer: a unit


class Asked:
    """The words of a question.

    Args:
        question: as asked.
    """

    def __init__(self, question: str) -> None:
        self.roots = words_of(question)
        # Of a question for what is not so, a denial names the answer.
        self.denies = any(
            one.value in (Cue.NOT, Cue.NOT_AFTER, Cue.WRONG) for one in cues().find(tokens(plain(question)))
        )
        self._forms = frozenset(form(token, Level.STEM) for token in tokens(plain(question)))

    def knows(self, token: Token) -> bool:
        """Whether a word adds nothing to the question: it stands there, or is a small one."""
        own = forms(token, Level.STEM)
        return (
            token.text.casefold() in _SMALL
            or any(one in self._forms or root(one) in self.roots for one in own)
            or not any(character.isalnum() for character in token.text)
        )


@dataclass(frozen=True)
class Statement:
    """A sentence or clause.

    Attributes:
        pieces: its cues, mentions and words.
        cues: its cues, the joining words that open its clauses among them.
        asks: it is a question.
        row: the reply's tokens.
        asked: the question's words.
        weak: answers that are common words, and for which repeating the question is not enough.
    """

    pieces: Sequence[Piece]
    cues: frozenset[Cue]
    asks: bool
    row: Sequence[Token]
    asked: Asked
    weak: frozenset[int] = frozenset()

    @cached_property
    def named(self) -> frozenset[int]:
        """The answers that it names."""
        return frozenset(piece.mention.value for piece in self.pieces if piece.mention)

    @property
    def doubts(self) -> frozenset[Cue]:
        """What in it may speak against an answer."""
        return self.cues - PLAIN

    @cached_property
    def rest(self) -> list[Piece]:
        """Words of its own, which may mean anything."""
        return [
            piece
            for piece in self.pieces
            if not piece.cue and not piece.mention and not piece.mark and not self.asked.knows(self.row[piece.first])
        ]

    @property
    def tells(self) -> bool:
        """Whether it announces an answer."""
        return not self.cues.isdisjoint(TELLING) or (Cue.WOULD in self.cues and self._volunteers)

    @property
    def _volunteers(self) -> bool:
        """Whether the speaker would name it, in languages that put the verb last: "ich würde B sagen"."""
        behind = {self.row[two.first].text.casefold() for one, two in pairwise(self.pieces) if one.mention}
        beginning = {
            self.row[place].text.casefold() for piece in self.pieces[:2] for place in range(piece.first, piece.last)
        }
        return bool(behind & _SAYING) and not beginning.isdisjoint(("ich", "ik"))

    @cached_property
    def tie(self) -> Tie | None:
        """By what it gives the one answer that it names as the question's; None where nothing tells."""
        if len(self.named) != 1:
            return None
        if not self.rest:
            return Tie.BARE
        if self.named <= self.weak and not any(piece.mention and piece.mention.label for piece in self.pieces):
            return None
        if self.tells:
            return Tie.TOLD
        closeness = self.closeness
        if closeness >= CLOSE:
            return Tie.RESTATED
        if any(self._opens(place) for place in self._mentions()):
            return Tie.OPENS
        if closeness > 0 and self._mentions()[-1] == len(self.pieces) - 1:
            return Tie.ENDS
        last = self.pieces[-1].mention
        if last and len(self.rest) <= 1 + last.label:
            return Tie.SHORT
        behind = {self.pieces[place].last for place in self._mentions()}
        return Tie.COUNTED if len(self.rest) == 1 and self.rest[0].first in behind else None

    def without(self, values: frozenset[int]) -> Statement:
        """The same without the mentions of some answers and without what judges."""
        kept = [piece for piece in self.pieces if not (piece.mention and piece.mention.value in values)]
        return Statement(kept, frozenset(), self.asks, self.row, self.asked, self.weak)

    @cached_property
    def closeness(self) -> float:
        """The share of the question's words in it, those of the answers apart."""
        if not self.asked.roots:
            return 1.0  # a question without words of its own, which nothing can repeat
        words = (self.row[i] for piece in self.pieces if not piece.mention for i in range(piece.first, piece.last))
        return overlap(words, self.asked.roots)

    def _mentions(self) -> list[int]:
        return [place for place, piece in enumerate(self.pieces) if piece.mention]

    def _opens(self, place: int) -> bool:
        """Whether nothing of its own stands before a mention, and a mark or a reason behind it."""
        if not all(
            piece.mention
            or piece.mark
            or piece.cue in PLAIN
            or (not piece.cue and self.asked.knows(self.row[piece.first]))
            for piece in self.pieces[:place]
        ):
            return False
        last = self.pieces[place].last
        following = self.row[last] if last < len(self.row) else None
        reason = place + 1 < len(self.pieces) and self.pieces[place + 1].cue == Cue.BECAUSE
        closed = self.row[last - 1].kind == "mark"  # "B. It is"
        if following is None or reason or closed or following.text in "—-":
            return True
        return following.kind == "mark" and following.text not in _WITHIN


def of_sentence(sentence: Sentence, row: Sequence[Token], asked: Asked, weak: frozenset[int]) -> Statement:
    """A whole sentence as one statement."""
    begun = {clause.begins for clause in sentence.clauses if clause.begins}
    said = {piece.cue for piece in sentence.pieces if piece.cue}
    return Statement(sentence.pieces, frozenset(begun | said), sentence.asked, row, asked, weak)


def of_clause(
    clause: Clause, sentence: Sentence, row: Sequence[Token], asked: Asked, weak: frozenset[int]
) -> Statement:
    """One clause of a sentence as a statement."""
    return Statement(clause.pieces, clause.cues, sentence.asked, row, asked, weak)


_SAYING = frozenset(["sagen", "wählen", "nehmen", "antworten", "ankreuzen", "zeggen", "kiezen", "nemen"])
_SMALL = SMALL_WORDS | frozenset(asking())
_WITHIN = frozenset(("'", '"', "'s"))
