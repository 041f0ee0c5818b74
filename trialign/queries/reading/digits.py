"""What digits with separators, powers and grouping can mean, and how a value is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal

from trialign.queries.reading.languages import COMMA, language

#: More digits than this are no answer, and would take long to compute with.
LONGEST = 308

Convention = Literal["point", "comma", "either"]

_GROUPS = r"\d{{1,3}}(?:{0}\d{{3}})+"
_INDIAN = re.compile(r"\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?")


def convention(text: str, question: str) -> Convention:
    """How digits are grouped: by the reply's own words or unmistakable numbers, else by the question's language."""
    if re.search(r"\d\.\d{3},\d|\d,\d{1,2}(?![\d,])(?!\d)|\d(?:\.\d{3}){2}", text):
        return "comma"
    if re.search(r"\d,\d{3}\.\d|(?<![\d,.])\d+\.\d{1,2}(?![\d.])|\d(?:,\d{3}){2}|\d\.\d{4}", text):
        return "point"
    own = language(re.sub(r"\d", "", text))
    if own is not None:
        return "comma" if own in COMMA - {"es"} else "either" if own == "es" else "point"
    asked = language(question)
    return "either" if asked in COMMA else "point"


def separate(body: str) -> list[str] | None:
    """Numbers that commas part without blanks, such as ``1,2,3``."""
    parts = body.split(",")
    if len(parts) < 3 or any(len(part) == 3 for part in parts[1:]):
        return None
    return parts


def power(value: Fraction, exponent: str) -> Fraction | None:
    """A number raised to a whole power; None where it would take too many digits."""
    size = abs(int(exponent))
    if size > 2000 or len(str(value.numerator)) * size > LONGEST or (not value and int(exponent) < 0):
        return None
    return value ** int(exponent)


def readings(body: str, notation: Convention) -> Iterator[Fraction]:
    """What digits with separators can mean, by the rules of grouping and of this notation."""
    body = body.translate({ord("٬"): ",", ord("٫"): "§", ord("،"): ",", ord("_"): None})
    if "§" in body:
        whole, _, decimals = body.partition("§")
        yield from _decimal(re.sub(r"\D", "", whole), re.sub(r"\D", "", decimals))
        return
    body = re.sub(r"(?<=\d)[ '](?=\d{3}(?!\d))", "", body)
    if re.search(r"[^\d.,]", body) or len(body) > LONGEST:
        return
    if _INDIAN.fullmatch(body):
        whole, _, decimals = body.partition(".")
        yield from _decimal(whole.replace(",", ""), decimals)
        return
    signs = re.findall(r"[.,]", body)
    if not signs:
        yield Fraction(int(body))
    elif len(set(signs)) == 2:
        yield from _two_signs(body, signs)
    elif len(signs) > 1:
        if re.fullmatch(_GROUPS.format(re.escape(signs[0])), body):
            yield Fraction(int(re.sub(r"\D", "", body)))
    else:
        yield from _one_sign(body, signs[0], notation)


def _two_signs(body: str, signs: Sequence[str]) -> Iterator[Fraction]:
    last = signs[-1]
    whole, _, decimals = body.rpartition(last)
    if signs.count(last) == 1 and re.fullmatch(_GROUPS.format(re.escape(signs[0])), whole):
        yield from _decimal(re.sub(r"\D", "", whole), decimals)


def _one_sign(body: str, sign: str, notation: Convention) -> Iterator[Fraction]:
    whole, _, decimals = body.partition(sign)
    grouped = len(decimals) == 3 and 0 < len(whole) <= 3 and not whole.startswith("0")
    if not grouped:
        yield from _decimal(whole, decimals)
        return
    decimal_sign = {"point": ".", "comma": ",", "either": ""}[notation]
    if sign != decimal_sign:
        yield Fraction(int(whole + decimals))
    if sign == decimal_sign or notation == "either":
        yield from _decimal(whole, decimals)


def _decimal(whole: str, decimals: str) -> Iterator[Fraction]:
    if len(whole) + len(decimals) <= LONGEST:
        yield Fraction(int(whole or "0") * 10 ** len(decimals) + int(decimals or "0"), 10 ** len(decimals))


def written(value: Fraction) -> str | None:
    """Plain decimal digits without trailing zeros, ``1/3`` where they would not end; None where it takes too many."""
    lower = value.denominator
    places = 0
    while lower % 10 == 0:
        lower //= 10
        places += 1
    twos = fives = 0
    while lower % 2 == 0:
        lower //= 2
        twos += 1
    while lower % 5 == 0:
        lower //= 5
        fives += 1
    if lower != 1:
        text = f"{value.numerator}/{value.denominator}"
        return text if len(text) <= LONGEST else None
    places += max(twos, fives)
    digits = str(abs(value.numerator) * 10**places // value.denominator) if places <= LONGEST + 10 else ""
    if not digits or len(digits) > LONGEST or places > LONGEST:
        return None
    digits = digits.rjust(places + 1, "0")
    plain = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"-{plain}" if value < 0 else plain
