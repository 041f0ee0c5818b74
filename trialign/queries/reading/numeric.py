"""Which number a reply gives as its answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from trialign.queries.reading.arithmetic import is_operand, is_result, is_unsolved
from trialign.queries.reading.asides import ASIDE, dates_of, inside, is_marker, is_small_word, says_no, unbounded
from trialign.queries.reading.clauses import Mention, few
from trialign.queries.reading.cleaning import Cleaned
from trialign.queries.reading.digits import convention, written
from trialign.queries.reading.languages import language, spoken_in
from trialign.queries.reading.lexicon import cues
from trialign.queries.reading.numbers import Number, numbers
from trialign.queries.reading.rivals import is_either
from trialign.queries.reading.statements import Asked, Tie
from trialign.queries.reading.sure import Form, Named, goes_on
from trialign.queries.reading.tokens import Token, tokens
from trialign.queries.reading.typography import plain
from trialign.queries.reading.units import SCALES, SYMBOLS, UNITS, is_same, unit_behind
from trialign.queries.statuses import ParseStatus

Reading = tuple[str | None, ParseStatus]

_ASKS_SCALE = re.compile(
    r"\b(?:how many|in|cuántos|quantos|combien de|wie viele|quanti|сколько|en|em|in|в)\s+(" + "|".join(SCALES) + r")\b",
    re.IGNORECASE,
)
_ASKS_IN = re.compile(r"\b(?:in|en|em|в) (?:degrees )?([^\W\d]+)\b\W*$")


class Numeric:
    """A question whose answer is a number.

    Args:
        question: its numbers, unit and language help to tell the answer from other numbers.
    """

    def __init__(self, question: str) -> None:
        self._question = plain(question)
        self._asked = Asked(question)
        row = tokens(self._question)
        self._given = {
            reading
            for number in numbers(self._question, row, language(self._question), "point")
            for reading in number.readings
        }
        wanted = _ASKS_IN.search(self._question)
        self._unit = SYMBOLS.get(wanted[1].casefold().removesuffix("s"), "") if wanted else ""
        scale = _ASKS_SCALE.search(self._question)
        self._scale = 10 ** SCALES[scale[1].lower()] if scale else 1

    def read(self, cleaned: Cleaned) -> Reading:
        """The number that a reply surely gives, written in plain digits."""
        if cleaned.marked:
            readings = [self._read(one) for one in cleaned.marked]
            agreed = len({value for value, _ in readings}) == 1 and not goes_on(cleaned)
            return readings[-1] if agreed else (None, "ambiguous")
        return self._read(cleaned.said)

    def _read(self, said: str) -> Reading:
        row = tokens(said)
        spoken = spoken_in(said, self._question)
        found = numbers(said, row, spoken, convention(said, self._question))
        found = [number for number in found if any(written(reading) for reading in number.readings)]
        kept = self._amounts(said, row, few(found))
        if not kept:
            return None, "none"
        new = [number for number in kept if not any(reading in self._given for reading in number.readings)]
        answers = self._asked_for(said, new or kept)
        same = self._same(said, answers)
        keys = list(dict.fromkeys(same.get(number.readings, number.readings) for number in answers))
        places = [
            self._with_unit(said, row, number, place)
            for number, place in zip(answers, _places(row, answers), strict=True)
        ]
        if same:
            places = [_over_unit(row, place) for place in places]
        mentions = [
            Mention(*place, keys.index(same.get(one.readings, one.readings)))
            for place, one in zip(places, answers, strict=True)
        ]
        barred = frozenset(one.first for one, number in zip(mentions, answers, strict=True) if is_operand(said, number))
        named = Named(row, mentions, self._asked, spoken, counted=True, barred=barred)
        sure = named.surely()
        if sure is None:
            chosen = self._result(said, kept[-1], named)
        elif new or (len(kept) == 1 and sure.form is Form.ONLY and named.said[0].tie is Tie.BARE):
            chosen = [number for number in answers if number.readings == keys[sure.value]][-1]
        else:
            chosen = None  # the question's own number, in passing
        if chosen is None:
            return None, "none" if len(keys) == 1 and self._is_one(said, found, kept) else "ambiguous"
        if chosen.spelled and self._is_part(row, chosen):
            return None, "ambiguous"
        if not self._is_one(said, found, [one for one in kept if one.readings == chosen.readings]):
            return None, "ambiguous"
        return written(self._scaled(chosen)), "number"

    def _asked_for(self, said: str, answers: Sequence[Number]) -> Sequence[Number]:
        """Without values of other unknowns and the circumstances of what is told."""
        letters = [_LETTER.search(said[: one.start]) for one in answers]
        names = [match[1] for match in letters if match]
        if len(set(names)) > 1 and len(names) == len(answers):
            asked = [one for one in dict.fromkeys(names) if re.search(rf"(?<!\w){one}(?!\w)", self._question)]
            wanted = asked[0] if len(asked) == 1 else "" if asked or names[0] != "x" else "x"
            return [one for one, name in zip(answers, names, strict=True) if name == wanted] or answers
        described = [one for one in answers if not self._is_circumstance(said, one)]
        return described if described and described[0] is answers[0] else answers

    def _same(self, said: str, answers: Sequence[Number]) -> dict[tuple[Fraction, ...], tuple[Fraction, ...]]:
        """Readings of numbers that only round another, or give it in another unit, with that of the one asked for."""
        units = {one.readings: unit_behind(said, one.end) for one in answers}
        rounded = {
            two.readings: one.readings
            for one, two in pairwise(answers)
            if _ROUNDED.fullmatch(said[one.end : two.start])
            and abs(one.readings[0] - two.readings[0]) * 100 < abs(one.readings[0])
        }
        if rounded:
            return rounded
        asked = [one for one in answers if units[one.readings] == self._unit]
        if not self._unit or len({one.readings for one in asked}) != 1:
            return {}
        return {
            one.readings: asked[0].readings
            for one in answers
            if one.readings != asked[0].readings
            and is_same(one.readings[0], units[one.readings], asked[0].readings[0], self._unit)
        }

    def _is_circumstance(self, said: str, number: Number) -> bool:
        """Whether a number only tells under what the rest holds: "at a pressure of 1 atm", where nobody asks for it."""
        found = _CIRCUMSTANCE.search(said[: number.start])
        return found is not None and found[1].casefold() not in self._question.casefold()

    def _with_unit(self, said: str, row: Sequence[Token], number: Number, place: tuple[int, int]) -> tuple[int, int]:
        """The tokens of a number with the unit behind it, or of the date whose year it is."""
        unit = _UNIT.match(said, number.end)
        if unit and all(one in UNITS for one in re.findall(r"[^\W\d]+", unit[0])):
            return place[0], max(sum(token.start < unit.end() for token in row), place[1])
        for start, end in dates_of(said)[0]:
            if start <= number.start < end:
                inner = [index for index, token in enumerate(row) if start <= token.start and token.end <= end]
                return min(inner[0], place[0]), max(inner[-1] + 1, place[1])
        return place

    def _amounts(self, said: str, row: Sequence[Token], found: Sequence[Number]) -> list[Number]:
        """The numbers that are no dates, markers of a list or step, or small words."""
        aside = [match.span() for match in ASIDE.finditer(said)]
        dates, years = dates_of(said)
        short = sum(token.kind != "mark" for token in row) <= _SHORT
        return [
            number
            for number, place in zip(found, _places(row, found), strict=True)
            if not (
                (number.spelled and len(found) > 1 and says_no(row, number))
                or (number.spelled and abs(number.readings[0]) == 1 and is_small_word(row, place))
                or (number.spelled and abs(number.readings[0]) <= 1 and not short)
                or inside(number, dates, but=years)
                or (inside(number, aside) and (len(found) > 1 or is_marker(said, number, aside)))
            )
        ]

    def _result(self, said: str, last: Number, named: Named) -> Number | None:
        """What a calculation at the very end of a reply comes to: "... = 42 km."."""
        ends = re.fullmatch(r"\s?[^\W\d]{0,12}[\s.$€!)\]\\]*", said[last.end :])
        equals = re.search(r"=\s?[$€]?$", said[: last.start][-4:]) and is_result(said, last)
        given = any(reading in self._given for reading in last.readings)
        doubted = named.doubts or named.taken_back >= 0 or any(one.asks for one in named.said)
        several = len({match[1] for match in _UNKNOWN.finditer(said)}) > 1  # "x = 10, y = 3"
        return last if ends and equals and not (given or doubted or several) else None

    def _is_one(self, said: str, found: Sequence[Number], chosen: Sequence[Number]) -> bool:
        """Whether a number is one amount, and no bound, end of a range, unknown or one of two."""
        return not (
            len(chosen[-1].readings) > 1
            or is_either(said, found, chosen[-1])
            or any(
                number.ranged
                or unbounded(said, number) is None
                or is_unsolved(said, number)
                or (self._unit != "m" and _METRES_OR_MILLIONS.match(said[number.end :]))
                for number in chosen
            )
        )

    def _is_part(self, row: Sequence[Token], number: Number) -> bool:
        """Whether a word that nobody knows stands right before a number in words, and may belong to it."""
        before = [token for token in row if token.end <= number.start][-1:]
        known = number.readings[0] < 0 or any(
            self._asked.knows(one) or one.kind != "word" or cues().find([one]) for one in before
        )
        opening = not before or before[0].text.istitle()
        return not (known or opening)

    def _scaled(self, number: Number) -> Fraction:
        value = number.readings[0]
        return value / self._scale if self._scale > 1 and (number.scaled or abs(value) >= self._scale) else value


_UNKNOWN = re.compile(r"\b([a-zA-Z])\s?=")
_UNIT = re.compile(r"\s?°?[^\W\d]{1,3}\d?(?:/[^\W\d]{1,3}(?:\^?\d)?)?(?!\w)")
# The unknown to which a number is equated, and what tells under what something holds.
_LETTER = re.compile(r"(?:^|[,;\n]\s*|\band\s+)([a-z])\s*=\s*$")
_CIRCUMSTANCE = re.compile(
    r"\b(?:at an?|bei einem|bei einer|à une|a una|a un|ad una|ad un|a uma|a um|при) "
    r"(pressure|temperature|altitude|elevation|voltage|concentration|druck|temperatur|höhe|spannung|pression|"
    r"température|tension|presión|temperatura|altitud|pressione|altitudine|pressão|"
    r"давлении|температуре|высоте) "
    r"(?:of |von |de |di |d'|в )?(?:about |etwa |environ |unos |circa |около )?$",
    re.IGNORECASE,
)
_ROUNDED = re.compile(r"\}?\s?(?:≈|\\approx|≃|~)\s?")
_SHORT = 4  # in a longer reply "one" and "zero" are words
_METRES_OR_MILLIONS = re.compile(r"m(?!\w)")


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


def _over_unit(row: Sequence[Token], place: tuple[int, int]) -> tuple[int, int]:
    """The tokens of a number with the word of a unit behind it."""
    first, last = place
    behind = last < len(row) and row[last].text.casefold().removesuffix("s") in SYMBOLS
    return first, last + behind


@lru_cache(maxsize=256)
def numeric_of(question: str) -> Numeric:
    """A question, kept for its further replies."""
    return Numeric(question)
