"""Rows and files that cannot be read are refused by their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trialign.errors import UserError
from trialign.queries.readers import (
    read_queries,
)

from .test_readers import FOLK, GROUPS, MIXED, NUMERIC, PREFERENCE, TEXT, TRUTH, without, write_jsonl, write_parquet

pytestmark = pytest.mark.unit


# (row, what the message says); the row stands on line 2, below TRUTH.
BAD_ROWS: dict[str, tuple[Any, str]] = {
    "no object": ([1, 2], r"row 2: the row is \[1, 2\], not an object"),
    "unknown key": ({**NUMERIC, "answer": 1}, "row 2, query 'n1': the key 'answer' is unknown"),
    "no question": (without(NUMERIC, "question"), "query 'n1': 'question' is missing"),
    "null question": ({**NUMERIC, "question": None}, "'question' is missing"),
    "blank question": ({**NUMERIC, "question": " "}, "'question' is missing"),
    "question no text": ({**NUMERIC, "question": 3}, "'question' holds 3, not a text"),
    "no id": (without(NUMERIC, "id"), "row 2: 'id' is missing"),
    "id no text": ({**NUMERIC, "id": 7}, "'id' holds 7, not a text"),
    "half a character": ({**NUMERIC, "question": "\ud800"}, "'question' holds half of a surrogate pair"),
    "no kind": (without(NUMERIC, "kind"), "'kind' is missing"),
    "unknown kind": ({**NUMERIC, "kind": "fact"}, "'kind' is 'fact'"),
    "no split": (without(NUMERIC, "split"), "'split' is missing"),
    "unknown split": ({**NUMERIC, "split": "dev"}, "'split' is 'dev'"),
    "unknown answer kind": ({**NUMERIC, "answer_kind": ["text"]}, r"'answer_kind' is \['text'\]"),
    "no gold": (without(MIXED, "gold"), "query 'm1': 'gold' is missing"),
    "no numeric gold": (without(NUMERIC, "gold"), "query 'n1': 'gold' is missing"),
    "empty text gold": ({**TEXT, "gold": ""}, "'gold' is missing"),
    "text gold without words": ({**TEXT, "gold": "..."}, "'...' is punctuation only"),
    "no options": (without(MIXED, "options"), r"a choice has 0 option\(s\)"),
    "one option": ({**MIXED, "options": ["Paris"]}, r"a choice has 1 option\(s\)"),
    "options no list": ({**MIXED, "options": "Paris"}, "'options' is 'Paris', not a list"),
    "option no text": ({**MIXED, "options": ["Paris", 3]}, "'options' holds 3, not a text"),
    "empty option": ({**MIXED, "options": ["Paris", " "]}, "an option is empty"),
    "duplicate option": ({**MIXED, "options": ["Paris", "Lyon", "Paris "]}, "option 'Paris ' is there twice"),
    "foreign gold": ({**MIXED, "gold": "paris"}, "gold answer 'paris' is not among the options"),
    "gold no number": ({**NUMERIC, "gold": "many"}, "gold answer 'many' is not a number"),
    "gold two numbers": ({**NUMERIC, "gold": "4 or 5"}, "gold answer '4 or 5' is not a number"),
    "gold not a number": ({**NUMERIC, "gold": float("nan")}, "'gold' is missing"),  # pandas' empty cell
    "gold without end": ({**NUMERIC, "gold": float("inf")}, "gold answer inf is not a number"),
    "gold a truth value": ({**NUMERIC, "gold": True}, "gold answer True is not a number"),
    "negative tolerance": ({**NUMERIC, "tolerance": -1}, "'tolerance' is -1"),
    "endless tolerance": ({**NUMERIC, "tolerance": float("inf")}, "'tolerance' is inf"),
    "text tolerance": ({**NUMERIC, "tolerance": "1"}, "'tolerance' is '1'"),
    "unused targets": ({**MIXED, "targets": PREFERENCE["targets"]}, "a mixed query has no 'targets'"),
    "unused forms": ({**NUMERIC, "forms": MIXED["forms"]}, "a truth query has no 'forms'"),
    "unused gold": ({**PREFERENCE, "gold": "Tea"}, "a preference query has no 'gold'"),
    "unused options": ({**NUMERIC, "options": ["1", "2"]}, "a numeric answer has no 'options'"),
    "unused aliases": ({**MIXED, "aliases": ["x"]}, "a choice answer has no 'aliases'"),
    "unused tolerance": ({**TEXT, "tolerance": 1}, "a text answer has no 'tolerance'"),
    "preference in words": (
        {**without(PREFERENCE, "options"), "answer_kind": "text"},
        "a preference query has no options to prefer",
    ),
    "no targets": (without(PREFERENCE, "targets"), "query 'p1': a preference query has no targets"),
    "null targets": ({**PREFERENCE, "targets": {"left": None}}, "a preference query has no targets"),
    "targets no mapping": ({**PREFERENCE, "targets": [[1, 0]]}, r"'targets' is \[\[1, 0\]\], not a mapping"),
    "targets torn": ({**PREFERENCE, "targets": '{"left": [1,'}, "'targets' is no valid JSON"),
    "foreign group": (
        {**PREFERENCE, "targets": {**PREFERENCE["targets"], "up": [1, 0]}},
        "'targets' names the group 'up', which is not among the groups",
    ),
    "missing group": ({**PREFERENCE, "targets": {"left": [1, 0]}}, "the group 'right' has no target"),
    "short target": (
        {**PREFERENCE, "targets": {"left": [1], "right": [1, 0]}},
        r"of 'left' is \[1\], not a list of 2",
    ),
    "target no list": ({**PREFERENCE, "targets": {"left": 1, "right": [1, 0]}}, "of 'left' is 1, not a list"),
    "negative target": (
        {**PREFERENCE, "targets": {"left": [1.5, -0.5], "right": [1, 0]}},
        "other than a prob",
    ),
    "endless target": (
        {**PREFERENCE, "targets": {"left": [float("inf"), 0], "right": [1, 0]}},
        "other than a prob",
    ),
    "huge target": ({**PREFERENCE, "targets": {"left": [10**400, 0], "right": [1, 0]}}, "other than a prob"),
    "target a truth value": (
        {**PREFERENCE, "targets": {"left": [True, 0], "right": [1, 0]}},
        "other than a prob",
    ),
    "target sum": ({**PREFERENCE, "targets": {"left": [0.5, 0.4], "right": [1, 0]}}, "of 'left' sums to 0.9"),
    "form of a foreign group": ({**MIXED, "forms": {"up": {}}}, "'forms' names the group 'up'"),
    "form no mapping": ({**MIXED, "forms": {"left": "short"}}, "the form of 'left' is 'short'"),
    "form key": ({**MIXED, "forms": {"left": {"words": 3}}}, "the form of 'left' is {'words': 3}"),
    "form zero words": ({**MIXED, "forms": {"left": {"max_words": 0}}}, "'max_words' of 'left' is 0"),
    "form half words": ({**MIXED, "forms": {"left": {"min_words": 1.5}}}, "'min_words' of 'left' is 1.5"),
    "foreign folk": ({**FOLK, "folk": "nice"}, "the folk answer 'nice' is not among the options"),
    "folk gold": ({**FOLK, "folk": "Paris"}, "the folk answer 'Paris' is the gold answer"),
    "folk no text": ({**FOLK, "folk": 3}, "'folk' holds 3, not a text"),
    "folk of a number": ({**NUMERIC, "folk": "41"}, "a numeric answer has no 'folk'"),
    "folk of a text": ({**TEXT, "folk": "Pierre Curie"}, "a text answer has no 'folk'"),
    "folk of a taste": ({**PREFERENCE, "folk": "Tea"}, "a preference query has no 'folk'"),
    "misspelt shipped set": (
        {**PREFERENCE, "targets": {"politic:liberal": [1, 0]}},
        r"'targets' names the set of groups 'politic', which is not known\. Did you mean 'politics'\?",
    ),
    "misspelt set in use": (
        {**MIXED, "forms": {**MIXED["forms"], "side:left": {}}},
        r"'forms' names the set of groups 'side', which is not known\. Did you mean 'sides'\?",
    ),
    "no set before the colon": ({**PREFERENCE, "targets": {":left": [1, 0]}}, "set of groups '', .* before the colon"),
    "foreign group of the set": (
        {**PREFERENCE, "targets": {"sides:up": [1, 0]}},
        r"names the group 'sides:up', which is not among the groups\. Use the names of the groups: left, right",
    ),
    "no group after the colon": ({**PREFERENCE, "targets": {"sides:": [1, 0]}}, "names the group 'sides:'"),
    "two entries of a group": (
        {**PREFERENCE, "targets": {**PREFERENCE["targets"], "sides:left": [1, 0]}},
        "'targets' has two entries for the group 'left'",
    ),
    "missing group of the set": (
        {**PREFERENCE, "targets": {"sides:left": [1, 0], "politics:liberal": [0, 1]}},
        "the group 'right' has no target",
    ),
    "missing form": ({**MIXED, "forms": {"left": {"max_words": 5}}}, "the group 'right' has no form. Give every group"),
    "form crossed grades": (
        {**MIXED, "forms": {"left": {"min_grade": 8, "max_grade": 7.5}}},
        r"asks for grade of at least 8 and at most 7\.5",
    ),
    "form endless grade": ({**MIXED, "forms": {"left": {"max_grade": float("inf")}}}, "'max_grade' of 'left' is inf"),
    "form grade in words": ({**MIXED, "forms": {"left": {"min_grade": "eighth"}}}, "'min_grade' of 'left' is 'eighth'"),
    "form spelling": ({**MIXED, "forms": {"left": {"spelling": "oxford"}}}, "the spelling of 'left' is 'oxford'"),
    "form units": ({**MIXED, "forms": {"left": {"units": ["us"]}}}, r"the units of 'left' is \['us'\]"),
    "form crossed": (
        {**MIXED, "forms": {"left": {"min_words": 3, "max_words": 2}}},
        "at least 3 and at most 2",
    ),
    "form layout": ({**MIXED, "forms": {"left": {"layout": "table"}}}, "the layout of 'left' is 'table'"),
    "duplicate id": ({**MIXED, "id": "t1"}, r"row 2: the id 't1' is taken already, at .*a\.jsonl, row 1"),
    "cluster in two splits": (
        {**MIXED, "cluster": "t1", "split": "test"},
        r"row 2, query 'm1': cluster 't1' is in split 'test' here and in 'train' at .*row 1",
    ),
    "question in two splits": (
        {
            **TRUTH,
            "id": "t2",
            "split": "test",
            "question": " what is the  capital of France",
            "options": ["Lyon", "Paris"],
        },
        r"row 2, query 't2': the same question is in split 'test' here and in 'train' at .*row 1",
    ),
}


@pytest.mark.parametrize(("row", "message"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_bad_rows_are_refused_with_their_place(tmp_path: Path, row: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_queries(write_jsonl(tmp_path / "a.jsonl", TRUTH, row), GROUPS)
    assert "a.jsonl, row 2" in caught.value.problem
    assert caught.value.remedy


def test_bad_rows_of_parquet_are_named_too(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [TRUTH, {**TRUTH, "id": "t2", "gold": "Rome"}])
    with pytest.raises(UserError, match=r"a\.parquet, row 2, query 't2': the gold answer 'Rome'"):
        read_queries(path)


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(TRUTH)[:-9].encode(),
        b"{'id': 1}",
        b"\xff\xfe",
        b'{"id": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
    ],
    ids=["torn", "quotes", "no UTF-8", "endless number", "deep"],
)
def test_a_torn_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(json.dumps(TRUTH).encode() + b"\n" + line)
    with pytest.raises(UserError, match=r"a\.jsonl, row 2: no valid JSON"):
        read_queries(path)


def test_torn_parquet(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [TRUTH])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"a\.parquet is no complete Parquet file"):
        read_queries(path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_missing_and_empty_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=f"{name} does not exist"):
        read_queries(tmp_path / name)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError, match=f"{name} is empty"):
        read_queries(tmp_path / name)


def test_files_without_rows_are_empty(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n \n")
    pq.write_table(pa.table({"id": pa.array([], pa.string())}), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        with pytest.raises(UserError, match="is empty"):
            read_queries(tmp_path / name)


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.csv is no question file"):
        read_queries(tmp_path / "a.csv")
