"""Numbers in the words of Chinese, Japanese, Korean and Thai, which stand without blanks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction

_HAN_DIGITS = {
    **{digit: value for value, digit in enumerate("〇一二三四五六七八九")},
    "零": 0,
    "两": 2,
    "兩": 2,
    "○": 0,
}
_HAN_SMALL = {"十": 10, "百": 100, "千": 1000}
_HAN_LARGE = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8, "兆": 10**12, "만": 10**4, "억": 10**8, "조": 10**12}
_KOREAN = {**{digit: value for value, digit in enumerate("영일이삼사오육칠팔구")}, "공": 0}
_KOREAN_SMALL = {"십": 10, "백": 100, "천": 1000}
_HAN = re.compile("[〇零○一二两兩三四五六七八九十百千万萬亿億兆]+(?:点[〇零一二三四五六七八九]+)?")
_HAN_PART = re.compile(
    "(?<![〇零一二两三四五六七八九十百千\\d])([〇零一二两三四五六七八九十百千\\d]{1,12})分[之の]([〇零一二两三四五六七八九十百千\\d]{1,12})"
    "|(?<!\\d)(\\d{1,12})분의 ?(\\d{1,12})"
)
_HANGUL = re.compile(
    "(?<![가-힣])[일이삼사오육칠팔구십백천만억 ]{0,24}[일이삼사오육칠팔구십백천만억]"
    "(?=[^가-힣]|$|입|개|년|일|명|이|은|는|가|도|을|를|에|의|번|마|다|"
    "km|미|킬|시|분|초|세|살|원|퍼|달|주|위)"
)
_HALF = re.compile("一半|半分|절반|ครึ่ง(?:หนึ่ง)?")
_NATIVE = {
    "하나": 1,
    "둘": 2,
    "셋": 3,
    "넷": 4,
    "다섯": 5,
    "여섯": 6,
    "일곱": 7,
    "여덟": 8,
    "아홉": 9,
    "열": 10,
    "스물": 20,
    "스무": 20,
    "서른": 30,
    "마흔": 40,
    "쉰": 50,
    "예순": 60,
    "일흔": 70,
    "여든": 80,
    "아흔": 90,
    "한": 1,
    "두": 2,
    "세": 3,
    "네": 4,
}
_NATIVE_NUMBER = re.compile(
    "(?<![가-힣])(열|스물|스무|서른|마흔|쉰|예순|일흔|여든|아흔)?(하나|둘|셋|넷|다섯|여섯|일곱|여덟|아홉|(?:한|두|세|네)(?=\\s?(?:개|명|마리|번|살|시|달|곳|가지|"
    "권|대)))?(?=[^가-힣]|$|입니다|이|예|개|명|마|번|살|시|달|곳|가|권|대|줄|다)"
)
_THAI_DIGITS = {
    "ศูนย์": 0,
    "หนึ่ง": 1,
    "เอ็ด": 1,
    "สอง": 2,
    "ยี่": 2,
    "สาม": 3,
    "สี่": 4,
    "ห้า": 5,
    "หก": 6,
    "เจ็ด": 7,
    "แปด": 8,
    "เก้า": 9,
}
_THAI_SCALES = {"สิบ": 10, "ร้อย": 100, "พัน": 1000, "หมื่น": 10**4, "แสน": 10**5, "ล้าน": 10**6}
_THAI_WORD = "|".join((*_THAI_DIGITS, *_THAI_SCALES))
_THAI = re.compile(f"(?:{_THAI_WORD})+")


def unspaced(text: str) -> Iterator[tuple[int, int, Fraction]]:
    """Numbers in the words of Chinese, Japanese, Korean and Thai, by their place in the text."""
    for match in _HAN_PART.finditer(text):
        lower, upper = (_small(one) for one in ((match[1], match[2]) if match[1] else (match[3], match[4])))
        if lower:
            yield match.start(), match.end(), Fraction(upper, lower)
    for match in _HALF.finditer(text):
        yield match.start(), match.end(), Fraction(1, 2)
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
    if len(text) > 40:
        return None
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
                total = (
                    (total + (section + digit or 1)) * _HAN_LARGE[sign]
                    if _HAN_LARGE[sign] > 10**4
                    else total + (section + digit or 1) * _HAN_LARGE[sign]
                )
                section = digit = 0
            else:
                return None
        number = Fraction(total + section + digit)
    if decimals:
        number += Fraction(int("".join(str(digits[sign]) for sign in decimals)), 10 ** len(decimals))
    return number


def _thai(text: str) -> Fraction | None:
    if len(text) > 300:
        return None
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
