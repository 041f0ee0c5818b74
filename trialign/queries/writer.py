"""Question files, written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from trialign.queries.rows import query_to_row
from trialign.queries.types import Query
from trialign.storage import write_text_atomic


def write_queries(path: Path, queries: Sequence[Query]) -> None:
    """Write a question file that ``read_queries`` reads back to the same queries, whole or not at all.

    Args:
        path: ends in ``.jsonl``.
        queries: in the order of the rows.

    Raises:
        OSError: the file cannot be written.
    """
    rows = ({key: value for key, value in query_to_row(query).items() if value is not None} for query in queries)
    write_text_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
