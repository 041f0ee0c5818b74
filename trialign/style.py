"""Checks of a reply's form that need no judge: length, layout, reading level, spelling, units.

Spelling and units go by short lists of common words, not by a dictionary: what is in no list counts for neither side.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from trialign.queries.types import Form, Spelling, Units

_LIST_ITEM = re.compile(r"^[ \t]*(?:[-*•+]|\d{1,2}[.)])[ \t]+", re.MULTILINE)


def word_count(text: str) -> int:
    """Words between blanks; list markers are none."""
    return len(_without_markers(text).split())


def met_checks(form: Form, text: str) -> list[bool]:
    """Whether a reply holds to each check that the form sets, in no particular order; empty when it sets none."""
    checks: list[bool] = []
    if form.max_words is not None:
        checks.append(word_count(text) <= form.max_words)
    if form.min_words is not None:
        checks.append(word_count(text) >= form.min_words)
    if form.layout is not None:
        checks.append(("list" if _LIST_ITEM.search(text) else "prose") == form.layout)
    if form.max_grade is not None:
        checks.append(reading_grade(text) <= form.max_grade)
    if form.min_grade is not None:
        checks.append(reading_grade(text) >= form.min_grade)
    if form.spelling is not None:
        checks.append(spellings(text) <= {form.spelling})
    if form.units is not None:
        checks.append(units(text) == {form.units})
    return checks


def reading_grade(text: str) -> float:
    """Flesch-Kincaid grade: 0.39 words per sentence + 11.8 syllables per word - 15.59 (Kincaid et al. 1975).

    Syllables are counted by hyphenation patterns: for the language "en" textstat would load a pronouncing
    dictionary from the network, and the grade would depend on whether it could.
    """
    from textstat.backend.metrics import flesch_kincaid_grade

    return float(flesch_kincaid_grade(_without_markers(text), "en-US"))


def spellings(text: str) -> set[Spelling]:
    """Which of the two spellings show in a text: in words that only American, or only British, English spells so."""
    return {spelling for spelling, words in _SPELLINGS.items() if words.search(text)}


def units(text: str) -> set[Units]:
    """Which systems of measures show in a text: a number, in digits or words, before a unit; or a temperature scale."""
    return {system for system, words in _UNITS.items() if words.search(text)}


def _without_markers(text: str) -> str:
    return _LIST_ITEM.sub("", text)


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(patterns)})\b", re.IGNORECASE)


# Families of words: stems, then the endings of each spelling. "-ize" is good British too (Oxford), so only "-ise"
# tells; words that both sides share ("honorary", "analyses") or that have a second sense ("meter", "check") are left
# out.
_OUR = (
    r"(?:dis|un)?(?:arm|behavi|cand|clam|col|endeav|fav|ferv|flav|harb|hon|hum|lab|neighb|od|parl|rig|rum|sav|savi|"
    r"splend|tum|val|vap|vig)"
)
_OUR_ENDINGS = r"(?:s|ed|ing|ers?|ful|fully|less|able|ably|al|ally|hoods?|ites?|itism|ly|y)?"
_ISE = (
    r"(?:apolog|author|capital|categor|character|civil|colon|critic|crystall|custom|econom|emphas|equal|fertil|final|"
    r"general|harmon|hypothes|immun|industrial|legal|local|maxim|memor|minim|mobil|modern|neutral|normal|optim|organ|"
    r"oxid|popular|priorit|real|recogn|social|special|stabil|standard|steril|summar|symbol|sympath|synthes|util|visual)"
)
_YSE = r"(?:anal|catal|dial|electrol|hydrol|paral)"
_DOUBLE_L = (
    r"(?:cancel|channel|counsel|dial|fuel|jewel|label|level|marvel|model|pedal|quarrel|rival|signal|total|"
    r"travel|tunnel)"
)
_RE = r"(?:calib|cent|epicent|fib|lust|sab|spect|theat)"
_LONG, _SMALL = r"(?:kilo|centi|milli|micro|nano)", r"(?:centi|deci|milli)?"

_SPELLINGS: Mapping[Spelling, re.Pattern[str]] = {
    "american": _words(
        rf"{_OUR}or{_OUR_ENDINGS}",
        rf"{_YSE}yz(?:e|es|ed|ing|ers?)",
        rf"{_DOUBLE_L}(?:ed|ing|ers?|ors?|ous|ously)",
        rf"{_RE}er(?:s|ed|ing)?|{_LONG}meters?|{_SMALL}liters?|meager|somber",
        r"(?:de|of)fenses?|defenseless|pretenses?|maneuver(?:s|ed|ing)?|orthopedic|pediatric|pediatrician",
        r"anemi[ac]|anesthe\w+|diarrhea|esophagus|estrogens?|gynecolog\w+|hemo(?:globin|philia|rrhage)|leukemia",
        r"aging|aluminum|cozy|enroll(?:s|ments?)?|fulfill(?:s|ments?)?|gray|installments?|jewelry|molds?|mustaches?",
        r"pajamas|plow(?:s|ed|ing)?|skeptic(?:s|al|ism)?|skillful|sulf(?:ur|uric|ates?|ides?)|willful|woolen",
    ),
    "british": _words(
        rf"{_OUR}our{_OUR_ENDINGS}",
        rf"{_ISE}is(?:e|es|ed|ing|ers?|able|ations?)",
        rf"{_YSE}ys(?:e|ed|ing|ers?)",
        rf"{_DOUBLE_L}l(?:ed|ing|ers?|ors?|ous|ously)",
        rf"{_RE}re(?:s|d)?|{_LONG}?metres?|{_SMALL}litres?|meagre|sombre",
        r"(?:de|of)fences?|defenceless|pretences?|manoeuvr(?:e|es|ed|ing)|orthopaedic|paediatric|paediatrician",
        r"anaemi[ac]|anaesthe\w+|diarrhoea|oesophagus|oestrogens?|gynaecolog\w+|haemo\w+|leukaemia",
        r"ageing|aluminium|cosy|enrol(?:s|ments?)?|fulfil(?:s|ments?)?|grey|instalments?|jewellery|moulds?|moustaches?",
        r"pyjamas|plough(?:s|ed|ing)?|sceptic(?:s|al|ism)?|skilful|sulph(?:ur|uric|ates?|ides?)|wilful|woollen",
        r"artefacts?|cheques?|draughts?|foet(?:al|us)|kerbs?|licences?|practis(?:e|es|ed|ing)|programmes?|storeys?|tyres?",
    ),
}

_NUMBER = (
    r"(?:\d|(?i:\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|"
    r"sixty|seventy|eighty|ninety|hundred|thousand|million|billion|half an?|several|few|many)\b))"
)
_MEASURE = rf"{_NUMBER}[\s-]*(?i:(?:square|cubic)\s+)?"
_SCALE = r"(?:°\s?|(?i:degrees?)\s+)"

# Symbols are read as they are written ("5 m", not the network "5G"), names in either case. Units of both systems or of
# none ("ton", "cup"), and the symbol "in", are left out; "pounds" of money are taken for weight.
_UNITS: Mapping[Units, re.Pattern[str]] = {
    "metric": re.compile(
        rf"{_MEASURE}(?:[kcm]?m[²³]?|[km]?g|m?[lL]|ha|(?i:(?:kilo|centi|milli)?(?:met(?:er|re)|gram|gramme)s?|"
        rf"kilos?|tonnes?|(?:centi|milli)?lit(?:er|re)s?|hectares?))(?!\w)|{_SCALE}C(?!\w)|(?i:\b(?:celsius|centigrade)\b)"
    ),
    "us": re.compile(
        rf"{_MEASURE}(?:mi|mph|ft|yd|lbs?|oz|gal|(?i:miles?|feet|foot|inch(?:es)?|yards?|pounds?|ounces?|gallons?|"
        rf"quarts?|pints?|acres?))(?!\w)|{_SCALE}F(?!\w)|(?i:\bfahrenheit\b)"
    ),
}
