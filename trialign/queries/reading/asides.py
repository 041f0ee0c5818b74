"""Numbers of a reply that are no amounts: dates and years, steps, references, places in a list."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trialign.queries.reading.endings import rethinks
from trialign.queries.reading.numbers import Number
from trialign.queries.reading.tokens import Token
from trialign.queries.reading.words import word_set

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|enero|febrero|marzo|abril|mayo|junio|julio|agosto|"
    r"septiembre|octubre|noviembre|diciembre|janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|"
    r"novembre|décembre|januar|februar|märz|juni|juli|oktober|dezember|janeiro|fevereiro|"
    r"março|maio|junho|julho|setembro|outubro|novembro|dezembro|января|февраля|марта|апреля|мая|июня|июля|"
    r"августа|сентября|октября|ноября|декабря|ocak|şubat|mart|nisan|mayıs|haziran|temmuz|ağustos|eylül|"
    r"ekim|kasım|aralık|يناير|فبراير|مارس|أبريل|مايو|يونيو|يوليو|أغسطس|سبتمبر|أكتوبر|نوفمبر|ديسمبر)\b"
)
_DATE = re.compile(
    rf"(?<!\d)(?P<iso>\d{{4}})[-/.](?:\d{{1,2}})[-/.]\d{{1,2}}(?!\d)|"
    rf"(?<!\d)\d{{1,2}}[-/.]\d{{1,2}}[-/.](?P<late>\d{{4}})(?!\d)"
    rf"|\b{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?(?!\d)(?:,? (?P<american>\d{{4}}))?|(?<!\d)\d{{1,2}}(?:st|nd|rd|"
    rf"th|\.|º)?(?: de| of)? {_MONTH}(?:,?(?: de)? (?P<european>\d{{4}}))?"
    r"|(?P<chinese>\d{4})(?:年|년 ?)\d{1,2}(?:月|월 ?)(?:\d{1,2}[日일])?",
    re.IGNORECASE,
)
ASIDE = re.compile(
    r"\[\d{1,3}\]|(?<!\d)\d{1,2}:\d{2}(?::\d{2})?(?!\d)|(?<!\d)\d{1,2}(?:st|nd|rd|th)\b|\(\d{1,2}(?:st|nd|rd|th)\)"
    r"|\b(?:step|schritt|étape|paso|passo|шаг|adım|section|chapter|figure|fig\.|table|page|note|source|part|"
    r"rule|equation|example|question|problem|version|gpt|level|method|way|case|option|कदम|चरण)\s?\.?#?\d{1,3}\b"
    r"|(?:第\s?\d{1,3}\s?步|步骤\s?\d|ステップ\s?\d|단계\s?\d|ขั้นตอนที่\s?\d|الخطوة\s?\d|گام\s?\d|چرخه\s?\d)"
    r"|^[ \t]*(?:\d{1,2}[.)](?=\s|[^\d\s.])(?!\d)|[-•*]\s)",
    re.IGNORECASE | re.MULTILINE,
)
YEARS = re.compile(
    r"(?:\b(?:in|since|from|by|until|of|en|em|im jahr|im jahre|anno|depuis|seit|desde|в|с|до|dal|nel|de|year|as "
    r"of|around|circa|c\.|before|after|during|per|census|año|an|ano|yılında|سال|عام|سنة|في|में|tahun|den|as per "
    r"the)\s?)$",
    re.IGNORECASE,
)
YEAR_AFTER = re.compile(r"^\s?(?:年|년|г\.|году|года|год\b|में|'|yılında|में)")
ASKS_YEAR = re.compile(
    r"\b(?:year|when|date|año|cuándo|ano|quando|année|quand|jahr|wann|anno|год|году|когда|yıl|yılda|ne zaman|"
    r"عام|سنة|متى|سال|کی|چه زمانی|वर्ष|साल|कब|ปี|เมื่อไหร่|เมื่อไร)\b|年|いつ|何年|何时|年份|년|언제|연도",
    re.IGNORECASE,
)


def looks_like_year(number: Number) -> bool:
    """Whether a number can be a year."""
    value = number.readings[0]
    return len(number.readings) == 1 and value.denominator == 1 and 1000 <= value <= 2100 and not number.scaled


def dates_of(said: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Places of dates, and of the years in them."""
    dates, years = [], []
    for match in _DATE.finditer(said):
        if match.end() - match.start() < 5 and not any(match.groupdict().values()):
            continue
        dates.append(match.span())
        years += [match.span(name) for name, text in match.groupdict().items() if text]
    return dates, years


def inside(number: Number, spans: Sequence[tuple[int, int]], but: Sequence[tuple[int, int]] = ()) -> bool:
    """Whether a number lies in one of these places, and in none of the others."""
    lies = any(start <= number.start < end or start < number.end <= end for start, end in spans)
    return lies and not (but and inside(number, but))


def is_marker(said: str, number: Number, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether a number in one of these places has words behind it, which it only numbers."""
    return any(start <= number.start < end and said[end:].strip() for start, end in spans)


# Beside these words "one" is a pronoun, an article or part of an idiom.
_AFTER_ONE = word_set(
    "of moment second sec minute can cannot could must should may might would needs has more thing day who that which "
    "instant momento segundo minuto von der des de d di dos des del las los augenblick de los"
)
_BEFORE_ONE = word_set("no any some every each which this that another a someone un une ein eine uno una")


def is_small_word(row: Sequence[Token], place: tuple[int, int]) -> bool:
    """Whether a number word is a pronoun or part of an idiom here: "one of them"."""
    after = row[place[1]].text.casefold() if place[1] < len(row) else ""
    before = row[place[0] - 1].text.casefold() if place[0] else ""
    return after in _AFTER_ONE or before in _BEFORE_ONE


_BOUND = re.compile(
    r"(?:\b(?:more than|less than|fewer than|at least|at most|over|under|above|below|up to|greater than|no more "
    r"than|no less than|not more than|exceeds?|más de|menos de|al menos|mais de|pelo menos|plus de|moins de|"
    r"au moins|mehr als|weniger als|mindestens|höchstens|über|unter|più di|meno di|almeno|более|менее|больше|"
    r"меньше|не менее|свыше|أكثر من|أقل من|بیش از|کمتر از|حداقل|से अधिक|से कम|มากกว่า|น้อยกว่า|อย่างน้อย|en az|"
    r"en fazla)|"
    r"超过|多于|少于|至少|不到|最多|[<>≤≥])\s?$",
    re.IGNORECASE,
)
_BOUND_AFTER = re.compile(
    r"^\s?\+(?!\s?\d)|^\s?(?:or more|or fewer|or less|以上|以下|未満|이상|이하|से अधिक|से ज़्यादा|"
    r"से कम|o más|ou mais|ou plus|oder mehr|и более|или больше|'?[dt]an (?:fazla|az))",
    re.IGNORECASE,
)


def unbounded(said: str, number: Number) -> Number | None:
    """A number; None where it is a bound ("at least 5")."""
    bound = _BOUND.search(said[max(0, number.start - 30) : number.start]) or _BOUND_AFTER.match(
        said[number.end : number.end + 16]
    )
    return None if bound else number


def says_no(row: Sequence[Token], number: Number) -> bool:
    """Whether a word that is spelled like a number is a "no": the Persian nine before a mark or a number."""
    own = [index for index, token in enumerate(row) if number.start <= token.start < number.end]
    following = row[own[-1] + 1 : own[-1] + 2]
    return bool(following) and following[0].kind in ("mark", "number") and rethinks([row[index] for index in own])
