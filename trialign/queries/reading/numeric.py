"""Which number a reply gives as its answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from trialign.queries.reading.arithmetic import OPERATED, is_operand, is_result, is_unsolved
from trialign.queries.reading.asides import (
    ASIDE,
    ASKS_YEAR,
    YEAR_AFTER,
    YEARS,
    dates_of,
    inside,
    is_marker,
    is_small_word,
    looks_like_year,
    says_no,
    unbounded,
)
from trialign.queries.reading.clauses import Mention, few
from trialign.queries.reading.cleaning import Cleaned, unmarked
from trialign.queries.reading.digits import convention, written
from trialign.queries.reading.judging import judged
from trialign.queries.reading.languages import language, spoken_in
from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.numbers import Number, numbers
from trialign.queries.reading.questions import root, words_of
from trialign.queries.reading.rivals import has_rival, is_either
from trialign.queries.reading.tokens import Level, Token, form, tokens
from trialign.queries.reading.trust import is_left_open
from trialign.queries.reading.typography import plain
from trialign.queries.reading.units import SCALES, SYMBOLS
from trialign.queries.reading.weights import Judged, Weight
from trialign.queries.statuses import ParseStatus

Reading = tuple[str | None, ParseStatus]

_ASKS_SCALE = re.compile(
    r"\b(?:how many|in|cuántos|quantos|combien de|wie viele|quanti|сколько|en|em|in|в)\s+(" + "|".join(SCALES) + r")\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:how many|number of|how much|cuántos|cuántas|quantos|quantas|combien de|combien d|wie "
    r"viele|quanti|quante|сколько|kaç|كم|چند|कितने|कितनी)\s+([^?,.;]{1,40})",
    re.IGNORECASE,
)


_ASKS_IN = re.compile(r"\bin ([a-z]+)\b[^a-z]*$")


@dataclass(slots=True)
class _Candidate:
    number: Number
    weight: Weight
    sentence: int
    score: float


class Numeric:
    """A question whose answer is a number.

    Args:
        question: its numbers, unit and language help to tell the answer from other numbers.
    """

    def __init__(self, question: str) -> None:
        self._question = plain(question)
        self._spoken = language(self._question)
        self._asked = words_of(self._question)
        row = tokens(self._question)
        self._given = {
            reading for number in numbers(self._question, row, self._spoken, "point") for reading in number.readings
        }
        self._asks_year = bool(ASKS_YEAR.search(self._question)) and not re.search(
            r"\b(?:days|months|weeks) "
            r"(?:are )?(?:there )?in\b|how (?:many|long|old)",
            self._question,
            re.IGNORECASE,
        )
        unit = _ASKS.search(self._question)
        self._units = [form(token, Level.STEM) for token in tokens(unit[1]) if token.kind == "word"][:2] if unit else []
        wanted = _ASKS_IN.search(self._question)
        self._unit = SYMBOLS.get(wanted[1].casefold().removesuffix("s"), "") if wanted else ""
        scale = _ASKS_SCALE.search(self._question)
        self._scale = 10 ** SCALES[scale[1].lower()] if scale else 1

    def read(self, cleaned: Cleaned) -> Reading:
        """The number that a reply gives, written in plain digits."""
        for marked in reversed(cleaned.marked):
            value, status = self._read(marked)
            if value is not None or status == "ambiguous":
                return value, status
        value, status = self._read(cleaned.said)
        bold = {one for text in _last_bold(cleaned.spoken) if (one := self._read(unmarked(text))[0]) is not None}
        if len(bold) == 1 and value not in bold:
            return (bold.pop(), "number") if value is None and status != "ambiguous" else (None, "ambiguous")
        return value, status

    def _read(self, said: str) -> Reading:
        row = tokens(said)
        found = numbers(said, row, spoken_in(said, self._question), convention(said, self._question))
        years = dates_of(said)[1]
        known = [number for number in found if any(written(reading) for reading in number.readings)]
        known = [number for number in known if not (number.spelled and len(known) > 1 and says_no(row, number))]
        found = [replace(number, ranged=number.ranged and not inside(number, years)) for number in few(known)]
        candidates, denied = self._candidates(said, row, found)
        if not candidates:
            return None, "none"
        operands = [number for number in found if is_operand(said, number)]
        candidates = _without_steps(said, self._of_unknown(said, self._without_given(said, candidates)), operands)
        if not candidates:
            return None, "none"
        if len({one.number.readings for one in candidates}) > 1 and all(_is_bare(said, one) for one in candidates):
            return None, "ambiguous"
        best = max(one.score for one in candidates)
        leading = [one for one in candidates if one.score >= best - 0.5]
        chosen = self._one(said, leading)
        if (
            chosen is None
            or _is_open(row, found, chosen)
            or is_either(said, found, chosen)
            or (denied and self._is_aside(said, found, chosen))
            or len(chosen.readings) > 1
            or chosen.ranged
            or has_rival(said, [one.number for one in candidates], chosen)
        ):
            return None, "ambiguous"
        text = written(self._scaled(chosen))
        return (text, "number") if text is not None else (None, "none")

    def _without_given(self, said: str, candidates: Sequence[_Candidate]) -> Sequence[_Candidate]:
        """Without the question's own numbers, where the reply has others or repeats several of them."""
        known = {id(one): any(reading in self._given for reading in one.number.readings) for one in candidates}
        solved = "=" in self._question and any(is_result(said, one.number) and not known[id(one)] for one in candidates)
        repeated = [
            one
            for one in candidates
            if one.weight <= Weight.SAID and known[id(one)] and (solved or not is_result(said, one.number))
        ]  # what comes to one of them after another result is a check
        others = [one for one in candidates if one not in repeated]
        if others or len({one.number.readings for one in repeated}) > 1:
            return others
        if len(repeated) > 1:
            return repeated  # said in two ways: "five eighths, or 0.625"
        return [
            one for one in candidates if one not in repeated or one.score >= (_ANSWERING if one.number.spelled else 0.5)
        ]

    def _of_unknown(self, said: str, candidates: Sequence[_Candidate]) -> Sequence[_Candidate]:
        """Of several unknowns ("x = 10, y = 3") the value of the one that is asked for, else of the first."""
        named = [_UNKNOWN.search(said[max(0, one.number.start - 12) : one.number.start]) for one in candidates]
        letters = [match[1] for match in named if match]
        if len(set(letters)) < 2:
            return candidates
        wanted = next((one for one in letters if re.search(rf"\b{one}\b", self._question)), letters[0])
        return [one for one, match in zip(candidates, named, strict=True) if not match or match[1] == wanted]

    def _scaled(self, number: Number) -> Fraction:
        value = number.readings[0]
        return value / self._scale if self._scale > 1 and (number.scaled or abs(value) >= self._scale) else value

    def _is_aside(self, said: str, found: Sequence[Number], chosen: Number) -> bool:
        """Whether a calculation with none of the question's numbers comes to the number: a step of another one."""
        operands = [one for one in found if is_operand(said, one)]
        given = any(reading in self._given for one in operands for reading in one.readings)
        return is_result(said, chosen) and len(self._given) > 1 and not given

    def _candidates(
        self, said: str, row: Sequence[Token], found: Sequence[Number]
    ) -> tuple[Sequence[_Candidate], bool]:
        """The numbers that can be the answer, and whether another one is denied."""
        aside = [match.span() for match in ASIDE.finditer(said)]
        dates, years = dates_of(said)
        places = _places(row, found)
        mentions = [Mention(first, last, index) for index, (first, last) in enumerate(places)]
        weights = {one.value: one for one in judged(row, mentions, self._asked, spoken_in(said, self._question))}
        candidates: list[_Candidate] = []
        for index, number in enumerate(found):
            one = weights[index]
            if one.weight < Weight.GUESSED or inside(number, dates, but=years):
                continue
            if is_unsolved(said, number):
                continue
            if inside(number, aside) and (len(found) > 1 or is_marker(said, number, aside)):
                continue
            if (
                number.spelled
                and abs(number.readings[0]) <= 1
                and one.weight < Weight.ALONE
                and len(found) > 0
                and not (self._units and self._unit_follows(said, number, row, places[index]))
            ):
                continue
            if number.spelled and abs(number.readings[0]) == 1 and is_small_word(row, places[index]):
                continue
            if one.weight < Weight.ANSWER and is_operand(said, number) and not (number.ranged or inside(number, dates)):
                continue
            score = self._score(said, row, places[index], number, one, years)
            candidates.append(_Candidate(number, one.weight, one.sentence, score))
        return candidates, any(one.weight == Weight.DENIED for one in weights.values())

    def _score(
        self,
        said: str,
        row: Sequence[Token],
        place: tuple[int, int],
        number: Number,
        one: Judged,
        years: Sequence[tuple[int, int]],
    ) -> float:
        score = {
            Weight.GUESSED: 0.0,
            Weight.SAID: 1.0,
            Weight.FOLLOWS: 9.0,
            Weight.ALONE: 2.0,
            Weight.ANSWER: 10.0,
            Weight.FINAL: 14.0,
        }[one.weight]
        before, after = said[max(0, number.start - 30) : number.start], said[number.end : number.end + 30]
        counted = self._unit_follows(said, number, row, place)
        year = inside(number, years) or (
            looks_like_year(number)
            and bool(YEARS.search(before) or YEAR_AFTER.match(after) or (not counted and _OF_EVENT.search(before)))
        )
        if self._asks_year:
            score += 3 if looks_like_year(number) else -1.5
            score += inside(number, years)  # a full date is what was asked more likely than a year in passing
        elif year:
            score -= 3
        if is_result(said, number):
            score += 3
        elif is_operand(said, number):
            score -= 2
        elif OPERATED.search(said[max(0, number.start - 80) : number.start]):
            score += 3  # "7 times 8 is 56"
        score += min(self._asked_near(row, place), 3.5 if one.weight in (Weight.SAID, Weight.ALONE) else 1)
        score += 2 * self._asked_behind(row, place)
        unit = row[place[1]].text if place[1] < len(row) else ""
        if self._unit and unit in SYMBOLS.values():
            score += 2 if unit == self._unit else -2
        score += 3 * (one.contrasts and one.overlap > 0)
        if _is_of_name(said, row, place):
            score -= 2
        if any(reading in self._given for reading in number.readings):
            score -= 2
        if said.count("(", 0, number.start) > said.count(")", 0, number.start):
            score -= 2
        if unbounded(said, number) is None:
            score -= 0.5
        score += 3 * counted
        score += min(1.5, 2 * one.overlap)
        score += 1.5 * self._opens(said, row, place)
        return score

    def _asked_near(self, row: Sequence[Token], place: tuple[int, int]) -> float:
        """More where a word closely before the number is the question's: "ended in 1945", "an adult has 206"."""
        before = []
        for token in reversed(row[max(0, place[0] - 4) : place[0]]):
            if token.kind in ("number", "mark") or token.text.casefold() in _JOINS:
                break
            before.append(root(form(token, Level.STEM)))
        near = {asked for word in before for asked in self._asked if len(asked) > 2 and _alike(word, asked)}
        return 3.5 if near - set(self._units) else float(bool(near))

    def _asked_behind(self, row: Sequence[Token], place: tuple[int, int]) -> bool:
        """Whether a word of the question other than its unit stands behind the number: "30 metres tall"."""
        for token in row[place[1] : place[1] + 4]:
            if token.kind in ("number", "mark") or token.text.casefold() in _JOINS:
                return False
            stem = root(form(token, Level.STEM))
            if len(stem) > 2 and stem in self._asked and not any(_alike(stem, unit) for unit in self._units):
                return True
        return False

    def _opens(self, said: str, row: Sequence[Token], place: tuple[int, int]) -> bool:
        """Whether the number opens the reply, and no calculation follows."""
        first = row[place[0]].start
        return not re.search(r"[^\W_]", said[:first]) and "=" not in said

    def _unit_follows(self, said: str, number: Number, row: Sequence[Token], place: tuple[int, int]) -> bool:
        """Whether the thing that the question counts stands behind the number."""
        following = [token for token in row[place[1] : place[1] + 6] if token.kind != "mark"]
        if not following or self._asks_year:
            return False
        if following[0].kind == "unspaced":
            near = "".join(token.text for token in following[:6])
            return any(near[i : i + 2] in self._question for i in range(len(near) - 1)) and len(near) > 1
        stems = [form(token, Level.STEM) for token in following[:3]]
        wanted = self._units or self._asked
        return any(_alike(stem, unit) for stem in stems for unit in wanted)

    def _one(self, said: str, leading: Sequence[_Candidate]) -> Number | None:
        """The number of equally good ones: the last sentence's, there the first; None in doubt."""
        if len({one.number.readings for one in leading}) == 1:
            return unbounded(said, leading[-1].number)
        if any(one.number.ranged for one in leading):
            return None
        last = leading[-1].sentence
        mine = [one for one in leading if one.sentence == last]
        if len({one.number.readings for one in mine}) == 1:
            return unbounded(said, mine[-1].number) if mine[-1].weight >= Weight.SAID else None
        if mine[0].weight >= Weight.ANSWER or len({one.number.readings for one in mine}) > 2:
            return None
        return unbounded(said, mine[0].number)


def _without_steps(said: str, candidates: Sequence[_Candidate], operands: Sequence[Number]) -> Sequence[_Candidate]:
    """Without what was stated before the last step of a calculation, and is not called the answer."""
    result = max((index for index, one in enumerate(candidates) if is_result(said, one.number)), default=0)
    top = max((one.weight for one in candidates), default=Weight.SAID)
    if top > Weight.ALONE:
        return candidates
    for index in range(len(candidates) - 1, result, -1):  # "36, and 5 taken away leave 31"
        start = candidates[result].number.end
        within = [one for one in operands if start <= one.start < candidates[index].number.start]
        if within and all(one.readings != candidates[result].number.readings for one in within):
            result = index
            break
    same = candidates[result].number.readings if candidates else ()
    return [one for index, one in enumerate(candidates) if index >= result or one.number.readings == same]


def _is_bare(said: str, one: _Candidate) -> bool:
    """Whether a number stands alone between marks, with no words, signs or unit."""
    number = one.number
    around = said[max(0, number.start - 2) : number.start].strip(), said[number.end : number.end + 2].strip()
    return one.weight == Weight.ALONE and not any(re.search(r"[^.,;!?…\n]", text) for text in around)


# The score of a statement that repeats a number of the question's and answers it, by its unit or words.
_ANSWERING = 3.5


def _last_bold(spoken: str) -> list[str]:
    """What a reply sets in bold and names no number behind."""
    found = list(_BOLD.finditer(spoken))
    return [one[1] for one in found] if found and not re.search(r"\d", spoken[found[-1].end() :]) else []


# What a number is given to, in a row of such: "x = 10, y = 3".
_UNKNOWN = re.compile(r"(?:^|[,;\n]\s*|\band\s+)([a-z])\s*=\s*$")
# A number that is all that a reply sets in bold.
_BOLD = re.compile(r"\*\*(\W{0,3}\d[^*\n]{0,24})\*\*")
# "The 1908 London games": the year of a thing.
_OF_EVENT = re.compile(r"\b(?:the|this|edition|ed\.)\s$", re.IGNORECASE)


def _is_open(row: Sequence[Token], found: Sequence[Number], chosen: Number) -> bool:
    """Whether what follows the number's last mention takes it back or cannot decide."""
    end = max(one.end for one in found if one.readings == chosen.readings or one is chosen)
    return is_left_open(row, next((place for place, token in enumerate(row) if token.start >= end), len(row)))


_JOINS = frozenset(("and", "y", "e", "et", "und", "и", "but"))


def _is_of_name(said: str, row: Sequence[Token], place: tuple[int, int]) -> bool:
    """Whether a number belongs to a name before it, as in "Apollo 11"."""
    before = row[place[0] - 1] if place[0] > 1 else None
    if before is None or before.kind != "word" or len(before.text) < 3 or not before.text.istitle():
        return False
    earlier = row[place[0] - 2]
    return earlier.kind == "word" and before.text.isascii() and not cues().find([before])


def _alike(left: str, right: str) -> bool:
    """Whether two words are one but for their ending."""
    if left == right:
        return len(left) > 1 or not left.isascii()
    length = min(len(left), len(right))
    return (length >= 5 - (not left.isascii()) and left[: length - 1] == right[: length - 1]) or (
        length >= 3 and (left.startswith(right) or right.startswith(left))
    )


def _places(row: Sequence[Token], found: Sequence[Number]) -> list[tuple[int, int]]:
    """First and beyond the last token of every number."""
    places = []
    index = 0
    for number in found:
        while index < len(row) and row[index].end <= number.start:
            index += 1
        first = index
        while index < len(row) and row[index].start < number.end:
            index += 1
        places.append((first, max(index, first + 1)))
    return places


@lru_cache(maxsize=256)
def numeric_of(question: str) -> Numeric:
    """A question, kept for its further replies."""
    return Numeric(question)
