"""Words for scales in which questions ask, as powers of ten, and signs of units."""

from __future__ import annotations

import re
from fractions import Fraction

from trialign.queries.reading.words import word_set

SCALES = {
    "thousand": 3,
    "thousands": 3,
    "million": 6,
    "millions": 6,
    "billion": 9,
    "billions": 9,
    "trillion": 12,
    "trillions": 12,
    "millones": 6,
    "milhões": 6,
    "bilhões": 9,
    "milliards": 9,
    "millionen": 6,
    "milliarden": 9,
    "milioni": 6,
    "miliardi": 9,
    "миллионов": 6,
    "миллионах": 6,
    "миллиардов": 9,
    "миллиардах": 9,
}
SYMBOLS = {
    "gram": "g",
    "kilogram": "kg",
    "tonne": "t",
    "metre": "m",
    "meter": "m",
    "kilometre": "km",
    "kilometer": "km",
    "centimetre": "cm",
    "centimeter": "cm",
    "millimetre": "mm",
    "millimeter": "mm",
    "litre": "l",
    "liter": "l",
    "hour": "h",
    "minute": "min",
    "second": "s",
    "pound": "lb",
    "mile": "mi",
    "feet": "ft",
    "foot": "ft",
    "inche": "in",
    "yard": "yd",
    "ounce": "oz",
    "kilo": "kg",
    "kilogramo": "kg",
    "kilogramm": "kg",
    "kilogramme": "kg",
    "quilo": "kg",
    "kilómetro": "km",
    "quilômetro": "km",
    "kilomètre": "km",
    "metro": "m",
    "mètre": "m",
    "libra": "lb",
    "livre": "lb",
    "pie": "ft",
    "pied": "ft",
    "milla": "mi",
    "mille": "mi",
    "meile": "mi",
    "meilen": "mi",
    "celsiu": "C",
    "fahrenheit": "F",
}
#: Signs of units that stand behind numbers.
UNITS = word_set(
    "m km cm mm µm nm kg g mg t lb oz mi ft in yd l ml cl h s ms min °C °F C F K V W kW MW mW J kJ Hz kHz MHz Pa kPa N "
    "A mA"
)


def unit_behind(said: str, end: int) -> str:
    """The sign of the unit right behind a number that ends there; empty where none that is known stands there."""
    found = _BEHIND.match(said, end)
    if found is None:
        return ""
    word = found[1].strip("°")
    return word if word in UNITS else SYMBOLS.get(word.casefold().removesuffix("s"), "")


def is_same(left: Fraction, left_unit: str, right: Fraction, right_unit: str) -> bool:
    """Whether two amounts are one in two units, as far as replies round: within 5 per cent."""
    if (left_unit, right_unit) in (("F", "C"), ("K", "C")):
        celsius = (left - 32) * 5 / 9 if left_unit == "F" else left - Fraction("273.15")
        return abs(celsius - right) <= 1
    if (left_unit, right_unit) in (("C", "F"), ("C", "K")):
        return is_same(right, right_unit, left, left_unit)
    for factors in (_METRES, _GRAMS):
        if left_unit in factors and right_unit in factors and left_unit != right_unit:
            one, other = left * Fraction(factors[left_unit]), right * Fraction(factors[right_unit])
            return abs(one - other) * 20 <= abs(other)
    return False


_BEHIND = re.compile(r"\s?(°?[^\W\d]+)")
_METRES = {
    "m": "1",
    "km": "1000",
    "cm": "0.01",
    "mm": "0.001",
    "mi": "1609.344",
    "ft": "0.3048",
    "in": "0.0254",
    "yd": "0.9144",
}
_GRAMS = {"g": "1", "kg": "1000", "mg": "0.001", "t": "1000000", "lb": "453.59237", "oz": "28.349523"}
