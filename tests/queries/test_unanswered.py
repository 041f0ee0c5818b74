"""Questions to be answered: every kind of file, lines of text, options where there are some, and faults by row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trialign.errors import UserError
from trialign.queries.sources import FieldMap
from trialign.queries.unanswered import read_unanswered, typed_questions

pytestmark = pytest.mark.unit

ROW: dict[str, Any] = {"id": "1", "question": "Which is ice?", "options": ["water", "sand"]}
OPEN = {"question": "What is ice?"}


def read(folder: Path, name: str, content: bytes | str, fields: FieldMap | None = None) -> list[tuple[Any, ...]]:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return said(read_unanswered(folder / name, fields))


def said(found: Any) -> list[tuple[Any, ...]]:
    return [(query.query_id, query.question, query.options) for query, _ in found]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", json.dumps(ROW)),
        ("a.JSONL", json.dumps(ROW)),
        ("a.json", json.dumps([ROW])),
        ("b.json", json.dumps(ROW) + "\n"),
        ("a.csv", 'id,question,options\n1,Which is ice?,"[""water"", ""sand""]"\n'),
        ("b.csv", "id;Question;A;B\n1;Which is ice?;water;sand\n"),
        ("c.csv", "ID,question ,a,b,c\n1,Which is ice?,water,sand,\n"),
        ("a.tsv", "id\tquestion\tA\tB\n1\tWhich is ice?\twater\tsand\n"),
        ("a.txt", "id\tquestion\tA\tB\n1\tWhich is ice?\twater\tsand\n"),
        ("c.jsonl", json.dumps({**ROW, "kind": "truth", "split": "test", "gold": "water", "other": {"x": 1}})),
        ("d.jsonl", json.dumps({**ROW, "options": {"A": "water", "B": "sand"}})),
    ],
)
def test_every_file_gives_the_same_question(tmp_path: Path, name: str, text: str) -> None:
    assert read(tmp_path, name, text) == [("1", "Which is ice?", ("water", "sand"))]


def test_parquet_and_other_encodings(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([ROW]), tmp_path / "a.parquet")
    assert said(read_unanswered(tmp_path / "a.parquet")) == [("1", "Which is ice?", ("water", "sand"))]
    assert read(tmp_path, "a.csv", "question\nWas heißt Käse?\n".encode("cp1252")) == [("2", "Was heißt Käse?", ())]
    assert read(tmp_path, "a.txt", "Was ist Eis?\nWas heißt Käse?\n".encode("utf-16"))[1][1] == "Was heißt Käse?"
    (tmp_path / "b.csv").write_bytes("question\nвода?\n".encode("cp1251"))
    assert said(read_unanswered(tmp_path / "b.csv", encoding="cp1251"))[0][1] == "вода?"


@pytest.mark.parametrize(
    "options", [{}, {"options": []}, {"options": None}, {"options": ""}, {"options": float("nan")}]
)
def test_without_options_a_question_is_open_and_named_by_its_row(tmp_path: Path, options: dict[str, Any]) -> None:
    lines = (
        f"\n{json.dumps({**OPEN, **options})}\n{json.dumps({**OPEN, 'id': None})}\n{json.dumps({**OPEN, 'id': 7})}\n"
    )
    assert read(tmp_path, "a.jsonl", lines) == [(name, "What is ice?", ()) for name in ("2", "3", "7")]


def test_a_text_file_has_a_question_a_line(tmp_path: Path) -> None:
    text = "\ufeffWhat is ice?\r\n\r\n  Is it cold, or warm?  \r\n"
    assert read(tmp_path, "a.txt", text) == [("1", "What is ice?", ()), ("3", "Is it cold, or warm?", ())]


def test_standard_input_has_questions_or_objects(tmp_path: Path) -> None:
    assert said(typed_questions("What is ice?\nWhat is Käse?\n".encode())) == [
        ("1", "What is ice?", ()),
        ("2", "What is Käse?", ()),
    ]
    assert said(typed_questions(json.dumps(ROW).encode())) == [("1", "Which is ice?", ("water", "sand"))]
    assert said(typed_questions(b'{"not": one\nWhy?')) == [("1", '{"not": one', ()), ("2", "Why?", ())]
    for nothing in (b"", b" \n\n"):
        with pytest.raises(UserError, match="no question in standard input"):
            typed_questions(nothing)


def test_columns_by_other_names(tmp_path: Path) -> None:
    fields = FieldMap("Ask", ("one", "two"), passage="text", id="nr")
    row = {"Ask": "Which?", "one": "water", "two": "sand", "text": "It is wet.", "nr": 4}
    assert read(tmp_path, "a.jsonl", json.dumps(row), fields) == [("4", "It is wet.\n\nWhich?", ("water", "sand"))]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", json.dumps(OPEN) + "\n{", "a.jsonl, row 2: no valid JSON"),
        ("a.jsonl", json.dumps(OPEN) + "\n3", "a.jsonl, row 2: the row is 3, not an object"),
        ("a.jsonl", json.dumps({"id": "x", "kind": "truth"}), "a.jsonl, row 1, query 'x': 'question' is missing"),
        ("a.jsonl", json.dumps({"quest": "Why?"}), "there are: quest"),
        ("a.jsonl", json.dumps({"question": " "}), "a.jsonl, row 1: 'question' is missing"),
        ("a.jsonl", json.dumps({"question": float("nan")}), "a.jsonl, row 1: 'question' is missing"),
        ("a.jsonl", json.dumps({"question": 3}), "a.jsonl, row 1: 'question' holds 3, not a text"),
        ("a.jsonl", json.dumps({**ROW, "options": ["one"]}), "row 1, query '1': a choice has 1 option(s)"),
        ("a.jsonl", json.dumps({**ROW, "options": ["one", "one"]}), "the option 'one' is there twice"),
        ("a.jsonl", json.dumps({**ROW, "options": ["one", None]}), "'options' holds None, not a text"),
        ("a.jsonl", json.dumps({**ROW, "options": "one"}), "row 1: the options, 'options', are 'one', not a list"),
        ("a.jsonl", json.dumps({**ROW, "id": ["x"]}), "'id' holds ['x'], not a text"),
        ("a.jsonl", f"{json.dumps(ROW)}\n{json.dumps(ROW)}", "row 2: the id '1' is taken already, at"),
        ("a.csv", "question\n", "a.csv is empty"),
        ("a.txt", "\n", "There is no question in"),
        ("a.doc", "Why?", "a.doc is no question file"),
    ],
)
def test_a_row_at_fault_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, name, text)
    assert message in caught.value.problem
    assert str(tmp_path / name) in caught.value.problem
    assert caught.value.remedy
