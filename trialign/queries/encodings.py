"""Bytes of a text file as text: by its mark, by the form of UTF-8 and UTF-16, by what is stated, or by its letters."""

from __future__ import annotations

import codecs
import re
import unicodedata
from pathlib import Path

from trialign.errors import UserError

# Longest first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDTHS = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
# Windows writes more characters than the standards that these codecs are named after.
_AS_WINDOWS_WRITES = {"shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949"}
# An unread byte, as Python's error handler keeps it: half of a surrogate pair, which the check of texts refuses by row.
_UNREAD = "\udc80"
_SAMPLE = 200_000
# A reading this close to the best one leaves a doubt; below the floor there is no reading at all.
_CLOSE, _FLOOR = 0.94, 0.2
# No more strange bytes than these in a file are damage to their rows; more are another encoding.
_FEW_BYTES = 3
# Of a script other than Latin, and written in one byte a letter, fewer letters than these may be anything.
_FEW_LETTERS = 6
# Written in two bytes a letter, most pairs of which mean nothing.
_UNMISTAKABLE = ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL")
_WORD = re.compile(r"[^\W\d_]{2,}")
_INSIDE_WORDS = "'’ʼ·-‐‑\u00ad"


def known_encoding(name: str) -> bool:
    """Whether Python decodes text by this name."""
    try:
        "a".encode(name)
    except (LookupError, UnicodeError, ValueError):
        return False
    return True


def decoded(path: Path, data: bytes, stated: str | None = None) -> tuple[str, str]:
    """The text of a file, and the name of the encoding that it is in.

    A byte that is damaged in an otherwise sound file becomes half of a surrogate pair, so that its row alone is
    refused.

    Args:
        path: for messages.
        data: the whole file.
        stated: the encoding that the configuration names; None: found out.

    Raises:
        UserError: the encoding cannot be told safely; names the candidates and the remedy.
    """
    if stated is not None:
        name = codecs.lookup(stated).name
        return _lenient(path, data, name), name
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _lenient(path, data, name), name
    wide = _wide(data)
    if wide:
        return _lenient(path, data, wide), wide
    if is_utf8(data):
        return data.decode("utf-8", "surrogateescape"), "utf-8"
    try:
        name = _guessed(path, data)
    except UserError:
        if sum(byte > 0x7F for byte in data) > _FEW_BYTES:
            raise
        return data.decode("utf-8", "surrogateescape"), "utf-8"
    return data.decode(name), name


def is_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8, perhaps damaged here and there: what is sound outweighs what is not."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.end == len(data):
            return True
        text = data.decode("utf-8", "surrogateescape")
        bad = sum("\udc80" <= character <= "\udcff" for character in text)
        return sum(character > "\x7f" for character in text) >= 2 * bad
    return True


def _lenient(path: Path, data: bytes, name: str) -> str:
    name = name.replace("_", "-")
    if name in ("utf-16", "utf-32"):  # as a user states it: the mark says the order
        name = next((one for mark, one in _MARKS if data.startswith(mark) and one.startswith(name)), f"{name}-le")
    width = _WIDTHS.get(name, 0)
    try:
        if width:
            whole = len(data) // width * width
            return (data[:whole].decode(name, "surrogatepass") + _UNREAD * (whole < len(data))).removeprefix("\ufeff")
        return data.decode(name, "surrogateescape").removeprefix("\ufeff")
    except (UnicodeError, ValueError) as error:
        raise UserError(
            f"{path} is not in the encoding {name} ({error})", "Correct 'encoding', or save it as UTF-8"
        ) from error


def _wide(data: bytes) -> str | None:
    """UTF-16 without a mark: half of the bytes of Latin text, and of every separator, are zero."""
    zeros = data.count(0)
    if len(data) < 4 or not zeros:
        return None
    late = data[1::2].count(0)
    one_sided = max(late, zeros - late) >= 0.9 * zeros
    if not one_sided or (zeros < 0.2 * len(data) and is_utf8(data)):
        return None
    name = "utf-16-le" if late > zeros - late else "utf-16-be"
    text = data[: len(data) // 2 * 2].decode(name, "surrogatepass")
    return name if _plausible(text) else None


def _guessed(path: Path, data: bytes) -> str:
    # Imported here: few files need it.
    import chardet

    sample = data if len(data) <= _SAMPLE else b"\n".join(line for line in data.splitlines() if not line.isascii())
    found: list[tuple[float, str, str]] = []
    for one in chardet.detect_all(sample[:_SAMPLE], ignore_threshold=True):
        name = codecs.lookup(one["encoding"]).name if one["encoding"] and known_encoding(one["encoding"]) else ""
        name = _AS_WINDOWS_WRITES.get(name, name)
        try:
            text = data.decode(name) if name else ""
        except UnicodeDecodeError:
            continue
        if text and _plausible(text) and _enough(text) and text not in [other for _, _, other in found]:
            found.append((float(one["confidence"]), name, text))
    best = max(found, default=(0.0, "", ""))
    if best[0] < _FLOOR:
        raise UserError(f"{path} is not UTF-8, and its encoding cannot be told", _remedy("cp1252"))
    for other in found:
        if other[1] != best[1] and other[0] >= _CLOSE * best[0]:
            ways = " or ".join(f"{name} ('{_odd_word(text)}')" for _, name, text in (best, other))
            raise UserError(f"{path} is not UTF-8, and may be in {ways}", _remedy(best[1]))
    return best[1]


def _remedy(name: str) -> str:
    return f"State it, as in data.encoding={name}, or save the file as UTF-8"


def _plausible(text: str) -> bool:
    """Whether text reads as one writes: nothing but letters inside words, of one script, capitals first."""
    return not any(_odd(text, at) for at, character in enumerate(text) if character > "\x7f")


def _enough(text: str) -> bool:
    """Whether the letters beyond ASCII tell their script: accents stand alone among ASCII, other scripts in numbers."""
    letters = [character for character in text if character > "\x7f" and character.isalpha()]
    latin = [letter for letter in letters if _script(letter) == "LATIN"]
    if len(latin) < len(letters):
        return len(letters) >= _FEW_LETTERS or all(_script(letter) in _UNMISTAKABLE for letter in letters)
    whole = sum(len(word) for word in _WORD.findall(text) if not any(letter.isascii() for letter in word))
    return 2 * whole <= len(letters)


def _odd(text: str, at: int) -> bool:
    character, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    category = unicodedata.category(character)
    if category in ("Cc", "Cn", "Co", "Cs") or (category == "Lm" and ord(character) < 0x300):
        return True
    if category in ("Lu", "Ll", "Lo") and before.isalpha():
        other_script = _script(before) != _script(character) and "Lo" not in (category, unicodedata.category(before))
        sinks = category == "Lu" and (before.islower() or (before.isascii() and before.isupper() and after.islower()))
        return other_script or sinks
    if character in "¿¡" and before.isalnum():
        return True
    if character in "¹²³" and (not before.isalnum() or after.isalpha()):
        return True
    if character == "¤" or (character in "¢£¥" and after.isalpha()):
        return True
    if character in "‚„" and before.isalnum():
        return True
    if character in "“”‹›«»•†‡" and before.isalpha() and after.isalpha():
        return True
    symbol = category[0] in "SNP" and character not in _INSIDE_WORDS
    # Beyond these are dashes, and the punctuation of scripts that write no blanks.
    return symbol and ord(character) < 0x100 and before.isalpha() and after.isalpha()


def _script(character: str) -> str:
    name = unicodedata.name(character, "").partition(" ")[0]
    return "LATIN" if name in ("FEMININE", "MASCULINE", "MICRO") else name


def _odd_word(text: str) -> str:
    return next(word for word in text.split() if not word.isascii())[:40]
