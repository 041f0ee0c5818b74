"""Tables: what stands between the cells, which names the columns have, and the rows below them.

Written for what spreadsheets and their neighbours save: semicolons, tabs or bars for commas, a first line ``sep=;``,
empty columns at the end, blanks around names, empty rows, passages of any length, decimal commas.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trialign.errors import UserError

# Who writes decimals in a column: a point, a comma, or (?) nothing in it tells.
Decimals = Literal[".", ",", "?"]
# (number of the row, its cells; or the fault that hides them)
Record = tuple[int, list[Any] | UserError]

_SEPARATORS = ",;\t|"
_LOOKED_AT = 50
_COMMA = re.compile(r"[+-]?(?:\d+,(?:\d{1,2}|\d{4,})|\d{1,3}(?:\.\d{3})+,\d+|0,\d+)")
_POINT = re.compile(r"[+-]?(?:\d+\.(?:\d{1,2}|\d{4,})|\d{1,3}(?:,\d{3})+\.\d+|0\.\d+)")
# The longest number that a C integer holds: a passage may be longer than the 131,072 characters that csv allows.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


@dataclass(frozen=True)
class Columns:
    """The columns of a table.

    Attributes:
        names: of those that have one, in their order.
        places: where these stand in a record.
    """

    names: tuple[str, ...]
    places: tuple[int, ...]

    def values(self, path: Path, number: int, record: Sequence[Any]) -> dict[str, Any] | UserError:
        """A record's cells by name; a fault where it does not fit the columns."""
        needed = self.places[-1] + 1
        filled = next((at for at in range(len(record) - 1, -1, -1) if not _blank(record[at])), -1) + 1
        if len(record) < needed or filled > needed:
            return UserError(
                f"{path}, row {number}: {max(filled, min(len(record), needed))} fields, and there are "
                f"{len(self.names)} columns",
                "Give every row a field for each column, in quotes where it holds what separates columns",
            )
        for at in range(1, needed):  # the first may be the numbers that pandas writes
            if at not in self.places and not _blank(record[at]):
                return UserError(
                    f"{path}, row {number}: field {at + 1} holds text, and its column has no name",
                    "Name the column in the first row, or empty it",
                )
        return {name: record[at] for name, at in zip(self.names, self.places, strict=True)}


def text_records(path: Path, text: str, columns: Sequence[str] | None) -> tuple[Iterator[Record], str]:
    """The records of a table in a text file, and what separates its cells.

    Args:
        path: its ending says what to expect where the text does not tell.
        text: the whole file.
        columns: names of the columns, where the file has no header.
    """
    text, separator = _stated_separator(text)
    separator = separator or _separator(path, text, len(columns) if columns else None)
    quoting: Literal[0, 3] = csv.QUOTE_NONE if separator == "\t" and _unquoted(text) else csv.QUOTE_MINIMAL
    first = next(iter(csv.reader(io.StringIO(text, newline=""), delimiter=separator)), [])
    blanks = any(cell.startswith(" ") for cell in first[1:])  # "q, A, B": then quotes follow blanks too
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, strict=True, quoting=quoting, skipinitialspace=blanks
    )
    return _numbered(path, reader), separator


def table_rows(
    path: Path, records: Iterable[Record], columns: Sequence[str] | None
) -> Iterator[tuple[int, dict[str, Any] | UserError]]:
    """The rows of a table by the names of its columns; empty rows are none, but count.

    Raises:
        UserError: there is no header, or two of its columns have one name.
    """
    known = Columns(tuple(columns), tuple(range(len(columns)))) if columns else None
    for number, record in records:
        if isinstance(record, UserError):
            yield number, record
        elif all(map(_blank, record)):
            continue
        elif known is None:
            known = _header(path, record)
        else:
            yield number, known.values(path, number, record)


def decimals(values: Iterable[Any], separator: str) -> Decimals:
    """How the numbers of one column are written, as far as the column tells.

    Where nothing tells, a table with commas between its cells has decimal points; one with semicolons may be from a
    country that writes decimal commas.
    """
    texts = [value.strip() for value in values if isinstance(value, str)]
    comma, point = (any(form.fullmatch(text) for text in texts) for form in (_COMMA, _POINT))
    if comma != point:
        return "," if comma else "."
    return "." if separator == "," and not comma else "?"


def _header(path: Path, record: Sequence[Any]) -> Columns:
    names = [str("" if cell is None else cell).strip().strip("\ufeff") for cell in record]
    places = [at for at, name in enumerate(names) if name]
    twice = next((names[at] for at in places if names.count(names[at]) > 1), None)
    if twice is not None:
        raise UserError(f"{path}: two columns have the same name, '{twice}'", "Give every column its own name")
    return Columns(tuple(names[at] for at in places), tuple(places))


def _stated_separator(text: str) -> tuple[str, str | None]:
    """Excel's own first line, ``sep=;``, and the text below it; it is no row."""
    found = re.match(r'\s*"?sep=(.)"?[;,\t|]*\r?(?:\n|$|(?<=\r))', text, re.IGNORECASE)
    return (text[found.end() :], found[1]) if found and found[1] not in "\"'\r\n" else (text, None)


def _separator(path: Path, text: str, columns: int | None) -> str:
    """What separates cells: that by which most records have as many as the header, and the header has most."""
    order = ("\t" + _SEPARATORS.replace("\t", "")) if path.suffix.lower() in (".tsv", ".tab") else _SEPARATORS
    return max(order, key=lambda separator: _agreement(text, separator, columns))


def _agreement(text: str, separator: str, columns: int | None) -> tuple[bool, float, int]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        widths = [_width(record) for record in itertools.islice(reader, _LOOKED_AT) if any(map(str.strip, record))]
    except csv.Error:
        return False, 0.0, 0
    wanted = columns or (widths[0] if widths else 0)
    same = sum(width == wanted for width in widths[not columns :]) / max(len(widths) - (not columns), 1)
    # One column is what anything that does not separate gives: it wins only where nothing else agrees.
    return wanted > 1, same, wanted


def _width(record: Sequence[str]) -> int:
    """Cells up to the last one that is not empty, so that empty columns at the end do not count."""
    return max((at + 1 for at, cell in enumerate(record) if cell.strip()), default=0)


def _unquoted(text: str) -> bool:
    """Whether quotes are characters like others in a table with tabs: read as quotes they leave it in pieces."""
    strict = csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True)
    try:
        for _ in strict:
            pass
    except csv.Error:
        plain = csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
        return len({len(record) for record in plain if record}) == 1
    return False


def _numbered(path: Path, records: Iterator[list[str]]) -> Iterator[Record]:
    for number in itertools.count(1):
        try:
            yield number, next(records)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, UserError(f"{path}, row {number}: no valid CSV ({error})", "Mend the quotes of this row")


def _blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())
