"""Which answer a reply surely gives.

A reply is read where it has one of a few forms that leave no doubt, and is left unread everywhere else. An answer
that nobody gave does more harm than one that is counted as unread and asked for again, so that a form is kept only
if it misread next to nothing in replies by people who did not know it (`benchmarks/reading.py --forms`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property

from trialign.queries.reading.clauses import Mention, Piece, Sentence, sentences
from trialign.queries.reading.cleaning import Cleaned
from trialign.queries.reading.closings import closings_in
from trialign.queries.reading.endings import breaks_off, stops_short
from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.ordinary import ARTICLES, Part, adds, beside_others, concludes, corrected, names_alone
from trialign.queries.reading.statements import SOFT, Asked, Statement, Tie, of_clause, of_sentence
from trialign.queries.reading.tokens import Token, tokens
from trialign.queries.reading.words import Cue


class Form(Enum):
    """The forms of a reply from which an answer is surely read."""

    ONLY = auto()  # one answer is named, it answers the question, and nothing speaks against it
    TOLD_LAST = auto()  # "... The answer is B."
    FIRST = auto()  # "The answer is B. (explanation)", "B\n\n(explanation)"
    FOLLOWS = auto()  # "... So it is B."
    LAST_ALONE = auto()  # "(reasoning) B."
    TURNED = auto()  # "Not A but B", "A. Sorry, B", "..., so B": the last clause alone names it
    OTHERS_DENIED = auto()  # "B, not A"
    PARTICLE = auto()  # "No, it is not ..."
    NAMED = auto()  # one sentence that names one answer and speaks of the question
    BESIDE_OTHERS = auto()  # "B is it. A is not", "B, whereas A ..."
    CONCLUDED = auto()  # "A has .., so it is B"
    CORRECTED = auto()  # "A. Sorry, I was wrong. B"
    DENIED_PAIR = auto()  # "It is not true": of two options of which one denies the other


@dataclass(frozen=True)
class Sure:
    """An answer that is surely given, and the form by which it is read."""

    value: int
    form: Form


@dataclass(frozen=True)
class Named:
    """A reply and the answers that it names.

    Attributes:
        row: its tokens.
        mentions: of answers, in order.
        asked: the question's words.
        spoken: its language; None where it is not known.
        weak: answers that are common words.
        counted: answers are numbers, behind which a unit may stand.
        barred: first tokens of mentions that are no statement: numbers that are calculated with.
        free: only the right answer is known, and any other word may be another one.
        polar: each of two answers denies the other.
        negative: of these the one that says no.
        judging: they are true and false, so that "not true" says the other.
    """

    row: Sequence[Token]
    mentions: Sequence[Mention]
    asked: Asked
    spoken: str | None
    weak: frozenset[int] = frozenset()
    counted: bool = False
    barred: frozenset[int] = frozenset()
    free: bool = False
    polar: bool = False
    negative: int | None = None
    judging: bool = False

    @cached_property
    def sentences(self) -> list[Sentence]:
        """Its sentences that have words."""
        return [one for one in sentences(self.row, self.mentions, self.spoken) if one.pieces]

    @cached_property
    def said(self) -> list[Statement]:
        """Its sentences as statements."""
        return [of_sentence(one, self.row, self.asked, self.weak) for one in self.sentences]

    @cached_property
    def values(self) -> frozenset[int]:
        """The answers that it names."""
        return frozenset(one.value for one in self.mentions)

    @cached_property
    def taken_back(self) -> int:
        """Where the last phrase begins that takes an answer back or leaves the choice open; -1 where there is none."""
        return max((one.first for one in closings_in(self.row)), default=-1)

    @cached_property
    def doubts(self) -> frozenset[Cue]:
        """What anywhere in it may speak against an answer; a guess is still an answer."""
        return frozenset().union(*(one.doubts for one in self.said)) - SOFT

    def surely(self) -> Sure | None:
        """The answer that it surely gives, by the first form that it has."""
        if not self.mentions:
            return None
        if self._stops():
            return self._opened()
        if len(self.values) == 1 and self._undisputed():
            return self._only() or self._alone()
        forms = (self._particle, self._denied_pair, self._last, self._turned, self._others_denied, self._first)
        ordinary = (self._beside_others, self._concluded, self._corrected)
        return next((sure for form in (*forms, *ordinary) if (sure := form())), None)

    def rivals(self) -> bool:
        """Whether it names several answers, and does not deny them one and all."""
        denying = _DENIALS | {Cue.NEITHER}
        all_denied = all(one.doubts & denying and not one.doubts - denying for one in self.said if one.named)
        return len(self.values) > 1 and not all_denied

    def excuses_itself(self) -> bool:
        """Whether it declines, and then names an answer all the same."""
        return Cue.REFUSAL in self.doubts and bool(self.values) and bool(self.doubts & _CONTRASTS)

    def _stops(self) -> bool:
        """Whether it breaks off; what ends with an answer does not."""
        tail = self.row[-_TAIL:]
        ends = max((place for place, token in enumerate(self.row) if token.kind != "mark"), default=0)
        return bool(stops_short(tail)) or (self.mentions[-1].last <= ends and breaks_off(tail))

    def _undisputed(self) -> bool:
        asks = any(one.asks for one in self.said)
        return not (self.doubts or asks or self.barred) and self.taken_back < 0

    def _opened(self) -> Sure | None:
        """The one letter, or the one answer called so, with which a reply opens that breaks off in its reasons."""
        clause = next((one for one in self.sentences[0].clauses if one.pieces), None)
        if clause is None or len(self.values) != 1 or not self._undisputed():
            return None
        first = of_clause(clause, self.sentences[0], self.row, self.asked, self.weak)
        lettered = any(piece.mention and piece.mention.label for piece in first.pieces)
        opens = first.tie is Tie.BARE and (lettered or first.tells)
        return Sure(next(iter(self.values)), Form.FIRST) if opens else None

    def _only(self) -> Sure | None:
        ties = [one.tie for one in self.said if one.named]
        kept = [
            one for one in ties if one and (one is not Tie.COUNTED or self.counted or self.free or self._has_counter())
        ]
        return Sure(next(iter(self.values)), Form.ONLY) if kept else None

    @cached_property
    def _parts(self) -> list[Part]:
        return [
            Part(of_clause(clause, sentence, self.row, self.asked, self.weak), clause.begins, clause.bracketed, place)
            for place, sentence in enumerate(self.sentences)
            for clause in sentence.clauses
            if clause.pieces
        ]

    def _alone(self) -> Sure | None:
        """The answer that the only sentence names, in words of the question."""
        if self.polar or len(self.said) > 1:
            return None
        only = self.said[0]
        if not (self._is_only_name() if self.free else names_alone(only, self.row, counted=self.counted)):
            return None
        return Sure(next(iter(self.values)), Form.NAMED)

    def _is_only_name(self) -> bool:
        """Whether an answer that is a name stands in a sentence without any other name."""
        first = self.said[0].pieces[0].first
        others = [piece for piece in self.said[0].rest if piece.first != first]
        capitals = all(
            any(self.row[place].text[:1].isupper() for place in range(one.first, one.last)) for one in self.mentions
        )
        return capitals and not any(self.row[piece.first].text[:1].isupper() for piece in others)

    def _beside_others(self) -> Sure | None:
        """The answer that is stated beside others that are not."""
        open_ = self.taken_back >= 0 or self.barred or any(one.asks for one in self.said) or self.doubts & _CLOSED
        if open_ or self.polar or self.free or self.counted or self.asked.denies:
            return None
        value = beside_others(self._parts, self.row)
        return None if value is None else Sure(value, Form.BESIDE_OTHERS)

    def _concluded(self) -> Sure | None:
        """What the last clause concludes."""
        told = {one for statement in self.said[:-1] if statement.tells for one in statement.named}
        value = (
            None if self.polar or self._ends_open(self.said[-1]) else concludes(self._parts, self.said[-1], self.row)
        )
        return None if value is None or not told <= {value} else Sure(value, Form.CONCLUDED)

    def _corrected(self) -> Sure | None:
        """What stands last, after a correction."""
        last = self.said[-1]
        calculates = any(piece.first in self.barred for piece in last.pieces)
        if self.polar or last.asks or calculates:
            return None
        value = corrected(self._parts, self.row, taken_back=self.taken_back)
        return None if value is None else Sure(value, Form.CORRECTED)

    def _has_counter(self) -> bool:
        """Whether the word behind a letter is one of a script that counts by such words: "B번", "B项正确"."""
        last = self.mentions[-1].last
        following = self.row[last] if last < len(self.row) else None
        return bool(self.mentions[-1].label and following and following.text[0] >= "\u0e00")

    def _ends_open(self, statement: Statement) -> bool:
        """Whether a last statement is taken back, asks, or only calculates."""
        calculates = any(piece.first in self.barred for piece in statement.pieces)
        return calculates or statement.asks or self.taken_back >= statement.pieces[0].first

    def _last(self) -> Sure | None:
        """What the last sentence alone tells, concludes or is."""
        last, before = self.said[-1], self.said[:-1]
        if len(last.named) != 1 or self._ends_open(last):
            return None
        value = next(iter(last.named))
        again = bool(before) and before[-1].named == last.named and not (before[-1].asks or before[-1].doubts)
        if again and last.tie is Tie.BARE and not last.doubts:
            last, before = before[-1], before[:-1]  # "The answer is B. Paris."
        told = {one for statement in before if statement.tells for one in statement.named}
        if last.tells and not last.doubts - SOFT and (told <= {value} or Cue.CORRECTION in self.doubts):
            return Sure(value, Form.TOLD_LAST)
        if last.doubts or not before:
            return None
        if Cue.THEREFORE in last.cues and last.tie in _FOLLOWING:
            return Sure(value, Form.FOLLOWS)
        reasoned = any(one.rest for one in before)
        alone = last.tie is Tie.BARE and not self.polar and (reasoned or _is_called_right(last, before))
        return Sure(value, Form.LAST_ALONE) if alone else None

    def _turned(self) -> Sure | None:
        """What the last clause names alone and for the first time, after "but", "so" or a correction."""
        clauses = [one for one in self.sentences[-1].clauses if one.pieces]
        last = of_clause(clauses[-1], self.sentences[-1], self.row, self.asked, self.weak)
        if self.polar or len(last.named) != 1 or self._ends_open(last) or last.doubts - SOFT - _TURNS:
            return None
        reported = clauses[-1].begins == Cue.THEREFORE and Cue.REPORTED in self.said[-1].doubts
        if reported or adds(self._parts[-1], self.row):
            return None
        before = [piece for one in clauses[:-1] for piece in one.pieces]
        before += [piece for one in self.sentences[:-1] for piece in one.pieces]
        if last.named & {piece.mention.value for piece in before if piece.mention}:
            return None
        begins = clauses[-1].begins
        if len(clauses) > 1 and Cue.CORRECTION in clauses[-2].cues and all(one.cue for one in clauses[-2].pieces):
            begins = Cue.CORRECTION  # "Lyon, ah no, Paris"
        if begins == Cue.BUT and not self.sentences[-1].ended and not self.doubts - {Cue.BUT}:
            return None  # "A is the capital, but B" may go on
        turns = begins in _TURNS | {Cue.THEREFORE} or (
            last.tells and len(clauses) > 1 and not self.said[-1].doubts & _OPEN
        )
        bare = turns and last.tie is Tie.BARE
        contrasted = begins == Cue.BUT and last.tie in (Tie.TOLD, Tie.RESTATED) and not self.counted
        return Sure(next(iter(last.named)), Form.TURNED) if bare or contrasted else None

    def _first(self) -> Sure | None:
        """What the first sentence tells, or is as a letter alone, where the rest tells and turns to nothing else."""
        first, others = self.said[0], self.said[1:]
        if self.polar or self.taken_back >= 0 or first.doubts - SOFT:
            return None
        if any(one.asks or one.tells or one.cues & _REOPENING for one in others) or first.asks:
            return None
        if self.counted and not first.tells:
            return self._first_amount()
        if not others or len(first.named) != 1:
            return None
        bare = {value for one in others if one.tie is Tie.BARE and not one.doubts for value in one.named}
        if bare - first.named or self._contradicts(first):
            return None
        lettered = first.tie is Tie.BARE and any(piece.mention and piece.mention.label for piece in first.pieces)
        told = first.tells and first.tie in (Tie.BARE, Tie.TOLD)
        calculates = any(piece.first in self.barred for piece in first.pieces)
        return Sure(next(iter(first.named)), Form.FIRST) if (lettered or told) and not calculates else None

    def _first_amount(self) -> Sure | None:
        """The number that alone, with a unit, opens a reply which denies nothing and names others among words."""
        parts = [(clause, sentence) for sentence in self.sentences for clause in sentence.clauses if clause.pieces]
        said = [of_clause(clause, sentence, self.row, self.asked, self.weak) for clause, sentence in parts]
        first = next((one for one in said[0].pieces if one.cue is None and not one.mark), None)
        opens = first is not None and first.mention is not None and len(said[0].named) == 1
        unit = all(first and one.first == first.last for one in said[0].rest)
        alone = opens and unit and not self.doubts and not self.barred
        described = all(one.rest for one in said[1:] if one.named - said[0].named)
        return Sure(next(iter(said[0].named)), Form.FIRST) if alone and described else None

    def _contradicts(self, first: Statement) -> bool:
        """Whether another answer stands right behind that of a first statement, on its line: "A. Vermeer did"."""
        last = max(piece.last for piece in first.pieces if piece.mention)
        following = next((one for one in self.mentions if one.first >= last), None)
        return following is not None and all(
            token.kind == "mark" and token.text != "\n" for token in self.row[last : following.first]
        )

    def _others_denied(self) -> Sure | None:
        """The one answer of several that is stated, where each of the others has a "not" right beside it."""
        if self.polar or len(self.values) < 2 or self.taken_back >= 0 or self.barred:
            return None
        if self.doubts - _DENIALS or any(one.asks for one in self.said):
            return None
        denied, free = set[int](), set[int]()
        for statement in self.said:
            pieces = [piece for piece in statement.pieces if not piece.mark]
            used = set[int]()
            for place, piece in enumerate(pieces):
                if piece.mention:
                    denial = _denial(pieces, place)
                    (free if denial is None else denied).add(piece.mention.value)
                    used |= {denial} - {None}  # type: ignore[arg-type]
            if any(one.cue in _NOTS and place not in used for place, one in enumerate(pieces)):
                return None
        if len(free) != 1 or free & denied:
            return None
        if self.mentions[0].value in denied and Cue.BUT not in self.doubts and not self._ends_with(free):
            return None
        ties = [one.without(frozenset(denied)).tie for one in self.said if free & one.named]
        stated = any(tie and tie not in (Tie.ENDS, Tie.COUNTED) for tie in ties)
        return Sure(free.pop(), Form.OTHERS_DENIED) if stated else None

    def _ends_with(self, values: set[int]) -> bool:
        """Whether the last clause is no more than one of these answers."""
        clause = [one for one in self.sentences[-1].clauses if one.pieces][-1]
        last = of_clause(clause, self.sentences[-1], self.row, self.asked, self.weak)
        return last.named == values and last.tie is Tie.BARE and not last.doubts and Cue.AND not in last.cues

    def _particle(self) -> Sure | None:
        """A yes or no that opens the reply, where nothing but a denial that fits it follows."""
        first = next((one for one in self.said[0].pieces if one.cue not in _IDLE and not one.mark), None)
        if not self.polar or len(self.values) > 1 or self.taken_back >= 0 or any(one.asks for one in self.said):
            return None
        if first is None or first.mention is None or not first.mention.particle:
            return None
        fitting = _DENYING if first.mention.value == self.negative else frozenset((Cue.MEANWHILE,))
        return None if self.doubts - fitting else Sure(first.mention.value, Form.PARTICLE)

    def _denied_pair(self) -> Sure | None:
        """The other one of two where a bare sentence denies one: "It is not true"."""
        if not self.judging or len(self.said) != 1 or len(self.mentions) != 1 or self.taken_back >= 0:
            return None
        only = self.said[0]
        nots = [piece for piece in only.pieces if piece.cue in _NOTS]
        if only.rest or only.asks or len(nots) != 1 or only.doubts != {nots[0].cue} or self.mentions[0].particle:
            return None
        return None if self.mentions[0].label else Sure(1 - self.mentions[0].value, Form.DENIED_PAIR)


def _is_called_right(last: Statement, before: Sequence[Statement]) -> bool:
    """Whether a last sentence calls right what none before names: "A is wrong. B is right."."""
    return Cue.RIGHT in last.cues and not any(one.named & last.named for one in before)


def goes_on(cleaned: Cleaned) -> bool:
    """Whether a reply that marks an answer takes it back behind the mark, or leaves it open."""
    behind = tokens(cleaned.said.rpartition(cleaned.marked[-1])[2])
    return bool(closings_in(behind)) or any(one.value == Cue.CORRECTION for one in cues().find(behind))


def _denial(pieces: Sequence[Piece], place: int) -> int | None:
    """The place of the "not" that stands right before or behind a mention; None where there is none."""
    before = place - 1
    while before >= 0 and (pieces[before].cue in _BETWEEN or pieces[before].text.casefold() in ARTICLES):
        before -= 1
    if before >= 0 and pieces[before].cue == Cue.NOT:
        return before if pieces[before].text != "no" else None  # "5, no 6" denies the 6 or corrects the 5
    return place + 1 if place + 1 < len(pieces) and pieces[place + 1].cue == Cue.NOT_AFTER else None


_TAIL = 400  # tokens at the end that tell whether a reply breaks off
_FOLLOWING = (Tie.BARE, Tie.RESTATED, Tie.OPENS)
_TURNS = frozenset((Cue.BUT, Cue.CORRECTION))
_REOPENING = frozenset((Cue.CORRECTION, Cue.UNKNOWN, Cue.OR, Cue.GUESS, Cue.THEREFORE, Cue.FINAL, Cue.REFUSAL))
_CLOSED = frozenset((Cue.CORRECTION, Cue.REFUSAL, Cue.UNKNOWN, Cue.OR, Cue.GUESS))
_CONTRASTS = frozenset((Cue.BUT, Cue.MEANWHILE))
_OPEN = frozenset((Cue.IF, Cue.UNKNOWN, Cue.REFUSAL, Cue.OR, Cue.PARTLY))
_NOTS = (Cue.NOT, Cue.NOT_AFTER)
_DENIALS = frozenset((*_NOTS, Cue.BUT))
_DENYING = frozenset((*_NOTS, Cue.WRONG, Cue.MEANWHILE, Cue.NEITHER))
_IDLE = (Cue.FILLER, Cue.NOTHING)
_BETWEEN = (*_IDLE, Cue.OPTION)
