"""Numbers in a reply: digits in any locale's grouping, powers, fractions, scales, words."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from trialign.queries.reading import number_words, numerals
from trialign.queries.reading.digits import LONGEST, Convention, power, readings, separate
from trialign.queries.reading.tokens import Level, Token, form, tokens


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text.

    Attributes:
        start, end: its place in the text.
        readings: what it can mean; two where "1.234" may be grouped or a decimal.
        spelled: in words.
        scaled: with a word such as "million".
        ranged: it is one end of a range ("3-5").
        percent: a per cent sign or word follows.
    """

    start: int
    end: int
    readings: tuple[Fraction, ...]
    spelled: bool = False
    scaled: bool = False
    ranged: bool = False
    percent: bool = False
    currency: bool = False


_DIGITS = r"(?:\d+(?:[.,٫٬،'_]\d+|(?<=\d)(?<!\d\d\d\d) \d{3}(?!\d))*|(?<![\d.])\.\d+)"
_NUMBER = re.compile(
    rf"(?P<sign>(?<![\w)\]}}%°])[-+±](?:\s?(?=[$€£₹¥]))?)?(?:(?P<currency>(?:US|R|A|C|NZ|HK)?[$€£₹¥₩₽₺฿]\s?|"
    rf"(?:Rs\.?|USD|EUR|GBP|INR)\s?)(?P<inner>-)?)?(?P<body>{_DIGITS})"
    r"(?:(?P<exponent>[eE][-+]?\d+)(?![\w.]*\w)|(?:\s?[×x*·✕⋅]\s?|\s(?:times|mal|por|fois|умножить "
    r"на)\s)10\s?(?:\^|\*\*)\s?\(?(?P<ten>[-+]?\d{1,6})\)?"
    r"|\s?(?:\^|\*\*)\s?\(?(?P<power>[-+]?\d{1,6})\)?|(?P<mixed>[ -]\d{1,4}/\d{1,4})|\s?/\s?(?P<lower>\d+)(?![\d/]))?"
)
_POWER_WORDS = re.compile(
    r"(?<!\d)(\d{1,20})\s(?:to the power of|to the|raised to the power of|raised to|hoch|elevado a|"
    r"puissance|в степени)\s(\d{1,3})(?:st|nd|rd|th)?(?:\spower)?\b"
)
_MINUS = re.compile(
    r"(?:\b(?:minus|negative|menos|moins|meno|минус|eksi|منفی|سالب|ناقص|माइनस|ऋण|negativo|"
    r"negativa|min)|负|負|零下|マイナス|氷点下|마이너스|영하|ลบ)\s?$",
    re.IGNORECASE,
)
_BELOW = re.compile(
    r"^[\s°]*(?:[CFK]\b|degrees?|grad|grados?|graus?|degrés?|градус\w*|derece)?\s*(?:celsius|"
    r"fahrenheit)?\s*(?:below zero|below freezing|bajo cero|unter null|au-dessous de zéro|abaixo de zero|sotto "
    r"zero|ниже нуля|تحت الصفر|زیر صفر|शून्य से नीचे)",
    re.IGNORECASE,
)
_PERCENT = re.compile(
    r"^\s?(?:%|٪|percent\b|per cent\b|pct\b|por ciento|por cento|pour cent|prozent\b|per "
    r"cento|процент|yüzde|درصد|بالمئة|بالمائة|प्रतिशत|퍼센트|프로|เปอร์เซ็นต์|パーセント)",
    re.IGNORECASE,
)
_SCALE_SIGN = re.compile(
    r"^(?:([kK])(?![\w/])|\s?([MB])(?![\w/])|\s?([万萬亿億兆만억조]|百万|千万|천만|백만|ล้าน|แสน|หมื่น|"
    r"พัน)|\s?([Mm]n|[Bb]n|[Mm]ln|[Mm]rd|[Mm]io)\b\.?)"
)
_SCALE_VALUES = {
    "k": 10**3,
    "m": 10**6,
    "b": 10**9,
    "万": 10**4,
    "萬": 10**4,
    "亿": 10**8,
    "億": 10**8,
    "兆": 10**12,
    "만": 10**4,
    "억": 10**8,
    "조": 10**12,
    "百万": 10**6,
    "千万": 10**7,
    "백만": 10**6,
    "천만": 10**7,
    "ล้าน": 10**6,
    "แสน": 10**5,
    "หมื่น": 10**4,
    "พัน": 10**3,
    "mn": 10**6,
    "bn": 10**9,
    "mln": 10**6,
    "mrd": 10**9,
    "mio": 10**6,
}
_SMALL_SCALES = {"千": 1000, "百": 100, "천": 1000, "백": 100}
_MYRIADS = re.compile(
    r"(?<!\d)\d{1,20}(?:,\d{3}){0,6}(?:\.\d{1,20})?\s?[千百천백]?[万萬亿億兆만억조](?:\s?\d{1,12}(?:,\d{3}){0,3}\s?[千百천백]?[万萬亿億兆만억조]?){1,6}"
    r"|(?<!\d)\d{1,12}[千천](?:\d{1,3}[百백]?){0,3}(?![万萬亿億兆만억조\d])"
)
# What stands between the ends of a range; a unit may come first ("5 kg to 7 kg").
_RANGE = re.compile(
    r"^(?!\s?में)\s?[%°]?[CF]?(?:[-~〜～]|\s[-~〜～]\s?|(?:\s?[^\W\d]{1,10})?(?:\s(?:to|up to|bis|à|until|through|"
    r"thru|до|έως|ως|tot|hingga|"
    r"sampai|đến|إلى|الى|حتى|تا|עד|से|ถึง)\s|\s?(?:至|到|から|에서|부터|ถึง|より)\s?))$",
    re.IGNORECASE,
)
# The same between two ends that "between" announces before or behind them.
_AND = re.compile(
    r"^\s?[%°]?[CF]?(?:\s?[^\W\d]{1,10})?\s(?:a|al|e|y|and|und|et|и|و|ve|ile|to|i|en|dan|và|και|और|และ|та|і)\s?ו?$|^\s?(?:와|과|と|和|与)\s?$|"
    r"^\sו?-?$",
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    r"\b(?:between|from|entre|zwischen|von|tra|fra|between about|between approximately|от|с|между|из|de|du|dal|dai|بين|"
    r"من|بین|از|בין|antara|giữa|μεταξύ|від|між|między|od|tussen|ระหว่าง)\s(?:\w+\s)?[$€£]?$|ระหว่าง\s?$",
    re.IGNORECASE,
)
_BETWEEN_AFTER = re.compile(r"^\s?[^\W\d]{0,6}?\s?(?:사이|の間|之间|之間|arası|के बीच)")
_LETTER_BEFORE = re.compile(r"[^\W\d_\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\u0590-\u06ff\u0900-\u097f]$")


def numbers(text: str, row: Sequence[Token], spoken: str | None, notation: Convention) -> list[Number]:
    """The numbers of a text in order, without overlap.

    Args:
        text: in one typography (`typography.plain`).
        row: its tokens.
        spoken: its language, for number words; None where it is not known.
        notation: how its digits are grouped.
    """
    found = [*_digits(text, row, spoken, notation)]
    taken = [(one.start, one.end) for one in found]
    spelled = [
        Number(
            row[first].start,
            row[last - 1].end,
            _signed(text, row[first].start, row[last - 1].end, (value,)),
            spelled=True,
        )
        for name in _spelled_languages(text, spoken)
        for first, last, value in number_words.spelled(row, name)
    ]
    spelled += [
        Number(start, end, _signed(text, start, end, (value,)), spelled=True)
        for start, end, value in numerals.unspaced(text)
    ]
    spelled.sort(key=lambda one: (one.start, -one.end))
    starts = [start for start, _ in taken]
    reached = -1
    for one in spelled:
        before = bisect_right(starts, one.start) - 1
        free = (before < 0 or taken[before][1] <= one.start) and bisect_left(starts, one.start) == bisect_left(
            starts, one.end
        )
        if free and one.start >= reached:
            found.append(one)
            reached = one.end
    found.sort(key=lambda one: one.start)
    return list(_ranged(text, _with_halves(text, found)))


def _with_halves(text: str, found: Sequence[Number]) -> list[Number]:
    """The same numbers; a fraction in words belongs to digits before it ("4 and a half") and takes those behind it."""
    kept: list[Number] = []
    for one in found:
        last = kept[-1] if kept else None
        if last and one.spelled and one.start < last.end:
            continue
        half = None if one.spelled or len(one.readings) > 1 else number_words.half(text[one.end : one.end + 24])
        if half:
            length, part = half
            one = replace(one, end=one.end + length, readings=(one.readings[0] + part,))
        kept.append(one)
    return list(_without_shares(text, kept))


def _without_shares(text: str, found: Sequence[Number]) -> Iterator[Number]:
    """The same numbers without "half of 9", which calculates."""
    index = 0
    while index < len(found):
        one = found[index]
        following = found[index + 1] if index + 1 < len(found) else None
        part = one.spelled and len(one.readings) == 1 and 0 < one.readings[0] < 1
        if part and following and text[one.end : following.start].strip() in _OF:
            index += 2
            continue
        yield one
        index += 1


_OF = frozenset(("", "of", "de", "von", "di", "des", "от"))


def _spelled_languages(text: str, spoken: str | None) -> tuple[str, ...]:
    if spoken is not None:
        return (spoken,)
    return (
        tuple(dict.fromkeys(("en", *number_words.SPELLED))) if len(text) <= 60 and any(map(str.isalpha, text)) else ()
    )


def _digits(text: str, row: Sequence[Token], spoken: str | None, notation: Convention) -> Iterator[Number]:
    scale_words = number_words.scales(spoken)
    starts = [token.start for token in row]
    reached = 0
    for match in _POWER_WORDS.finditer(text):
        value = power(Fraction(match[1][:20]), match[2])
        if value is not None:
            yield Number(match.start(), match.end(), (value,))
    powers = [match.span() for match in _POWER_WORDS.finditer(text)]
    for match in _MYRIADS.finditer(text):
        powers.append(match.span())
        yield Number(match.start(), match.end(), (_myriads(match[0]),), scaled=True)
    for match in _NUMBER.finditer(text):
        if _LETTER_BEFORE.search(text[max(0, match.start() - 1) : match.start()]) and not match["currency"]:
            continue
        if any(start <= match.start() < end for start, end in powers) or match.start() < reached:
            continue
        yield from _one(text, match, scale_words, row, starts, notation)
        reached = match.end()


def _one(
    text: str,
    match: re.Match[str],
    scale_words: Mapping[str, int],
    row: Sequence[Token],
    starts: Sequence[int],
    notation: Convention,
) -> Iterator[Number]:
    parts = separate(match["body"])
    if parts is not None:  # "1,2,3": a list
        place = match.start("body")
        for part in parts:
            yield Number(place, place + len(part), tuple(readings(part, notation)))
            place += len(part) + 1
        return
    values = _computed(match, notation)
    if not values:
        return
    end = match.end()
    if _PERCENT.match(text[end : end + 20]):
        yield Number(match.start(), end, _signed(text, match.start(), end, _minus(match, values)), percent=True)
        return
    scale, end = _scale(text, end, scale_words, row, starts)
    values = tuple(value * scale for value in values)
    yield Number(
        match.start(),
        end,
        _signed(text, match.start(), end, _minus(match, values)),
        scaled=scale != 1,
        currency=bool(match["currency"]),
    )


def _myriads(text: str) -> Fraction:
    """The value of digits and East Asian scales in turn, such as 3万5千."""
    total = section = Fraction(0)
    for digits, scale in re.findall(r"([\d.,]*)\s?([万萬亿億兆千百만억조천백]*)", text):
        value = Fraction(digits.replace(",", "").strip(".")) if digits.strip(",.") else Fraction(1 if scale else 0)
        for sign in scale:
            if sign in _SMALL_SCALES:
                value *= _SMALL_SCALES[sign]
            else:
                value, section = (section + value) * _SCALE_VALUES[sign], Fraction(0)
                total, value = total + value, Fraction(0)
        section += value
    return total + section


def _minus(match: re.Match[str], values: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    sign = match["sign"] or ""
    return tuple(-value for value in values) if sign.startswith("-") or match["inner"] else values


def _signed(text: str, start: int, end: int, values: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    """Minus in words: before the number, or "below zero" behind it; not where a number stands before the word."""
    before = text[max(0, start - 16) : start]
    word = _MINUS.search(before)
    minus = word is not None and not re.search(r"[\d)]\s*$", before[: word.start()])
    if minus or _BELOW.match(text[end : end + 60]):
        return tuple(-abs(value) for value in values)
    return values


def _scale(
    text: str, end: int, words: Mapping[str, int], row: Sequence[Token], starts: Sequence[int]
) -> tuple[int, int]:
    """The scale behind a number ("million", "k", "万") and where it ends."""
    scale = 1
    while True:
        sign = _SCALE_SIGN.match(text[end : end + 8])
        if sign:
            name = next(one for one in sign.groups() if one)
            scale *= _SCALE_VALUES[name.lower()]
            end += sign.end()
            continue
        gap = 1 if text[end : end + 1] in (" ", "-") else 0
        place = bisect_left(starts, end + gap)
        if place < len(row) and row[place].start == end + gap and row[place].kind == "word":
            value = words.get(form(row[place], Level.FOLD))
            if value is not None:
                scale *= value
                end = row[place].end
                continue
        return scale, end


def _computed(match: re.Match[str], notation: Convention) -> tuple[Fraction, ...]:
    values = tuple(readings(match["body"], notation))
    if match["mixed"]:
        upper, lower = map(int, match["mixed"][1:].split("/"))
        return tuple(value + Fraction(upper, lower) for value in values if lower)
    if match["lower"]:
        return tuple(value / int(match["lower"][:40]) for value in values if int(match["lower"][:40]))
    if match["power"]:
        return tuple(raised for value in values if (raised := power(value, match["power"])) is not None)
    exponent = match["ten"] or (match["exponent"] or "")[1:]
    if exponent:
        return (
            tuple(value * Fraction(10) ** int(exponent) for value in values if abs(int(exponent)) <= LONGEST)
            if len(exponent) < 6 and any(values)
            else values[: not any(values)]
        )
    return values


def _ranged(text: str, found: Sequence[Number]) -> Iterator[Number]:
    """The same numbers; the ends of a range are marked, and the scale behind the second holds for the first."""
    ranged: set[int] = set()
    for index in range(len(found) - 1):
        left, right = found[index], found[index + 1]
        if re.match(r"\s*[=+×*/÷]", text[right.end : right.end + 4]) or re.search(
            r"[=+×*/÷-]\s*$", text[max(0, left.start - 4) : left.start]
        ):
            continue
        if _is_range(text, left, right):
            ranged |= {index, index + 1}
    for index, one in enumerate(found):
        if index in ranged:
            yield Number(one.start, one.end, one.readings, one.spelled, one.scaled, True, one.percent, one.currency)
        else:
            yield one


def _is_range(text: str, left: Number, right: Number) -> bool:
    between = text[left.end : right.start]
    if right.start > left.end and text[right.start] == "-" and not between.strip():
        between += "-"
    if len(between) >= 24:
        return False
    if text[right.start : right.start + 1] == "-" and left.end == right.start:
        return True
    after = text[right.end : right.end + 16]
    if _RANGE.match(between):
        return not re.match(r"[을를]", after)
    announced = _BETWEEN.search(text[max(0, left.start - 24) : left.start]) or _BETWEEN_AFTER.match(after)
    return bool(announced and _AND.match(between))


def whole_number(text: str) -> Fraction | None:
    """The value of a text that is one number and nothing else but a per cent sign or currency; English grouping."""
    bare = text.strip().removesuffix("%").rstrip()
    found = numbers(bare, tokens(bare), "en", "point") if len(bare) <= 2 * LONGEST else []
    if len(found) != 1 or found[0].ranged or found[0].spelled or len(found[0].readings) != 1:
        return None
    if (found[0].start, found[0].end) != (0, len(bare)) and not re.fullmatch(
        r"(?:minus|negative)\s", bare[: found[0].start], re.IGNORECASE
    ):
        return None
    return found[0].readings[0]
