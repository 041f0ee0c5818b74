"""JSON in the forms in which rows come: one object a line, a list, objects by their ids, or by columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from trialign.errors import UserError

# (number of the row, its key where rows have keys, what it holds or a fault)
Entry = tuple[int, str | None, Any]


def line_entries(path: Path, lines: Iterable[str]) -> Iterator[Entry]:
    """One object a line; blank lines are skipped but counted."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield number, None, parsed(line.strip("\ufeff"))
            except (ValueError, RecursionError) as error:
                fault = f"{path}, row {number}: no valid JSON ({error})"
                yield number, None, UserError(fault, "Write one complete JSON object a line, in UTF-8")


def document_entries(path: Path, text: str, inside: str | None) -> Iterator[Entry]:
    """The rows of one JSON document; objects one a line are taken for what they are.

    Args:
        path: for messages.
        text: the whole file.
        inside: dotted path to the rows in it.

    Raises:
        UserError: it is no valid JSON, or holds no rows there.
    """
    try:
        rows = parsed(text)
    except (ValueError, RecursionError) as error:
        if inside is None and is_line(next((line for line in text.split("\n") if line.strip()), "")):
            return line_entries(path, text.split("\n"))
        raise UserError(f"{path} is no valid JSON ({error})", "Write or copy the file again") from error
    for key in inside.split(".") if inside else ():
        rows = rows.get(key) if isinstance(rows, dict) else None
    found = _rows(rows)
    if found is None:
        where = f"'{inside}' of {path}" if inside else str(path)
        lists = [key for key, value in rows.items() if isinstance(value, list | dict)] if isinstance(rows, dict) else []
        hint = f"; it has: {', '.join(lists[:9])}" if lists else ""
        raise UserError(f"{where} is no list of rows", f"Say under 'rows' where in the file the list is{hint}")
    return ((number, key, row) for number, (key, row) in enumerate(found, start=1))


def is_line(line: str) -> bool:
    """Whether a line is one JSON object, whole."""
    try:
        return isinstance(parsed(line), dict)
    except (ValueError, RecursionError):
        return False


def parsed(text: str) -> Any:
    """A JSON text; NaN, which pandas writes for what is missing, is null.

    Raises:
        ValueError: it is none, or an object has one key twice.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, parse_constant=_constant, object_pairs_hook=_object)


def _constant(name: str) -> float | None:
    return None if name == "NaN" else float(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key '{next(key for key in keys if keys.count(key) > 1)}' is there twice")
    return found


def _rows(value: Any) -> list[tuple[str | None, Any]] | None:
    """(key, row) of a list of rows, of rows by their ids, or of pandas' forms by columns; None where it is none."""
    if isinstance(value, list):
        return [(None, row) for row in value]
    if not isinstance(value, dict) or not value:
        return None
    if set(value) in ({"columns", "index", "data"}, {"columns", "data"}) and isinstance(value["data"], list):
        return [(None, _zipped(value["columns"], row)) for row in value["data"]]
    parts = list(value.values())
    wraps = any(isinstance(part, list) and (not part or isinstance(part[0], dict)) for part in parts)
    if len(parts) > 1 and any(isinstance(part, str) for part in parts) and not wraps:
        return [(None, value)]  # one object a line, and one line
    if all(isinstance(part, dict) and part for part in parts):
        keys = list(parts[0])
        # What pandas writes unless told otherwise: column -> number of the row -> cell.
        if all(key.isdecimal() for key in keys) and all(list(part) == keys for part in parts):
            return [(None, {name: column[key] for name, column in value.items()}) for key in keys]
        return list(value.items())
    if len(parts) > 1 and all(isinstance(part, list) for part in parts) and len(set(map(len, parts))) == 1:
        return [(None, dict(zip(value, cells, strict=True))) for cells in zip(*parts, strict=True)]
    return None


def _zipped(names: Any, cells: Any) -> Any:
    fits = isinstance(names, list) and isinstance(cells, list) and len(names) == len(cells)
    return dict(zip(map(str, names), cells, strict=True)) if fits else cells
