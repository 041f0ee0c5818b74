"""Numbers in words, and the words for thousands and millions behind digits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache

from trialign.queries.reading.tokens import Level, Token, form

#: Languages whose words for 0 to 999 num2words spells.
SPELLED = ("en", "es", "pt", "fr", "de", "it", "nl", "ru", "uk", "pl", "tr", "fa", "ar", "he", "id", "vi", "sv")

_AND = {"en": "and", "es": "y", "pt": "e", "fr": "et", "it": "e", "fa": "و", "ar": "و", "he": "ו", "nl": "en", "id": "dan"}
_SCALES: Mapping[str, Mapping[str, int]] = {
    language: {word: 10 ** int(exponent) for part in line.split() for word, _, exponent in (part.partition("="),)}
    for language, line in {
        "en": "hundred=2 thousand=3 thousands=3 million=6 millions=6 mn=6 mln=6 billion=9 billions=9 bn=9 trillion=12 trillions=12 lakh=5 lakhs=5 crore=7 crores=7",
        "es": "mil=3 millón=6 millones=6 billón=12 billones=12",
        "pt": "mil=3 milhão=6 milhões=6 mi=6 bilhão=9 bilhões=9 bi=9 trilhão=12 trilhões=12",
        "fr": "mille=3 million=6 millions=6 milliard=9 milliards=9 billion=12 billions=12",
        "de": "tausend=3 million=6 millionen=6 mio=6 milliarde=9 milliarden=9 mrd=9 billion=12 billionen=12",
        "it": "mila=3 mille=3 milione=6 milioni=6 miliardo=9 miliardi=9",
        "nl": "duizend=3 miljoen=6 miljard=9",
        "ru": "тысяча=3 тысяч=3 тысячи=3 тыс=3 миллион=6 миллиона=6 миллионов=6 млн=6 миллиард=9 миллиарда=9 миллиардов=9 млрд=9",
        "uk": "тисяча=3 тисяч=3 тисячі=3 мільйон=6 мільйонів=6 млн=6 мільярд=9 мільярдів=9 млрд=9",
        "pl": "tysiąc=3 tysiące=3 tysięcy=3 tys=3 milion=6 miliony=6 milionów=6 mln=6 miliard=9 miliardów=9",
        "tr": "bin=3 milyon=6 milyar=9",
        "fa": "هزار=3 میلیون=6 ملیون=6 میلیارد=9",
        "ar": "ألف=3 آلاف=3 ألفا=3 مليون=6 ملايين=6 مليونا=6 مليار=9 مليارات=9",
        "he": "אלף=3 אלפים=3 מיליון=6 מיליארד=9",
        "hi": "सौ=2 हज़ार=3 हजार=3 लाख=5 करोड़=7 अरब=9 मिलियन=6 बिलियन=9",
        "th": "",
        "id": "ribu=3 juta=6 miliar=9",
        "vi": "nghìn=3 ngàn=3 triệu=6 tỷ=9 tỉ=9",
        "sv": "tusen=3 miljon=6 miljoner=6 miljard=9 miljarder=9",
        "el": "χιλιάδες=3 εκατομμύρια=6 εκατομμύριο=6 δισεκατομμύρια=9",
        "ko": "",
    }.items()
}  # fmt: skip
_COMPOUND = {"de": "tausend", "nl": "duizend", "it": "mila", "sv": "tusen", "tr": "bin"}
_EXTRA: Mapping[str, Mapping[str, int]] = {
    "en": {"a hundred": 100, "a dozen": 12, "dozen": 12, "nil": 0, "one hundred": 100, "zero": 0},
    "es": {"una": 1, "veintiuna": 21, "cien": 100, "uno": 1},
    "pt": {"uma": 1, "duas": 2, "catorze": 14, "quatorze": 14, "dezesseis": 16, "dezessete": 17, "dezenove": 19, "cem": 100},
    "fr": {"septante": 70, "huitante": 80, "nonante": 90},
    "de": {"ein": 1, "eine": 1, "zwo": 2},
    "ru": {"одна": 1, "одно": 1, "две": 2, "ноль": 0, "нуль": 0},
    "ar": {"ثلاث": 3, "أربع": 4, "خمس": 5, "ست": 6, "سبع": 7, "ثمان": 8, "ثماني": 8, "تسع": 9, "عشر": 10, "اثنتان": 2, "اثنان": 2, "اثنين": 2,
           "مئة": 100, "مائة": 100, "عشرين": 20, "ثلاثين": 30, "أربعين": 40, "خمسين": 50, "ستين": 60, "سبعين": 70, "ثمانين": 80, "تسعين": 90},
    "he": {"אחד": 1, "שני": 2, "שניים": 2, "שלושה": 3, "ארבעה": 4, "חמישה": 5, "שישה": 6, "שבעה": 7, "שמונה": 8, "תשעה": 9, "עשרה": 10},
    "fa": {"شیش": 6, "یکصد": 100},
    "id": {"seribu": 1000},
}  # fmt: skip
_HINDI = (
    "शून्य एक दो तीन चार पाँच छह सात आठ नौ दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस बीस इक्कीस बाईस तेईस चौबीस पच्चीस छब्बीस सत्ताईस अट्ठाईस उनतीस तीस इकतीस "
    "बत्तीस तैंतीस चौंतीस पैंतीस छत्तीस सैंतीस अड़तीस उनतालीस चालीस इकतालीस बयालीस तैंतालीस चौवालीस पैंतालीस छियालीस सैंतालीस अड़तालीस उनचास पचास इक्यावन बावन तिरपन चौवन पचपन "
    "छप्पन सत्तावन अट्ठावन उनसठ साठ इकसठ बासठ तिरसठ चौंसठ पैंसठ छियासठ सड़सठ अड़सठ उनहत्तर सत्तर इकहत्तर बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर सतहत्तर अठहत्तर उनासी अस्सी इक्यासी "
    "बयासी तिरासी चौरासी पचासी छियासी सतासी अट्ठासी नवासी नब्बे इक्यानवे बानवे तिरानवे चौरानवे पचानवे छियानवे सत्तानवे अट्ठानवे निन्यानवे"
).split()

_POINT = {"en": "point", "es": "coma", "pt": "vírgula", "fr": "virgule", "de": "komma", "it": "virgola", "tr": "virgül", "fa": "ممیز", "ar": "فاصلة", "hi": "दशमलव", "nl": "komma"}
_HALVES: Mapping[str, Mapping[str, Fraction]] = {
    "en": {"and a half": Fraction(1, 2), "and a quarter": Fraction(1, 4), "and three quarters": Fraction(3, 4), "and one half": Fraction(1, 2)},
    "es": {"y medio": Fraction(1, 2), "y media": Fraction(1, 2)},
    "pt": {"e meio": Fraction(1, 2), "e meia": Fraction(1, 2)},
    "fr": {"et demi": Fraction(1, 2), "et demie": Fraction(1, 2)},
    "it": {"e mezzo": Fraction(1, 2), "e mezza": Fraction(1, 2)},
    "tr": {"buçuk": Fraction(1, 2)},
    "ru": {"с половиной": Fraction(1, 2)},
    "fa": {"و نیم": Fraction(1, 2)},
    "ar": {"ونصف": Fraction(1, 2), "و نصف": Fraction(1, 2)},
}
_PARTS: Mapping[str, Mapping[str, Fraction]] = {
    "en": {"half": Fraction(1, 2), "third": Fraction(1, 3), "quarter": Fraction(1, 4), "fourth": Fraction(1, 4), "fifth": Fraction(1, 5), "sixth": Fraction(1, 6), "eighth": Fraction(1, 8),
           "tenth": Fraction(1, 10), "hundredth": Fraction(1, 100)},
    "es": {"tercio": Fraction(1, 3), "cuarto": Fraction(1, 4), "quinto": Fraction(1, 5), "medio": Fraction(1, 2), "décimo": Fraction(1, 10)},
    "pt": {"terço": Fraction(1, 3), "quarto": Fraction(1, 4), "quinto": Fraction(1, 5), "meio": Fraction(1, 2)},
    "fr": {"tier": Fraction(1, 3), "tiers": Fraction(1, 3), "quart": Fraction(1, 4), "cinquième": Fraction(1, 5), "demi": Fraction(1, 2), "dixième": Fraction(1, 10)},
    "de": {"drittel": Fraction(1, 3), "viertel": Fraction(1, 4), "fünftel": Fraction(1, 5), "zehntel": Fraction(1, 10), "halb": Fraction(1, 2)},
    "it": {"terzo": Fraction(1, 3), "terzi": Fraction(1, 3), "quarto": Fraction(1, 4), "quarti": Fraction(1, 4), "quinto": Fraction(1, 5), "quinti": Fraction(1, 5)},
}  # fmt: skip


def words(text: str) -> tuple[str, ...]:
    """The words of a phrase, in the form in which they are compared."""
    from trialign.queries.reading.tokens import tokens

    return tuple(form(token, Level.FOLD) for token in tokens(text) if token.kind != "mark")


@cache
def below_thousand(language: str) -> Mapping[tuple[str, ...], int]:
    """The words of 0 to 999, with and without "and"."""
    table: dict[tuple[str, ...], int] = {}
    if language == "hi":
        table = {words(word): value for value, word in enumerate(_HINDI)}
    elif language in SPELLED:
        from num2words import num2words

        joining = words(_AND.get(language, ""))
        for value in range(1000):
            spelled = words(num2words(value, lang=language))
            table[spelled] = value
            if joining:
                table.setdefault(tuple(word for word in spelled if word != joining[0]), value)
    if language == "tr":
        table.update(_turkish())
    for text, value in _EXTRA.get(language, {}).items():
        table[words(text)] = value
    return table


def _turkish() -> Iterator[tuple[tuple[str, ...], int]]:
    """Turkish writes its numbers apart more often than num2words, which joins them."""
    units = "bir iki üç dört beş altı yedi sekiz dokuz".split()
    tens = "on yirmi otuz kırk elli altmış yetmiş seksen doksan".split()
    for value in range(1, 1000):
        hundred, ten, unit = value // 100, value // 10 % 10, value % 10
        spelled = ([units[hundred - 1]] if hundred > 1 else []) + (["yüz"] if hundred else []) + ([tens[ten - 1]] if ten else []) + ([units[unit - 1]] if unit else [])
        yield words(" ".join(spelled)), value


@cache
def scales(language: str | None) -> Mapping[str, int]:
    """Words for thousands and more; of English too, which other languages' replies borrow."""
    chosen = {**_SCALES, "en": _SCALES["en"]} if language is None else {"en": _SCALES["en"], language: _SCALES.get(language, {})}
    found: dict[str, int] = {}
    for table in (chosen.values() if language else (*chosen.values(), _SCALES["en"])):
        for word, value in table.items():
            found[words(word)[0]] = value
    return found


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
        if language in ("ar", "he") and len(word) > 2 and word[0] in "وו" and word not in known and word[1:] in known | set(scales(language)):
            forms += [(word[0], place), (word[1:], place)]
        else:
            forms.append((word, place))
    return forms


def _number_at(forms: Sequence[tuple[str, int]], place: int, language: str) -> tuple[int, Fraction] | None:
    """Groups below a thousand, each with its scale: "two million three hundred thousand and five"."""
    total, last = Fraction(0), place
    scale_below: int | None = None
    joining = words(_AND.get(language, ""))
    known = scales(language)
    while True:
        start = last
        if start > place and joining and start < len(forms) and forms[start][0] == joining[0]:
            start += 1
        group = _group(forms, start, language)
        value, end = group if group else (1, start)
        factor = 1
        while end < len(forms) and forms[end][0] in known:
            factor *= known[forms[end][0]]
            end += 1
        if end == start or (group is None and (factor == 1 or (place == start and language in ("en", "hi")))):
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
    return _with_fraction(forms, place, last, total, language)


def _group(forms: Sequence[tuple[str, int]], place: int, language: str) -> tuple[int, int] | None:
    table, longest, _ = _vocabulary(language)
    for length in range(min(longest, len(forms) - place), 0, -1):
        value = table.get(tuple(word for word, _ in forms[place : place + length]))
        if value is not None:
            return value, place + length
    return _compound(forms[place][0], table, language, place) if place < len(forms) else None


def _compound(word: str, table: Mapping[tuple[str, ...], int], language: str, place: int) -> tuple[int, int] | None:
    """One word for thousands, as German writes them."""
    thousand = _COMPOUND.get(language)
    if not thousand or thousand not in word:
        return None
    left, _, right = word.partition(thousand)
    upper = table.get((left,)) if left else 1
    lower = table.get((right.removeprefix("und"),)) if right else 0
    return None if upper is None or lower is None else (upper * 1000 + lower, place + 1)


def _with_fraction(forms: Sequence[tuple[str, int]], place: int, last: int, total: Fraction, language: str) -> tuple[int, Fraction]:
    point = words(_POINT.get(language, ""))
    table = _vocabulary(language)[0]
    if point and last + 1 < len(forms) and forms[last][0] == point[0]:
        digits = ""
        end = last + 1
        while end < len(forms) and (digit := table.get((forms[end][0],))) is not None and digit < 100:
            digits += str(digit)
            end += 1
        if digits:
            value = total + Fraction(int(digits), 10 ** len(digits))
            while end < len(forms) and forms[end][0] in scales(language):
                value *= scales(language)[forms[end][0]]
                end += 1
            return end, value
    for text, part in _HALVES.get(language, {}).items():
        phrase = words(text)
        if tuple(word for word, _ in forms[last : last + len(phrase)]) == phrase:
            return last + len(phrase), total + part
    for name, part in _PARTS.get(language, {}).items():
        word = words(name)[0]
        if last < len(forms) and forms[last][0] in (word, word + "s", "halves" if word == "half" else word):
            return last + 1, total * part
    return last, total


_HAN_DIGITS = {**{digit: value for value, digit in enumerate("〇一二三四五六七八九")}, "零": 0, "两": 2, "兩": 2, "○": 0}
_HAN_SMALL = {"十": 10, "百": 100, "千": 1000}
_HAN_LARGE = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8, "兆": 10**12, "만": 10**4, "억": 10**8, "조": 10**12}
_KOREAN = {**{digit: value for value, digit in enumerate("영일이삼사오육칠팔구")}, "공": 0}
_KOREAN_SMALL = {"십": 10, "백": 100, "천": 1000}
_HAN = re.compile("[〇零○一二两兩三四五六七八九十百千万萬亿億兆]+(?:点[〇零一二三四五六七八九]+)?")
_HAN_PART = re.compile("([〇零一二两三四五六七八九十百千\\d]+)分[之の]([〇零一二两三四五六七八九十百千\\d]+)|(\\d+)분의 ?(\\d+)")
_HANGUL = re.compile("(?<![가-힣])[일이삼사오육칠팔구십백천만억 ]*[일이삼사오육칠팔구십백천만억](?=[^가-힣]|$|입|개|년|일|명|이|은|는|가|도|을|를|에|의|번|마|다|km|미|킬|시|분|초|세|살|원|퍼|달|주|위)")
_NATIVE = {"하나": 1, "둘": 2, "셋": 3, "넷": 4, "다섯": 5, "여섯": 6, "일곱": 7, "여덟": 8, "아홉": 9, "열": 10, "스물": 20, "스무": 20, "서른": 30, "마흔": 40, "쉰": 50,
           "예순": 60, "일흔": 70, "여든": 80, "아흔": 90, "한": 1, "두": 2, "세": 3, "네": 4}  # fmt: skip
_NATIVE_NUMBER = re.compile(
    "(?<![가-힣])(열|스물|스무|서른|마흔|쉰|예순|일흔|여든|아흔)?(하나|둘|셋|넷|다섯|여섯|일곱|여덟|아홉|(?:한|두|세|네)(?=\\s?(?:개|명|마리|번|살|시|달|곳|가지|권|대)))?(?=[^가-힣]|$|입니다|이|예|개|명|마|번|살|시|달|곳|가|권|대|줄|다)"
)
_THAI_DIGITS = {"ศูนย์": 0, "หนึ่ง": 1, "เอ็ด": 1, "สอง": 2, "ยี่": 2, "สาม": 3, "สี่": 4, "ห้า": 5, "หก": 6, "เจ็ด": 7, "แปด": 8, "เก้า": 9}
_THAI_SCALES = {"สิบ": 10, "ร้อย": 100, "พัน": 1000, "หมื่น": 10**4, "แสน": 10**5, "ล้าน": 10**6}
_THAI_WORD = "|".join((*_THAI_DIGITS, *_THAI_SCALES))
_THAI = re.compile(f"(?:{_THAI_WORD})+")


def unspaced(text: str) -> Iterator[tuple[int, int, Fraction]]:
    """Numbers in the words of Chinese, Japanese, Korean and Thai, by their place in the text."""
    for match in _HAN_PART.finditer(text):
        lower, upper = (_small(one) for one in ((match[1], match[2]) if match[1] else (match[3], match[4])))
        if lower:
            yield match.start(), match.end(), Fraction(upper, lower)
    for match in _HAN.finditer(text):
        value = _han(match[0], _HAN_DIGITS, _HAN_SMALL)
        if value is not None:
            yield match.start(), match.end(), value
    for match in _HANGUL.finditer(text):
        compact = match[0].replace(" ", "")
        if len(compact) > 1 and compact[-1] == "일" and compact[-2] in _KOREAN:  # a day, not a one
            compact = compact[:-1]
        if len(compact) > 1 or compact in "십백천":
            value = _han(compact, _KOREAN, _KOREAN_SMALL)
            if value is not None:
                yield match.start() + len(match[0]) - len(match[0].lstrip()), match.end(), value
    for match in _NATIVE_NUMBER.finditer(text):
        if match[0]:
            yield match.start(), match.end(), Fraction(sum(_NATIVE[one] for one in match.groups() if one))
    for match in _THAI.finditer(text):
        value = _thai(match[0])
        if value is not None:
            yield match.start(), match.end(), value


def _small(text: str) -> int:
    return int(text) if text.isdigit() and text.isascii() else int(_han(text, _HAN_DIGITS, _HAN_SMALL) or 0)


def _han(text: str, digits: Mapping[str, int], small: Mapping[str, int]) -> Fraction | None:
    """The value of digits with tens, hundreds, thousands and ten thousands; a row of digits is read as written."""
    whole, _, decimals = text.partition("点")
    if all(sign in digits for sign in whole):
        number = Fraction(int("".join(str(digits[sign]) for sign in whole)))
    else:
        total = section = digit = 0
        for sign in whole:
            if sign in digits:
                digit = digits[sign]
            elif sign in small:
                section += (digit or 1) * small[sign]
                digit = 0
            elif sign in _HAN_LARGE:
                total = (total + (section + digit or 1)) * _HAN_LARGE[sign] if _HAN_LARGE[sign] > 10**4 else total + (section + digit or 1) * _HAN_LARGE[sign]
                section = digit = 0
            else:
                return None
        number = Fraction(total + section + digit)
    if decimals:
        number += Fraction(int("".join(str(digits[sign]) for sign in decimals)), 10 ** len(decimals))
    return number


def _thai(text: str) -> Fraction | None:
    total = section = digit = 0
    for word in re.findall(_THAI_WORD, text):
        if word in _THAI_DIGITS:
            digit = _THAI_DIGITS[word]
        elif word == "ล้าน":
            total = (total + section + digit or 1) * 10**6
            section = digit = 0
        else:
            section += (digit or 1) * _THAI_SCALES[word]
            digit = 0
    return Fraction(total + section + digit)
