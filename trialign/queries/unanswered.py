"""Questions to be answered, not audited: what a row has to hold is a question, in whatever file."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from trialign.errors import UserError
from trialign.queries.cells import Cells, shown
from trialign.queries.encodings import decoded
from trialign.queries.fields import find, labelled_options
from trialign.queries.formats import Row, file_rows
from trialign.queries.json_files import is_line, line_entries
from trialign.queries.keys import clean, fault
from trialign.queries.rows import choice_options
from trialign.queries.sources import FieldMap
from trialign.queries.survey import absent_fault, has_path
from trialign.queries.types import PreferenceQuery, Query

STANDARD_INPUT = "standard input"
_QUESTION = FieldMap(question="question", options="options", id="id")


def read_unanswered(path: Path, fields: FieldMap | None = None, encoding: str | None = None) -> list[tuple[Query, str]]:
    """The questions of a file, each with its place.

    Args:
        path: any file that sources may be; a ``.txt`` file without a column for questions has one a line.
        fields: where question, options, id and passage are; None: ``question``, ``options`` (or columns A, B, ...)
            and ``id``, where there are any.
        encoding: of a text file; None: found out.

    Raises:
        UserError: the file or a row cannot be read; names both.
    """
    if path.suffix.lower() == ".txt" and path.is_file():
        text, _ = decoded(path, path.read_bytes(), encoding)
        header = text.lstrip("\ufeff \r\n").splitlines()[:1]
        if fields is None and not any(_same_name("question", name) for line in header for name in _cells(line)):
            return list(_queries(_lines(path.stem, str(path), text), _QUESTION, named=True))
    return list(_queries(file_rows(path, encoding=encoding), fields or _QUESTION, named=fields is None))


def typed_questions(
    data: bytes, fields: FieldMap | None = None, encoding: str | None = None
) -> list[tuple[Query, str]]:
    """The questions that reached standard input: one a line, or one JSON object a line.

    Raises:
        UserError: there are none, or one cannot be read; names the line.
    """
    text, _ = decoded(Path(STANDARD_INPUT), data, encoding)
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and all(map(is_line, lines)):
        entries = line_entries(Path(STANDARD_INPUT), text.split("\n"))
        rows: Iterator[Row] = (
            Row(f"{STANDARD_INPUT}, row {number}", STANDARD_INPUT, number, values) for number, _, values in entries
        )
    else:
        rows = _lines(STANDARD_INPUT, STANDARD_INPUT, text)
    return list(_queries(rows, fields or _QUESTION, named=fields is None))


def _lines(part: str, name: str, text: str) -> Iterator[Row]:
    """A row for each line of text; blank ones are none, but count."""
    found = False
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        if line.strip():
            found = True
            yield Row(f"{name}, row {number}", part, number, {"question": line.strip().strip("\ufeff")})
    if not found:
        raise UserError(f"There is no question in {name}", "Write one a line")


def _cells(line: str) -> list[str]:
    for separator in "\t;|":
        line = line.replace(separator, ",")
    return [cell.strip(' "') for cell in line.split(",")]


def _queries(rows: Iterable[Row], fields: FieldMap, *, named: bool) -> Iterator[tuple[Query, str]]:
    """One question a row, without answer and target.

    Args:
        rows: as they were read.
        fields: where things are.
        named: nobody said where, so that other spellings of the names will do.
    """
    places: dict[str, str] = {}
    for row in rows:
        if isinstance(row.values, UserError):
            raise row.values
        if not isinstance(row.values, Mapping):
            raise fault(row, f"the row is {shown(row.values)}, not an object", "Write keys and values")
        query = _query(row, _found_fields(row.values, fields) if named else fields, named)
        if query.query_id in places:
            raise fault(
                row,
                f"the id '{query.query_id}' is taken already, at {places[query.query_id]}",
                "Give every question its own id, or none of them one",
            )
        places[query.query_id] = row.place
        yield query, row.place


def _query(row: Row, fields: FieldMap, named: bool) -> Query:
    stated = clean(find(row.values, fields.id)) if fields.id else None
    name = str(row.number) if stated in (None, "") and row.key is None else row.key if stated in (None, "") else stated
    cells = Cells({"id": name}, f"{row.place}, query {name!r}" if stated not in (None, "") else row.place)
    name = cells.text("id")
    question = find(row.values, fields.question)
    if question is None and not has_path(row.values, fields.question):
        what = f"{cells.place}: 'question' is missing; the row"
        remedy = "Name the column with --question" if named else "Correct --question"
        raise UserError(absent_fault(what, "question", fields.question, row.values).problem, remedy)
    passage = find(row.values, fields.passage) if fields.passage else None
    if isinstance(passage, str) and passage.strip() and isinstance(question, str):
        question = f"{passage.strip()}\n\n{question}"
    values: dict[str, Any] = {"question": question, "options": _options(row, fields)}
    cells = replace(cells, values={key: value for key, value in values.items() if value is not None})
    options = choice_options(cells, "choice") if values["options"] else ()
    return replace(PreferenceQuery.asked(cells.text("question"), options), query_id=name, cluster=name)


def _options(row: Row, fields: FieldMap) -> list[Any] | None:
    """The texts of the options; None where the row has none, and the reply is free."""
    if isinstance(fields.options, tuple):
        return labelled_options(row, fields)[0] or None
    found = find(row.values, fields.options) if fields.options else None
    if found is None or found == [] or (isinstance(found, str) and not found.strip()):
        return None
    return labelled_options(row, fields)[0]


def _found_fields(values: Mapping[str, Any], fields: FieldMap) -> FieldMap:
    """The usual names as this row spells them; options in columns A, B, ... where it has such."""
    keys = ("question", "options", "id")
    spelt = {key: next((name for name in map(str, values) if _same_name(key, name)), key) for key in keys}
    letters = []
    for letter in string.ascii_uppercase:
        column = next((name for name in (letter, letter.lower()) if name in values), None)
        if column is None:
            break
        letters.append(column)
    columns = len(letters) > 1 and spelt["options"] not in values
    options: str | tuple[str, ...] = tuple(letters) if columns else spelt["options"]
    return replace(fields, question=spelt["question"], id=spelt["id"], options=options)


def _same_name(one: str, other: str) -> bool:
    return one.casefold() == other.strip().strip("\ufeff").casefold()
