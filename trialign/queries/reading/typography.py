"""One way to write what typography writes in many: blanks, dashes, quotes, widths, superscripts, digits."""

from __future__ import annotations

import re
import sys
import unicodedata

# The soft hyphen, zero-width signs, marks of direction, selectors of variants.
_INVISIBLE = dict.fromkeys(
    (
        0xAD,
        0xE2F,  # the Thai sign of a shortened name
        0x61C,
        0x180E,
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x206A),
        0xFE0E,
        0xFE0F,
        0xFEFF,
    )
)
_HYPHENS = dict.fromkeys(map(ord, "‐‑‒–―−﹣－˗⁃"), "-")
_APOSTROPHES = dict.fromkeys(map(ord, "’‘‛ʼʻ＇`´′"), "'")
_QUOTES = dict.fromkeys(map(ord, "“”„‟«»「」『』〝〞《》〈〉＂″‹›"), '"')
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_DIGITS = {
    code: str(unicodedata.digit(chr(code)))
    for code in range(0x80, sys.maxunicode + 1)
    if unicodedata.category(chr(code)) == "Nd"
}
# An ellipsis and full-width stops keep their place as ends of sentences. The long dash parts clauses.
_SINGLE = {**_INVISIBLE, **_HYPHENS, **_APOSTROPHES, **_QUOTES, **_DIGITS}

_CIRCLED = re.compile("[①-⑳](?=[^\\W_])")
_RAISED = re.compile("[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_VULGAR = re.compile(r"(\d?)([¼½¾⅐-⅞↉])")
_ABBREVIATION = re.compile(r"(?<![\w.])(?:[A-Za-z]\.){2,}(?!\w)")
_CARET = re.compile(r"(?<=[A-Za-z])\^(?=\d)")  # m^2 is m2, as the raised sign is
_BLANKS = re.compile(r"[^\S\n]+")


def plain(text: str) -> str:
    """Text in compatibility form, with one sign for each kind of blank, dash, quote and digit.

    Line ends stay; ``10⁸`` becomes ``10^8``, ``m²`` becomes ``m2``, ``2½`` becomes ``2 1/2``. A raised number after a
    longer word is a footnote's and goes.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    text = _CIRCLED.sub(lambda match: f"{unicodedata.normalize('NFKC', match[0])}) ", text)
    text = _RAISED.sub(lambda match: _raised(match, text), text)
    text = _VULGAR.sub(lambda match: match[1] + " " * bool(match[1]) + _fraction(match[2]), text)
    # Quotes first: the compatibility form of some (´) is a blank and an accent.
    text = unicodedata.normalize("NFKC", text.translate(_SINGLE)).translate(_SINGLE)
    text = _CARET.sub("", text)
    return _BLANKS.sub(" ", _ABBREVIATION.sub(lambda match: _joined(match, text), text))


def _joined(match: re.Match[str], text: str) -> str:
    """``U.S.`` as ``US``; the last point stays where it may end a sentence."""
    rest = text[match.end() : match.end() + 3]
    ends = rest[:1] == " " and rest[1:2].isupper() and len(match[0]) > 4
    return match[0].replace(".", "") + "." * ends


def _raised(match: re.Match[str], text: str) -> str:
    start = match.start()
    digits = match[0].translate(_SUPERSCRIPTS)
    before = text[max(0, start - 4) : start]
    if before[-1:].isdigit() or before[-1:] == ")":
        return f"^{digits}"
    return "" if len(before) == 4 and before.isalpha() else digits


def _fraction(sign: str) -> str:
    return unicodedata.normalize("NFKC", sign).replace("\u2044", "/")
