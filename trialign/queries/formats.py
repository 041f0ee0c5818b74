"""Rows as files and hub data sets hold them, one at a time, each with its place; what cannot be read is a fault."""

from __future__ import annotations

import gzip
import logging
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from trialign.errors import UserError
from trialign.queries.encodings import decoded, is_utf8
from trialign.queries.json_files import Entry, document_entries, is_line, line_entries
from trialign.queries.sheets import SHEET_SUFFIXES, sheet_records
from trialign.queries.tables import Decimals, decimals, table_rows, text_records

log = logging.getLogger("trialign")
_TABLES = (".csv", ".tsv", ".tab", ".txt")
_LINES = (".jsonl", ".ndjson")
NATIVE_SUFFIXES = (".jsonl", ".parquet")
SUFFIXES = (*_LINES, ".json", *_TABLES, ".parquet", *SHEET_SUFFIXES)
_PACKED = (".zip", ".zst", ".bz2", ".xz", ".7z", ".tar", ".tgz", ".rar")
_ROWS_AT_ONCE = 1024
_BYTES_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Row:
    """One row of data.

    Attributes:
        place: file (or data set) and row, for messages.
        part: the file's name without its ending, or the part of a data set.
        number: counted from 1; in tables as a spreadsheet counts, the header being row 1.
        values: what the row holds; a `UserError` where that cannot be read.
        key: the row's own name where a file holds rows by their names.
        table: every row of the file has the same columns.
        decimals: of a table's columns, how their numbers are written.
    """

    place: str
    part: str
    number: int
    values: Any
    key: str | None = None
    table: bool = False
    decimals: Mapping[str, Decimals] = field(default_factory=dict)


def file_rows(
    path: Path,
    suffixes: Sequence[str] = SUFFIXES,
    *,
    columns: Sequence[str] | None = None,
    inside: str | None = None,
    encoding: str | None = None,
    notes: list[str] | None = None,
) -> Iterator[Row]:
    """The rows of one file, read as they are asked for.

    Args:
        path: the file; its ending, in small or capital letters, with or without ``.gz``, says how it is read.
        suffixes: the endings that are allowed.
        columns: names of the columns of a table without a header.
        inside: dotted path to the rows in a ``.json`` file; the name of the sheet in a workbook.
        encoding: of a text file; None: found out.
        notes: takes sentences about how the file is read, where that is not plain UTF-8 with commas.

    Yields:
        Rows; one that cannot be read carries the fault as its values, and reading goes on after it.

    Raises:
        UserError: the file as a whole cannot be read, or holds no row.
    """
    suffix = _suffix(path)
    if suffix not in suffixes:
        raise UserError(f"{path} is no question file", _other_ending(suffix, suffixes))
    if not path.is_file():
        raise UserError(f"The question file {path} does not exist", "Check the path")
    name = Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem
    found = False
    try:
        if path.stat().st_size:
            reading = _Reading(path, suffix, columns, inside, encoding, notes if notes is not None else [])
            for row in reading.rows(name):
                found = True
                yield row
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error})", "Check the file and its permissions") from error
    if not found:
        raise UserError(
            f"The question file {path} is empty", "Write at least one row into it, below the header of a table"
        )


def _suffix(path: Path) -> str:
    name = Path(path.stem) if path.suffix.lower() == ".gz" else path
    return name.suffix.lower()


def _other_ending(suffix: str, suffixes: Sequence[str]) -> str:
    if suffix in _PACKED:
        return "Unpack it first (only .gz is read as it is)"
    return f"Use a file that ends in {' or '.join(suffixes)}"


@dataclass(frozen=True)
class _Reading:
    path: Path
    suffix: str
    columns: Sequence[str] | None
    inside: str | None
    encoding: str | None
    notes: list[str]

    def rows(self, name: str) -> Iterator[Row]:
        if self.suffix == ".parquet":
            for number, values in _parquet_rows(self.path):
                yield Row(self._place(number), name, number, values, table=True)
        elif self.suffix in _TABLES or self.suffix in SHEET_SUFFIXES:
            yield from self._table(name)
        else:
            for number, key, values in self._json():
                yield Row(self._place(number), name, number, values, key)

    def _place(self, number: int) -> str:
        return f"{self.path}, row {number}"

    def _table(self, name: str) -> Iterator[Row]:
        if self.suffix in SHEET_SUFFIXES:
            records, sheet = sheet_records(self.path, self.inside)
            separator = ","
            if sheet is not None:
                self.notes.append(f"Of {self.path} the sheet '{sheet}' is read, the first one; 'rows' names another")
        else:
            records, separator = text_records(self.path, self._text(), self.columns)
            if separator != ("\t" if self.suffix in (".tsv", ".tab") else ","):
                shown = "tabs" if separator == "\t" else f"'{separator}'"
                self.notes.append(f"{self.path} has {shown} between its columns")
        numbered = list(table_rows(self.path, records, self.columns))
        cells: dict[str, list[Any]] = defaultdict(list)
        for _, values in numbered:
            for column, cell in values.items() if isinstance(values, dict) else ():
                cells[column].append(cell)
        written = {column: decimals(found, separator) for column, found in cells.items()}
        for number, values in numbered:
            yield Row(self._place(number), name, number, values, table=True, decimals=written)

    def _json(self) -> Iterable[Entry]:
        if self.suffix == ".json":
            return document_entries(self.path, self._text(), self.inside)
        with self._open() as file:
            start = file.read(_BYTES_AT_ONCE)
        plain = (
            is_utf8(start) and b"\0" not in start and self.encoding is None and (b"\n" in start or b"\r" not in start)
        )
        first, _, more = start.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")
        if plain and not first.startswith(b"[") and (first.rstrip() != b"{" or not more):
            return self._lines()
        try:
            text = self._text().replace("\r\n", "\n").replace("\r", "\n")
        except UserError:
            if self.encoding is not None:
                raise
            return self._lines()  # in no encoding that can be told: each line that is not UTF-8 is a fault
        first_line = next((line for line in text.split("\n") if line.strip()), "")
        if not is_line(first_line):
            try:
                return document_entries(self.path, text, self.inside)
            except UserError:
                pass  # one object a line, then, and this line is damaged
        return line_entries(self.path, text.split("\n"))

    def _lines(self) -> Iterator[Entry]:
        """Lines as they are needed: a file of lines may be larger than memory."""
        with self._open() as file:
            for number, line in enumerate(file, start=1):
                try:
                    entries = line_entries(self.path, [line.decode("utf-8-sig")])
                except UnicodeDecodeError as error:
                    fault = f"{self.path}, row {number}: no valid JSON ({error})"
                    yield number, None, UserError(fault, "Write it in UTF-8, or state data.encoding")
                    continue
                for _, key, values in entries:
                    yield number, key, _placed_at(values, self.path, number)

    def _open(self) -> BinaryIO:
        packed = self.path.suffix.lower() == ".gz"
        return cast(BinaryIO, gzip.open(self.path) if packed else self.path.open("rb"))

    def _text(self) -> str:
        with self._open() as file:
            text, name = decoded(self.path, file.read(), self.encoding)
        if name != "utf-8":
            self.notes.append(f"{self.path} is read as {name}" + ("" if self.encoding else "; 'encoding' sets another"))
        return text


def _placed_at(values: Any, path: Path, number: int) -> Any:
    """A fault of a line that was read alone, with the line's own number."""
    if not isinstance(values, UserError):
        return values
    return UserError(values.problem.replace(f"{path}, row 1:", f"{path}, row {number}:", 1), values.remedy)


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
