"""Text from data, models and people, made harmless for the place where it is shown.

A spreadsheet runs a cell that begins with a formula sign, a terminal obeys control characters, and marks of writing
direction make a text read otherwise than it is. HTML escapes by its templates.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.text import Text

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"), also in its full-width forms.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_LINE_ENDS = "\n\t"
_MARKDOWN = str.maketrans({**{sign: f"\\{sign}" for sign in "\\`*_[]|#$~!"}, **{c: f"&#{ord(c)};" for c in "<>&"}})
Cell = str | int | float | bool | None


def visible(text: str, *, keep: str = "\n") -> str:
    """The text with every character that would not be seen shown by its escape, as Python writes it.

    Args:
        text: any.
        keep: characters that stay as they are though they are not printable.
    """
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in _whole(text))


def literal(text: str) -> Text:
    """The text for a terminal: no markup, and no character that would steer it."""
    return Text(visible(text))


def shortened(text: str, most: int) -> str:
    """The text, or its beginning and how much was left out.

    Args:
        text: any.
        most: characters that are shown.
    """
    if len(text) <= most:
        return text
    return f"{text[:most]} […] ({len(text) - most:,} of {len(text):,} characters are not shown)"


def csv_cell(value: Cell) -> str:
    """A cell that no spreadsheet runs: numbers stay numbers, text like a formula gets an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    shown = visible(value, keep=_LINE_ENDS)
    return f"'{shown}" if value.startswith(_FORMULA_STARTS) else shown


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table as CSV (RFC 4180, lines end with a line feed)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([csv_cell(name) for name in header])
    writer.writerows([csv_cell(value) for value in row] for row in rows)
    return text.getvalue()


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON that reads back to the letter, and in which every character that would not be seen stands as its escape.

    Marks of direction, control characters beyond those that JSON escapes anyway, line ends that some readers of JSON
    lines obey, halves of surrogate pairs. No line end follows.

    Raises:
        ValueError: NaN or an infinity.
    """
    text = json.dumps(value, indent=indent, allow_nan=False, ensure_ascii=False)
    return "\n".join(line if line.isprintable() else _escaped(line) for line in text.split("\n"))


def markdown_cell(text: str) -> str:
    """The text in one cell of a Markdown table: no line ends, no table, link, image or HTML of its own."""
    return visible(text, keep="").replace("\\n", " ").translate(_MARKDOWN)


def _escaped(line: str) -> str:
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def _whole(text: str) -> str:
    """Lone surrogates, which no file can hold, as their escapes."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")
