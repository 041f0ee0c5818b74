"""Tokens of a text in any script, and their forms for comparison, from the strictest to the most lenient."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

# Scripts that put no blanks between words: every character is a token.
UNSPACED = (
    "\u0e00-\u0e4f\u0e5a-\u0eff\u1000-\u103f\u1780-\u17df\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff々〆\U00020000-\U0003ffff"
)
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963"
    "\u0970-\u0dff"
)
_LATIN = r"(?:[A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff][\u0300-\u036f]*)"
_LETTER = rf"(?:[^\W\d_{UNSPACED}]|[{_MARKS}])"
_TOKEN = re.compile(
    rf"(?P<number>(?<![\w.])\.\d+|\d+(?:[.,]\d+|'\d{{3}}(?!\d)|(?<!\d\d\d\d) \d{{3}}(?!\d))*)|"
    rf"(?P<unspaced>[{UNSPACED}])"
    rf"|(?P<jamo>[\u3131-\u3163\u1100-\u11ff])"
    rf"|(?P<word>{_LATIN}(?:{_LATIN}|\d)*|(?:(?!{_LATIN}){_LETTER})(?:(?!{_LATIN}){_LETTER}|\d)*)|(?P<sign>[^\s]|\n)"
)
_PUNCTUATION = frozenset("\n.,;:!?\"'()[]{}…。、，；：！？।॥؟،؛·•|—")


class Level(IntEnum):
    """How much two tokens may differ and still be the same."""

    SURFACE = 0
    CASE = 1
    FOLD = 2
    STEM = 3


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a number, a sign or, in a script without blanks, a character.

    Attributes:
        start, end: its place in the text.
        text: as written.
        kind: ``word``, ``number``, ``unspaced``, ``sign`` or ``mark`` (punctuation, which no comparison sees).
    """

    start: int
    end: int
    text: str
    kind: str


def tokens(text: str) -> list[Token]:
    """The tokens of a text.

    An apostrophe parts words, but not English ones: ``don't`` is one, ``moon's`` is ``moon``.
    """
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup).replace("jamo", "word")
        token = Token(match.start(), match.end(), match[0], kind)
        if (kind == "sign" and match[0] in _PUNCTUATION) or (
            kind == "sign" and match[0] in "-_" and _joins(text, match.start())
        ):
            found.append(Token(token.start, token.end, token.text, "mark"))
        elif kind == "word" and _is_contraction(found, token):
            _contract(found, token)
        else:
            found.append(token)
    return found


def _joins(text: str, place: int) -> bool:
    """Whether the hyphen at a place joins two words ("twenty-one"); between numbers it is a sign."""
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    return before.isalpha() and after.isalpha()


def _is_contraction(found: Sequence[Token], token: Token) -> bool:
    return (
        len(found) > 1
        and found[-1].text == "'"
        and found[-1].end == token.start
        and found[-2].end == found[-1].start
        and found[-2].kind == "word"
        and token.text.lower() in ("s", "t", "re", "ve", "ll", "d", "m")
        and not (
            len(found[-2].text) == 1
            and token.text.lower() in ("d", "m", "s", "t")
            and found[-2].text.lower() not in "i"
        )
    )


def _contract(found: list[Token], token: Token) -> None:
    found.pop()
    if token.text.lower() == "s":
        found.append(Token(token.start - 1, token.end, "'s", "mark"))
        return
    before = found.pop()
    found.append(Token(before.start, token.end, before.text + token.text, "word"))


def forms(token: Token, level: Level) -> tuple[str, ...]:
    """The forms under which a token is known at a level: its own, then those without a prefix or particle."""
    return _forms(token.text, token.kind, level)


def form(token: Token, level: Level) -> str:
    """A token's own form at a level."""
    return _form(token.text, token.kind, level)


@lru_cache(maxsize=1 << 16)
def _forms(text: str, kind: str, level: Level) -> tuple[str, ...]:
    own = _form(text, kind, level)
    if kind != "word" or level < Level.FOLD:
        return (own,)
    if level == Level.STEM and len(own) > 4 and text.islower() and re.fullmatch(r"[a-z]+[aiou]s", own):
        return (own, own[:-1])  # "kiwis"; not in "the Guineas", which are two
    return (own, *(one for one in dict.fromkeys(_without_affixes(own)) if one != own))


@lru_cache(maxsize=1 << 16)
def _form(text: str, kind: str, level: Level) -> str:
    if kind == "number":
        return _number_form(text)
    if level == Level.SURFACE:
        return text
    if level == Level.CASE:
        return text.replace("İ", "i").casefold()
    folded = _folded(text)
    return _stem(folded) if level == Level.STEM and kind == "word" else folded


_GROUPED = re.compile(r"\d{1,3}(?:([, '])\d{3})(?:\1\d{3})*(\.\d+)?")


def _number_form(text: str) -> str:
    text = f"0{text}" if text.startswith(".") else text
    digits = re.sub(r"[, ']", "", text) if _GROUPED.fullmatch(text) else text.replace(" ", "")
    if digits.count(".") == 1 and "," not in digits:
        digits = digits.rstrip("0").rstrip(".")
    return digits


_VARIANTS = str.maketrans(
    {
        "ي": "ی",
        "ى": "ی",
        "ئ": "ی",
        "ك": "ک",
        "أ": "ا",
        "إ": "ا",
        "آ": "ا",
        "ٱ": "ا",
        "ة": "ه",
        "ۀ": "ه",
        "ؤ": "و",
        "ـ": "",
        "ء": "",
        "ё": "е",
        "ı": "i",
        "ß": "ss",
        "ς": "σ",
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "æ": "ae",
        "œ": "oe",
        "ð": "d",
        "þ": "th",
        "़": "",
        "ँ": "ं",
    }
)
_FOLDED_SCRIPTS = ("LATIN", "GREEK", "COMBINING", "HEBREW", "ARABIC")


@lru_cache(maxsize=1 << 16)
def _folded(text: str) -> str:
    """Without case, accents and what a script lets vary (harakat, niqqud, kinds of yeh and kaf, final sigma)."""
    text = unicodedata.normalize("NFC", text.replace("İ", "i").casefold()).translate(_VARIANTS)
    parts: list[str] = []
    for character in unicodedata.normalize("NFD", text):
        if unicodedata.combining(character) and unicodedata.name(character, "").startswith(_FOLDED_SCRIPTS):
            previous = parts[-1] if parts else ""
            if not (previous and "\u0400" <= previous[0] <= "\u04ff") and not "\u3040" <= previous[:1] <= "\u30ff":
                continue
        parts.append(character)
    return unicodedata.normalize("NFC", "".join(parts)).translate(_VARIANTS)


_LATIN_PLURAL = re.compile(r"[a-z]{3,}(?<![suiao])s")
_CYRILLIC_ENDING = re.compile(
    r"(?<=[а-яіїє]{4})(?:ами|ями|ого|его|ому|ему|ой|ей|ом|ем|ою|ею|ах|ях|ам|ям|ый|ий|"
    r"ая|яя|ое|ее|ые|ие|[аеиоуыьюя])$"
)


def _stem(word: str) -> str:
    if _LATIN_PLURAL.fullmatch(word):
        return word[:-1]
    if "\u0400" <= word[:1] <= "\u04ff":
        return _CYRILLIC_ENDING.sub("", word)
    return word


_KOREAN_PARTICLES = [
    "이었습니다",
    "였습니다",
    "입니다만",
    "이지요",
    "지요",
    "이랍니다",
    "이네요",
    "이군요",
    "거든요",
    "이잖아요",
    "이겠죠",
    "입니다",
    "이에요",
    "예요",
    "이예요",
    "에요",
    "이지만",
    "이라고",
    "이므로",
    "이니까",
    "이라",
    "이고",
    "이며",
    "이다",
    "이랑",
    "이죠",
    "이지",
    "이란",
    "이야",
    "이나",
    "인데",
    "라고",
    "에서",
    "으로",
    "까지",
    "부터",
    "처럼",
    "보다",
    "에게",
    "하고",
    "께서",
    "은",
    "는",
    "이",
    "가",
    "을",
    "를",
    "의",
    "에",
    "로",
    "와",
    "과",
    "도",
    "만",
    "나",
    "랑",
    "죠",
    "란",
    "야",
    "임",
    "라",
    "인",
    "일",
    "다",
]
_ARABIC_PREFIXES = tuple(
    re.compile(rf"^(?:{prefix})(?=\w\w)") for prefix in ("[وف]", "[وف]?[بکل]", "[وف]?[بک]?ال", "[وف]?لل")
)
_HEBREW_PREFIXES = tuple(re.compile(rf"^[והבלמשכ]{{{count}}}(?=\w\w)") for count in (1, 2))


def _without_affixes(word: str) -> Iterator[str]:
    first = word[0] if word else ""
    if "\uac00" <= first <= "\ud7a3":
        for particle in _KOREAN_PARTICLES:
            if word.endswith(particle) and len(word) > len(particle):
                yield word.removesuffix(particle)
    elif "\u0600" <= first <= "\u06ff":
        for pattern in _ARABIC_PREFIXES:
            shorter = pattern.sub("", word)
            if shorter != word:
                yield shorter
    elif "\u0590" <= first <= "\u05ff":
        for pattern in _HEBREW_PREFIXES:
            shorter = pattern.sub("", word)
            if shorter != word:
                yield shorter
