"""Question files: JSONL and Parquet in the native schema (see `trialign.queries.rows`), read and checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trialign.errors import UserError
from trialign.groups import GroupSet
from trialign.queries.answers import normal_text
from trialign.queries.rows import ROW_KEYS, query_to_row, row_to_query
from trialign.queries.types import Query

__all__ = [
    "ROW_KEYS",
    "check_queries",
    "queries_hash",
    "query_to_row",
    "read_queries",
    "read_query_files",
    "row_to_query",
]


def read_queries(path: Path, groups: GroupSet | None = None) -> tuple[Query, ...]:
    """Read and check one question file.

    Args:
        path: a ``.jsonl`` or ``.parquet`` file.
        groups: the groups in use. When given, a preference query has targets for each of them, or none at all
            where its row names groups of other sets only (``set:group``); names without a set are theirs.

    Raises:
        UserError: the file cannot be read, or a row is wrong; names the file, row and query.
    """
    return read_query_files((path,), groups)


def read_query_files(paths: Iterable[Path], groups: GroupSet | None = None) -> tuple[Query, ...]:
    """Read several question files, in the order given, and check them together; see `read_queries`."""
    rows = [(f"{path}, row {number}", row) for path in paths for number, row in _read_rows(Path(path))]
    queries = tuple(row_to_query(row, groups, place) for place, row in rows)
    check_queries(queries, [place for place, _ in rows])
    return queries


def check_queries(queries: Sequence[Query], places: Sequence[str] | None = None) -> None:
    """Check what only shows across rows: ids are unique, and splits share no cluster and no question.

    Args:
        queries: all queries of a run, of every split.
        places: where each query comes from, for the message; counted from 1 when not given.

    Raises:
        UserError: two rows contradict each other; names both places.
    """
    by_id: dict[str, str] = {}
    by_cluster: dict[str, tuple[str, str]] = {}
    by_question: dict[tuple[str, frozenset[str]], tuple[str, str]] = {}
    for query, place in zip(queries, places or [f"query {n + 1}" for n in range(len(queries))], strict=True):
        if query.query_id in by_id:
            raise UserError(
                f"{place}: the id '{query.query_id}' is taken already, at {by_id[query.query_id]}",
                "Give every query its own id, and name each file once",
            )
        by_id[query.query_id] = place
        split, first = by_cluster.setdefault(query.cluster, (query.split, place))
        if split != query.split:
            raise UserError(
                f"{place}, query '{query.query_id}': cluster '{query.cluster}' is in split "
                f"'{query.split}' here and in '{split}' at {first}",
                "Put all queries of a cluster into one split",
            )
        question = normal_text(query.question), frozenset(query.options)
        split, first = by_question.setdefault(question, (query.split, place))
        if split != query.split:
            raise UserError(
                f"{place}, query '{query.query_id}': the same question is in split '{query.split}' here "
                f"and in '{split}' at {first}",
                "Keep it in one split only",
            )


def queries_hash(queries: Iterable[Query]) -> str:
    """SHA-256, as 64 hex digits, of all rows in the order of their ids; the order of files is no matter."""
    rows = [query_to_row(query) for query in sorted(queries, key=lambda query: query.query_id)]
    for row in rows:
        # Later than the first hashes: where it is absent, they hold.
        if row["folk"] is None:
            del row["folk"]
    canonical = json.dumps(rows, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _read_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Numbered rows of a file, from 1; blank lines of JSONL are skipped but counted."""
    readers = {".jsonl": _jsonl_rows, ".parquet": _parquet_rows}
    if path.suffix not in readers:
        raise UserError(f"{path} is no question file", f"Use a file that ends in {' or '.join(readers)}")
    if not path.is_file():
        raise UserError(f"The question file {path} does not exist", "Check the path")
    found = False
    for number, row in readers[path.suffix](path):
        found = True
        yield number, row
    if not found:
        raise UserError(f"The question file {path} is empty", "Write at least one row into it")


def _jsonl_rows(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error})", "Check the file and its permissions") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield number, json.loads(line.decode("utf-8-sig"))
            except (ValueError, RecursionError) as error:
                raise UserError(
                    f"{path}, row {number}: no valid JSON ({error})",
                    "Write one complete JSON object a line, in UTF-8",
                ) from error


def _parquet_rows(path: Path) -> Iterator[tuple[int, Any]]:
    if path.stat().st_size == 0:
        return
    try:
        rows = pq.read_table(path).to_pylist(maps_as_pydicts="strict")
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} is no complete Parquet file ({error})", "Write or copy the file again") from error
    yield from enumerate(rows, start=1)
