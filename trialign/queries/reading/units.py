"""Words for scales in which questions ask, as powers of ten, and signs of units."""

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
}
#: Signs of units that stand behind numbers.
UNITS = word_set(
    "m km cm mm µm nm kg g mg t lb oz mi ft in yd l ml cl h s ms min °C °F C F K V W kW MW mW J kJ Hz kHz MHz Pa kPa N "
    "A mA"
)
