"""Mutated tables and JSON at the door: questions, or faults that name file and row; never a traceback."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trialign.errors import UserError
from trialign.queries import TruthQuery
from trialign.queries.readers import read_data
from trialign.queries.sources import FieldMap, SourceConfig
from trialign.queries.unanswered import read_unanswered, typed_questions

ROWS: list[dict[str, Any]] = [
    {
        "q": "Was heißt Käse?",
        "A": "cheese",
        "B": "glass",
        "C": "Both (a) and (b)",
        "right": "A",
        "n": 3.5,
        "f": [1, 0, 0],
    },
    {"q": "水在多少度沸腾?", "A": "100 °C", "B": "50, perhaps", "C": None, "right": "b", "n": 2, "f": [True, False]},
    {"q": 'Which "one"; is\nit?', "A": "red", "B": "blue", "C": "All", "right": "C", "n": "1,5", "f": "[0 1 0]"},
]
COLUMNS = FieldMap(question="q", options=("A", "B", "C"), gold="right", gold_as="label", topic="t")
MAPS: tuple[tuple[Any, FieldMap], ...] = (
    ("choice", COLUMNS),
    ("choice", FieldMap(question="q", options="o", gold="right", gold_as="label", passage="p")),
    ("choice", FieldMap(question="q", options=("A", "B", "C"), gold="n", gold_as="index")),
    ("choice", FieldMap(question="q", options=("A", "B", "C"), gold="f", gold_as="flags")),
    ("choice", FieldMap(question="q", fixed_options=("Yes", "No"), gold="n", gold_as="true_false")),
    ("text", FieldMap(question="q", gold="A", aliases=("B", "o"), separator=";")),
    ("numeric", FieldMap(question="q", gold="n", tolerance="t")),
)
ENCODINGS = (
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "latin-1",
    "cp1252",
    "gb18030",
    "shift_jis",
)
PIECES = (
    b"",
    b'"',
    b"'",
    b"\n",
    b"\r",
    b"\r\n",
    b",",
    b";",
    b"\t",
    b"|",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\\",
    b"\\ud800",
    b"\0",
    b"\xff",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
    b"NaN",
    b"Infinity",
    b"1e999",
    b"sep=;\n",
    b"\x80\x81",
    b"=1+1",
    b"null",
    b"[" * 3000,
)


def table(chance: random.Random) -> bytes:
    separator = chance.choice(",;\t|")
    lines = [separator.join(ROWS[0])]
    for row in ROWS:
        cells = ["" if cell is None else str(cell) for cell in row.values()]
        lines.append(
            separator.join('"' + cell.replace('"', '""') + '"' if chance.random() < 0.9 else cell for cell in cells)
        )
    return chance.choice(["\n", "\r\n", "\r"]).join(lines).encode(chance.choice(ENCODINGS), "replace")


def objects(chance: random.Random) -> bytes:
    rows = [{**row, "o": chance.choice([["a", "b"], {"A": "a", "B": "b"}, "['a' 'b']", None, 3, [[]]])} for row in ROWS]
    shapes: list[Any] = [
        rows,
        {"data": rows},
        {str(n): row for n, row in enumerate(rows)},
        {"q": ["x"], "right": ["A"]},
        rows[0],
    ]
    ascii_only = chance.random() < 0.5
    text = json.dumps(chance.choice(shapes), ensure_ascii=ascii_only, indent=chance.choice([None, 1]))
    if chance.random() < 0.5:
        text = "\n".join(json.dumps(row, ensure_ascii=ascii_only) for row in rows)
    return text.encode(chance.choice(ENCODINGS), "replace")


def parquet(chance: random.Random) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{"q": row["q"], "A": row["A"], "right": row["right"]} for row in ROWS]), file)
    return file.getvalue()


def mutated(chance: random.Random, data: bytes) -> bytes:
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3, 8])):
        at = chance.randrange(len(data) + 1)
        how = chance.randrange(5)
        if how == 0:
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        elif how == 1:
            data = data[:at] + data[at + chance.randrange(1, 9) :]
        elif how == 2:
            data = data[:at] + chance.choice(PIECES) + data[at:]
        elif how == 3:
            data = data[:at]
        else:
            data = data[:at] + data[: chance.randrange(60)] + data[at:]
    return data


MAKERS = {
    ".csv": table, ".tsv": table, ".txt": table, ".TAB": table, ".json": objects, ".jsonl": objects, ".ndjson": objects,
    ".parquet": parquet,
}  # fmt: skip


def check(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    suffix = chance.choice(list(MAKERS))
    data = mutated(chance, MAKERS[suffix](chance))
    if chance.random() < 0.1:
        data, suffix = mutated(chance, gzip.compress(data)), f"{suffix}.gz"
    file = folder / f"rows{suffix}"
    file.write_bytes(data)
    kind, fields = chance.choice(MAPS)
    stated = chance.choice([None, None, None, "utf-8", "cp1252", "utf-16", "shift_jis", "utf-7"])
    source = SourceConfig(name="s", path=str(file), split="test", map=fields, answer_kind=kind, encoding=stated)
    reading = read_data([source], None, 1000)
    for fault in reading.faults:
        assert re.search(rf"{re.escape(str(file))}|The source 's'", fault.problem), fault.problem
        assert fault.remedy
    for query in reading.queries:
        assert isinstance(query, TruthQuery)
        assert query.gold in query.options if query.options else query.gold
        json.dumps([query.question, *query.options, query.gold], ensure_ascii=False).encode()
    native = read_data([file], None, 1000) if suffix in (".jsonl", ".parquet") else None
    assert native is None or all(fault.remedy for fault in native.faults)
    for read in (
        lambda: read_unanswered(file, chance.choice([None, FieldMap("q", ("A", "B"))])),
        lambda: typed_questions(data),
    ):
        try:
            assert all(query.question.strip() for query, _ in read())
        except UserError as error:
            assert re.search(rf"{re.escape(str(file))}|standard input", error.problem)  # noqa: PT017
            assert error.remedy  # noqa: PT017


@pytest.mark.unit
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9))
def test_a_mutated_file_is_read_or_refused_by_name(tmp_path: Path, seed: int) -> None:
    check(tmp_path, seed)


@pytest.mark.slow
def test_10000_mutated_files(tmp_path: Path) -> None:
    for seed in range(10_000):
        check(tmp_path, seed)
