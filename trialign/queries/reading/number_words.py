"""Numbers in words, and the words for thousands and millions behind digits (`number_words.txt`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache
from importlib.resources import files

from trialign.queries.reading.tokens import Level, Token, form, tokens

#: Languages whose words for 0 to 999 num2words spells.
SPELLED = ("en", "es", "pt", "fr", "de", "it", "nl", "ru", "uk", "pl", "tr", "fa", "ar", "he", "id", "vi", "sv")


@cache
def _table(kind: str) -> Mapping[str, Mapping[str, Fraction]]:
    """Language -> word -> value of one kind of words."""
    found: dict[str, dict[str, Fraction]] = {}
    listed = files("trialign.queries.reading").joinpath("number_words.txt").read_text(encoding="utf-8")
    for line in listed.splitlines():
        if line.startswith(f"{kind} "):
            _, language, entries = line.split(" ", 2)
            for entry in entries.split(";"):
                word, _, value = entry.strip().partition("=")
                found.setdefault(language, {})[word] = Fraction(value or 0)
    return found


def _joining(kind: str, language: str) -> str:
    """The form of the language's word for "and" or for the decimal point; empty where it has none."""
    return next((words(word)[0] for word in _table(kind).get(language, {})), "")


@cache
def words(text: str) -> tuple[str, ...]:
    """The words of a phrase, in the form in which they are compared."""
    return tuple(form(token, Level.FOLD) for token in tokens(text) if token.kind != "mark")


@cache
def below_thousand(language: str) -> Mapping[tuple[str, ...], int]:
    """The words of 0 to 999, with and without "and"."""
    table: dict[tuple[str, ...], int] = {}
    if language in SPELLED:
        from num2words import num2words

        joining = _joining("AND", language)
        for value in range(1000):
            spelled = words(num2words(value, lang=language))
            table[spelled] = value
            table.setdefault(tuple(word for word in spelled if word != joining), value)
    if language == "es":
        table.update(
            {(*phrase[:-1], phrase[-1][:-1]): value for phrase, value in table.items() if phrase[-1].endswith("uno")}
        )
    if language == "tr":
        table.update(_turkish())
    for text, worth in _table("EXTRA").get(language, {}).items():
        table[words(text)] = int(worth)
    return table


def _turkish() -> Iterator[tuple[tuple[str, ...], int]]:
    """Turkish writes its numbers apart more often than num2words, which joins them."""
    units = ["bir", "iki", "üç", "dört", "beş", "altı", "yedi", "sekiz", "dokuz"]
    tens = ["on", "yirmi", "otuz", "kırk", "elli", "altmış", "yetmiş", "seksen", "doksan"]
    for value in range(1, 1000):
        hundred, ten, unit = value // 100, value // 10 % 10, value % 10
        spelled = (
            ([units[hundred - 1]] if hundred > 1 else [])
            + (["yüz"] if hundred else [])
            + ([tens[ten - 1]] if ten else [])
            + ([units[unit - 1]] if unit else [])
        )
        yield words(" ".join(spelled)), value


@cache
def scales(language: str | None) -> Mapping[str, int]:
    """Words for thousands and more; of English too, which other languages' replies borrow."""
    known = _table("SCALE")
    english = known["en"]
    own = [known.get(language, {})] if language else [*known.values(), english]
    return {words(word)[0]: int(value) for table in (english, *own) for word, value in table.items()}


@cache
def _vocabulary(language: str) -> tuple[Mapping[tuple[str, ...], int], int, frozenset[str]]:
    table = below_thousand(language)
    return table, max(map(len, table), default=0), frozenset(word for phrase in table for word in phrase)


def spelled(row: Sequence[Token], language: str) -> Iterator[tuple[int, int, Fraction]]:
    """Numbers in words: first token, beyond the last, value; the longest at each place."""
    table, _, known = _vocabulary(language)
    if not table:
        return
    forms = _split_and(row, language, known)
    place = 0
    while place < len(forms):
        found = _number_at(forms, place, language)
        if found is None:
            place += 1
            continue
        last, value = found
        if language == "en" and 10 <= value <= 20 and last == place + 1:  # "nineteen forty-five" is a year
            year = _number_at(forms, last, language)
            if year and 10 <= year[1] <= 99 and year[1].denominator == 1:
                last, value = year[0], value * 100 + year[1]
        yield forms[place][1], forms[last - 1][1] + 1, value
        place = last


def _split_and(row: Sequence[Token], language: str, known: frozenset[str]) -> list[tuple[str, int]]:
    """Words with the place of their token; an "and" that is written onto a number word is parted from it."""
    forms: list[tuple[str, int]] = []
    for place, token in enumerate(row):
        if token.kind == "mark" and token.text in "-'":
            continue
        word = form(token, Level.FOLD) if token.kind == "word" else "" if token.kind != "number" else token.text
        if (
            language in ("ar", "he")
            and len(word) > 2
            and word[0] in "وו"
            and word not in known
            and word[1:] in known | set(scales(language))
        ):
            forms += [(word[0], place), (word[1:], place)]
        else:
            forms.append((word, place))
    return forms


def _number_at(forms: Sequence[tuple[str, int]], place: int, language: str) -> tuple[int, Fraction] | None:
    """Groups below a thousand, each with its scale: "two million three hundred thousand and five"."""
    alone = _alone(forms, place, language)
    if alone is not None:
        return alone
    total, last = Fraction(0), place
    scale_below: int | None = None
    joining = _joining("AND", language)
    known = scales(language)
    while True:
        start = last
        if start > place and start < len(forms) and forms[start][0] == joining:
            start += 1
        group = _group(forms, start, language)
        value, end = group if group else (1, start)
        factor = 1
        while end < len(forms) and forms[end][0] in known:
            factor *= known[forms[end][0]]
            end += 1
        if end == start or (group is None and (factor == 1 or (place == start and language == "hi"))):
            break
        if scale_below is not None and factor >= scale_below:
            break
        if scale_below is None and start > place:
            break
        total, last, scale_below = total + value * factor, end, factor
        if factor == 1:
            break
    if last == place:
        return None
    return _with_fraction(forms, place, last, total, language, scale_below or 1)


def _alone(forms: Sequence[tuple[str, int]], place: int, language: str) -> tuple[int, Fraction] | None:
    """A part that needs no number before it: "half", "a quarter"."""
    for text, part in _table("LONE").get(language, {}).items():
        phrase = words(text)
        if tuple(word for word, _ in forms[place : place + len(phrase)]) == phrase:
            return place + len(phrase), part
    return None


def _group(forms: Sequence[tuple[str, int]], place: int, language: str) -> tuple[int, int] | None:
    table, longest, _ = _vocabulary(language)
    for length in range(min(longest, len(forms) - place), 0, -1):
        value = table.get(tuple(word for word, _ in forms[place : place + length]))
        if value is not None:
            return _joined(forms, place + length, value, language)
    return _compound(forms[place][0], table, language, place) if place < len(forms) else None


def _joined(forms: Sequence[tuple[str, int]], end: int, value: int, language: str) -> tuple[int, int]:
    """Arabic joins hundreds, units and tens by "and" each: مئتان وست وثلاثون is 236."""
    table = _vocabulary(language)[0]
    while language == "ar" and end + 1 < len(forms) and forms[end][0] == "و":
        part = table.get((forms[end + 1][0],), 0)
        below_hundred = value >= 100 and value % 100 == 0 and 0 < part < 100
        tens = 0 < value % 100 < 10 and part in range(20, 100, 10)
        if not (below_hundred or tens):
            break
        value, end = value + part, end + 2
    return value, end


def _compound(word: str, table: Mapping[tuple[str, ...], int], language: str, place: int) -> tuple[int, int] | None:
    """One word for thousands, as German writes them."""
    thousand = next(iter(_table("COMPOUND").get(language, {})), "")
    if not thousand or thousand not in word:
        return None
    left, _, right = word.partition(thousand)
    upper = table.get((left,)) if left else 1
    lower = table.get((right.removeprefix("und"),)) if right else 0
    return None if upper is None or lower is None else (upper * 1000 + lower, place + 1)


def _with_fraction(
    forms: Sequence[tuple[str, int]], place: int, last: int, total: Fraction, language: str, scale: int
) -> tuple[int, Fraction]:
    point = _joining("POINT", language)
    table = _vocabulary(language)[0]
    if point and last + 1 < len(forms) and forms[last][0] == point:
        digits = ""
        end = last + 1
        while end < len(forms) and (digit := table.get((forms[end][0],))) is not None and digit < 100:
            digits += str(digit)
            end += 1
        if digits:
            return _scaled(forms, end, total + Fraction(int(digits), 10 ** len(digits)), language)
    for text, part in _table("HALF").get(language, {}).items():
        phrase = words(text)
        if tuple(word for word, _ in forms[last : last + len(phrase)]) == phrase:
            scale = scale if scale >= 1000 else 1  # "a million and a half"
            return _scaled(forms, last + len(phrase), total + part * scale, language)
    for name, part in _table("PART").get(language, {}).items():
        word = words(name)[0]
        if last < len(forms) and forms[last][0] in (word, word + "s", "halves" if word == "half" else word):
            return last + 1, total * part
    return last, total


def half(text: str) -> tuple[int, Fraction] | None:
    """The length and value of "and a half", in any language, where a text begins with it."""
    said = text.casefold()
    for table in _table("HALF").values():
        for phrase, part in table.items():
            match = re.match(rf"\s?{re.escape(phrase)}(?!\w)", said)
            if match:
                return match.end(), part
    return None


def _scaled(forms: Sequence[tuple[str, int]], end: int, value: Fraction, language: str) -> tuple[int, Fraction]:
    """A number with the scale behind it: "one and a half million"."""
    while end < len(forms) and forms[end][0] in scales(language):
        value *= scales(language)[forms[end][0]]
        end += 1
    return end, value
