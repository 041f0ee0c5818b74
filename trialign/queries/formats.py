"""Rows as files and hub data sets hold them, one at a time, each with its place; what cannot be read is a fault."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trialign.errors import UserError

log = logging.getLogger("trialign")
SUFFIXES = (".jsonl", ".parquet", ".csv", ".json")
NATIVE_SUFFIXES = (".jsonl", ".parquet")
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Row:
    """One row of data.

    Attributes:
        place: file (or data set) and row, for messages.
        part: the file's name without its ending, or the part of a data set.
        number: counted from 1; in CSV as a spreadsheet counts, the header being row 1.
        values: what the row holds; a `UserError` where that cannot be read.
    """

    place: str
    part: str
    number: int
    values: Any


def file_rows(
    path: Path, suffixes: Sequence[str] = SUFFIXES, *, columns: Sequence[str] | None = None, inside: str | None = None
) -> Iterator[Row]:
    """The rows of one file, read as they are asked for.

    Args:
        path: the file; its ending says how it is read.
        suffixes: the endings that are allowed.
        columns: names of the columns of a CSV file without a header.
        inside: dotted path to the list of rows in a ``.json`` file.

    Yields:
        Rows; one that cannot be read carries the fault as its values, and reading goes on after it.

    Raises:
        UserError: the file as a whole cannot be read, or holds no row.
    """
    if path.suffix not in suffixes:
        raise UserError(f"{path} is no question file", f"Use a file that ends in {' or '.join(suffixes)}")
    if not path.is_file():
        raise UserError(f"The question file {path} does not exist", "Check the path")
    found = False
    try:
        for number, values in _numbered(path, columns, inside):
            found = True
            yield Row(f"{path}, row {number}", path.stem, number, values)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error})", "Check the file and its permissions") from error
    if not found:
        raise UserError(f"The question file {path} is empty", "Write at least one row into it")


def hub_rows(name: str, subset: str | None, part: str, revision: str | None) -> Iterator[Row]:
    """The rows of one split of a Hugging Face data set (or of a folder of that form), streamed.

    Raises:
        UserError: the data set, its subset or its split is not found, or its files cannot be read.
    """
    # Imported here: it takes seconds, and few sources need it.
    from datasets import load_dataset

    # What these say of an error is in the fault.
    for library in ("datasets", "huggingface_hub"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    place = f"{name}{f', {subset}' if subset else ''}, {part}"
    log.info("Reading %s", place)
    try:
        stream = iter(load_dataset(name, subset, split=part, revision=revision, streaming=True))
    except Exception as error:
        raise UserError(
            f"The data set {place} was found neither on this machine nor on the hub ({_line(error)})",
            "Check id, subset, part and connection, and set HF_TOKEN for a gated data set",
        ) from error
    number = 0
    while True:
        try:
            values = next(stream)
        except StopIteration:
            break
        except Exception as error:
            # The stream ends with its error: what follows cannot be reached.
            raise UserError(
                f"{place}, row {number + 1}: cannot be read ({_line(error)})", "Mend the data set"
            ) from error
        number += 1
        yield Row(f"{place}, row {number}", part, number, values)
    if not number:
        raise UserError(f"The data set {place} is empty", "Name another part")


def _numbered(path: Path, columns: Sequence[str] | None, inside: str | None) -> Iterator[tuple[int, Any]]:
    if path.stat().st_size == 0:
        return iter(())
    if path.suffix == ".csv":
        return _csv_rows(path, columns)
    if path.suffix == ".json":
        return _json_rows(path, inside)
    return _jsonl_rows(path) if path.suffix == ".jsonl" else _parquet_rows(path)


def _jsonl_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Blank lines are skipped but counted."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield number, json.loads(line.decode("utf-8-sig"))
                except (ValueError, RecursionError) as error:
                    yield (
                        number,
                        UserError(
                            f"{path}, row {number}: no valid JSON ({error})",
                            "Write one complete JSON object a line, in UTF-8",
                        ),
                    )


def _json_rows(path: Path, inside: str | None) -> Iterator[tuple[int, Any]]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no valid JSON ({error})", "Write or copy the file again") from error
    for key in inside.split(".") if inside else ():
        rows = rows.get(key) if isinstance(rows, dict) else None
    if not isinstance(rows, list):
        where = f"'{inside}' of {path}" if inside else str(path)
        raise UserError(f"{where} is no list of rows", "Say under 'rows' where in the file the list is")
    return iter(enumerate(rows, start=1))


def _csv_rows(path: Path, columns: Sequence[str] | None) -> Iterator[tuple[int, Any]]:
    # A byte that is no UTF-8 becomes half of a surrogate pair here, which the check of texts refuses by row.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        records = csv.reader(file, strict=True)
        number = 0
        while True:
            number += 1
            try:
                record = next(records)
            except StopIteration:
                return
            except csv.Error as error:
                yield number, UserError(f"{path}, row {number}: no valid CSV ({error})", "Mend the quotes of this row")
                continue
            if columns is None:
                columns = record
                if len(set(columns)) < len(columns):
                    raise UserError(f"{path}: two columns have the same name", "Give every column its own name")
            elif len(record) == len(columns):
                yield number, dict(zip(columns, record, strict=True))
            elif record:  # a blank line is no row
                yield (
                    number,
                    UserError(
                        f"{path}, row {number}: {len(record)} fields, and there are {len(columns)} columns",
                        "Give every row a field for each column, in quotes where it holds a comma",
                    ),
                )


def _parquet_rows(path: Path) -> Iterator[tuple[int, Any]]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE):
                for values in batch.to_pylist(maps_as_pydicts="strict"):
                    number += 1
                    yield number, values
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} is no complete Parquet file ({error})", "Write or copy the file again") from error


def _line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
