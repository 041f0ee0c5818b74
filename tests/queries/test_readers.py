from __future__ import annotations

import json
import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialign.errors import UserError
from trialign.groups import SHIPPED_SETS, GroupSet, SocialGroup, cross
from trialign.queries import Form, MixedQuery, PreferenceQuery, Query, TruthQuery
from trialign.queries.readers import (
    ROW_KEYS,
    check_queries,
    queries_hash,
    query_to_row,
    read_queries,
    read_query_files,
    row_to_query,
)

pytestmark = pytest.mark.unit

GROUPS = GroupSet("sides", "side", (SocialGroup("left", "Left"), SocialGroup("right", "Right")))
TRUTH: dict[str, Any] = {
    "id": "t1",
    "split": "train",
    "kind": "truth",
    "question": "What is the capital of France?",
    "options": ["Paris", "Lyon"],
    "gold": "Paris",
}
NUMERIC: dict[str, Any] = {
    "id": "n1",
    "split": "train",
    "kind": "truth",
    "question": "How much is 6 times 7?",
    "answer_kind": "numeric",
    "gold": 42,
    "tolerance": 0.5,
}
TEXT: dict[str, Any] = {
    "id": "x1",
    "split": "test",
    "kind": "truth",
    "question": "Who found radium?",
    "answer_kind": "text",
    "gold": "Marie Curie",
    "aliases": ["Curie"],
}
PREFERENCE: dict[str, Any] = {
    "id": "p1",
    "split": "validation",
    "kind": "preference",
    "question": "Tea or coffee?",
    "options": ["Tea", "Coffee"],
    "targets": {"left": [0.25, 0.75], "right": [1, 0]},
}
MIXED: dict[str, Any] = {
    **TRUTH,
    "id": "m1",
    "kind": "mixed",
    "question": "Which city is larger?",
    "cluster": "cities",
    "topic": "geography",
    "source": "atlas",
    "forms": {"left": {"max_words": 5}, "right": {"layout": "list", "min_words": 2}},
}
# Every key that is younger than the others.
FOLK: dict[str, Any] = {
    **TRUTH,
    "id": "f1",
    "kind": "mixed",
    "question": "Which city is older?",
    "options": ["Paris", "Lyon", "Nice"],
    "folk": "Nice",
    "forms": {
        "left": {"max_grade": 6, "spelling": "american", "units": "us"},
        "right": {"min_grade": 9.5, "spelling": "british", "units": "metric"},
    },
}
ROWS = [TRUTH, NUMERIC, TEXT, PREFERENCE, MIXED]
QUERIES = (
    TruthQuery(
        query_id="t1",
        cluster="t1",
        split="train",
        topic="",
        question="What is the capital of France?",
        options=("Paris", "Lyon"),
        gold="Paris",
    ),
    TruthQuery(
        query_id="n1",
        cluster="n1",
        split="train",
        topic="",
        question="How much is 6 times 7?",
        answer_kind="numeric",
        gold="42",
        tolerance=0.5,
    ),
    TruthQuery(
        query_id="x1",
        cluster="x1",
        split="test",
        topic="",
        question="Who found radium?",
        answer_kind="text",
        gold="Marie Curie",
        aliases=("Curie",),
    ),
    PreferenceQuery(
        query_id="p1",
        cluster="p1",
        split="validation",
        topic="",
        question="Tea or coffee?",
        options=("Tea", "Coffee"),
        targets={"left": (0.25, 0.75), "right": (1.0, 0.0)},
    ),
    MixedQuery(
        query_id="m1",
        cluster="cities",
        split="train",
        topic="geography",
        question="Which city is larger?",
        options=("Paris", "Lyon"),
        gold="Paris",
        forms={"left": Form(max_words=5), "right": Form(layout="list", min_words=2)},
        source="atlas",
    ),
)


def write_jsonl(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def without(row: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in keys}


def test_reads_jsonl(tmp_path: Path) -> None:
    assert read_queries(write_jsonl(tmp_path / "a.jsonl", *ROWS), GROUPS) == QUERIES


def test_jsonl_may_have_blank_lines_windows_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n\r\n".join(json.dumps(row).encode() for row in ROWS))
    assert read_queries(path) == QUERIES


def test_row_numbers_count_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{json.dumps(TRUTH)}\n\n{{}}\n")
    with pytest.raises(UserError, match=r"a\.jsonl, row 3: 'kind' is missing"):
        read_queries(path)


def test_a_line_separator_inside_a_text_ends_no_row(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({**TRUTH, "question": "One\u2028two?"}, ensure_ascii=False), encoding="utf-8")
    assert read_queries(path)[0].question == "One\u2028two?"


def test_parquet_round_trip_with_structs(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [query_to_row(query) for query in QUERIES])
    assert read_queries(path, GROUPS) == QUERIES


@pytest.mark.parametrize("absent", [None, "{}", "null"])
def test_parquet_round_trip_with_json_text(tmp_path: Path, absent: str | None) -> None:
    rows = [query_to_row(query) for query in QUERIES]
    for row in rows:
        for key in ("targets", "forms"):
            row[key] = json.dumps(row[key]) if row[key] else absent
    assert read_queries(write_parquet(tmp_path / "a.parquet", rows), GROUPS) == QUERIES


def test_parquet_struct_of_nulls_is_absent(tmp_path: Path) -> None:
    rows = [query_to_row(QUERIES[0]), query_to_row(QUERIES[3])]
    rows[0]["targets"] = {"left": None, "right": None}
    path = write_parquet(tmp_path / "a.parquet", rows)
    assert read_queries(path) == (QUERIES[0], QUERIES[3])


def test_parquet_map_column(tmp_path: Path) -> None:
    row = query_to_row(QUERIES[3])
    targets = pa.array([list(row.pop("targets").items())], pa.map_(pa.string(), pa.list_(pa.float64())))
    table = pa.Table.from_pylist([row]).append_column("targets", targets)
    pq.write_table(table, tmp_path / "a.parquet")
    assert read_queries(tmp_path / "a.parquet", GROUPS) == (QUERIES[3],)


def test_several_files_are_read_in_order_and_checked_together(tmp_path: Path) -> None:
    first = write_jsonl(tmp_path / "a.jsonl", *ROWS[:2])
    second = write_parquet(tmp_path / "b.parquet", [query_to_row(query) for query in QUERIES[2:]])
    assert read_query_files([first, second], GROUPS) == QUERIES
    with pytest.raises(UserError, match=r"a\.jsonl, row 1: the id 't1' .* at .*a\.jsonl, row 1"):
        read_query_files([first, first])


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


EDUCATION = GroupSet("education", "schooling", (SocialGroup("school", "School"), SocialGroup("university", "Uni")))
COUNTRY = GroupSet("country", "country", (SocialGroup("iran", "Iran"), SocialGroup("china", "China")))
BOTH = cross((EDUCATION, COUNTRY))
# Sums of eighths and halves are exact, so means can be compared with ==.
OF_SCHOOLS = {"education:school": [1, 0], "education:university": [0.5, 0.5]}
OF_COUNTRIES = {"country:iran": [0.25, 0.75], "country:china": [0, 1]}


def targets_of(targets: dict[str, list[float]], groups: GroupSet) -> dict[str, tuple[float, ...]]:
    query = row_to_query({**PREFERENCE, "targets": targets}, groups)
    assert isinstance(query, PreferenceQuery)
    return dict(query.targets)


def test_a_row_serves_several_sets_of_groups() -> None:
    targets = {**OF_SCHOOLS, **OF_COUNTRIES, "mine:north": [0, 1]}
    assert targets_of(targets, EDUCATION) == {"school": (1, 0), "university": (0.5, 0.5)}
    assert targets_of(targets, COUNTRY) == {"iran": (0.25, 0.75), "china": (0, 1)}
    query = row_to_query({**PREFERENCE, "targets": targets})
    assert isinstance(query, PreferenceQuery)
    assert set(query.targets) == set(targets)


def test_only_the_entries_of_the_set_in_use_are_checked() -> None:
    assert targets_of({**OF_SCHOOLS, "country:iran": [3]}, EDUCATION) == targets_of(OF_SCHOOLS, EDUCATION)
    with pytest.raises(UserError, match=r"the target of 'country:iran' is \[3\]"):
        targets_of({**OF_SCHOOLS, **OF_COUNTRIES, "country:iran": [3]}, BOTH)


@pytest.mark.parametrize("name", ["mine", "regions", "political", *SHIPPED_SETS])
def test_any_other_set_may_be_named(name: str) -> None:
    assert targets_of({f"{name}:north": [1, 0], "left": [0, 1], "right": [1, 0]}, GROUPS)["left"] == (0, 1)


def test_a_row_of_other_sets_only_has_no_targets() -> None:
    assert targets_of(OF_SCHOOLS, COUNTRY) == {}
    forms = {"education:school": {"max_words": 5}, "education:university": {}}
    query = row_to_query({**MIXED, "forms": forms}, COUNTRY)
    assert isinstance(query, MixedQuery)
    assert query.forms == {}


def test_a_combined_group_has_the_mean_of_its_parts_targets() -> None:
    assert targets_of({**OF_SCHOOLS, **OF_COUNTRIES}, BOTH) == {
        "school-iran": (0.625, 0.375),  # ((1 + 1/4) / 2, (0 + 3/4) / 2)
        "school-china": (0.5, 0.5),
        "university-iran": (0.375, 0.625),
        "university-china": (0.25, 0.75),
    }


def test_a_part_without_targets_adds_nothing() -> None:
    assert targets_of(OF_SCHOOLS, BOTH) == {
        "school-iran": (1, 0),
        "school-china": (1, 0),
        "university-iran": (0.5, 0.5),
        "university-china": (0.5, 0.5),
    }


def test_a_combined_groups_own_target_comes_first() -> None:
    own = {"school-china": [0.125, 0.875], "education-country:university-iran": [0.875, 0.125]}
    found = targets_of({**OF_SCHOOLS, **OF_COUNTRIES, **own}, BOTH)
    assert found["school-china"] == (0.125, 0.875)
    assert found["university-iran"] == (0.875, 0.125)
    assert found["university-china"] == (0.25, 0.75)
    with pytest.raises(UserError, match="the group 'school-iran' has no target"):
        targets_of(own, BOTH)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"education:school": [1, 0], **OF_COUNTRIES}, "the group 'education:university' has no target"),
        (
            {"education:colledge": [1, 0]},
            r"'education:colledge', .* groups: education:school, education:university, country:iran, country:china",
        ),
        ({"school": [1, 0]}, "names the group 'school', which is not among the groups"),
        ({"educaton:school": [1, 0]}, r"Did you mean 'education'\?"),
        ({**OF_COUNTRIES, "country:iran": [1, 1]}, "the target of 'country:iran' sums to 2"),
    ],
)
def test_wrong_targets_of_combined_groups(targets: dict[str, list[float]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        targets_of(targets, BOTH)


def test_a_combined_group_has_the_form_of_its_first_part_that_has_one() -> None:
    schools = {"education:school": {"max_grade": 5}, "education:university": {"min_grade": 9}}
    countries = {"country:iran": {"units": "metric"}, "country:china": {"layout": "list"}}

    def forms_of(forms: dict[str, Any], groups: GroupSet) -> dict[str, Form]:
        query = row_to_query({**MIXED, "forms": forms}, groups)
        assert isinstance(query, MixedQuery)
        return dict(query.forms)

    both = forms_of({**countries, **schools}, BOTH)
    assert both["school-china"] == Form(max_grade=5)
    assert both["university-china"] == Form(min_grade=9)
    assert forms_of(countries, BOTH)["school-china"] == Form(layout="list")
    assert forms_of({**countries, **schools}, cross((COUNTRY, EDUCATION)))["china-school"] == Form(layout="list")
    with pytest.raises(UserError, match="the group 'education:university' has no form"):
        forms_of({**countries, "education:school": {}}, BOTH)


def test_qualified_rows_hash_as_plain_ones() -> None:
    qualified = {f"sides:{group}": target for group, target in PREFERENCE["targets"].items()}
    row = {**PREFERENCE, "targets": {**qualified, **OF_SCHOOLS}}
    assert queries_hash([row_to_query(row, GROUPS)]) == queries_hash([QUERIES[3]])


def test_reads_the_younger_keys() -> None:
    query = row_to_query(FOLK, GROUPS)
    assert isinstance(query, MixedQuery)
    assert query.folk == "Nice"
    assert query.forms == {
        "left": Form(max_grade=6.0, spelling="american", units="us"),
        "right": Form(min_grade=9.5, spelling="british", units="metric"),
    }
    assert row_to_query({**FOLK, "folk": None}) == row_to_query(without(FOLK, "folk"))


def test_the_hash_sees_the_younger_keys_only_where_they_are_set() -> None:
    # Of the three rows as they hashed before there were younger keys.
    older = "d1ff98b862611d511b493b9aca2416efaf7109f5827d2ee3e74541f17abe8585"
    assert queries_hash([QUERIES[0], QUERIES[3], QUERIES[4]]) == older
    for change in ({"folk": "Nice"}, {"folk": None, "forms": {"left": {"units": "us"}}}):
        row = {**FOLK, "folk": None, "forms": {"left": {}}}
        assert queries_hash([row_to_query({**row, **change})]) != queries_hash([row_to_query(row)])


def test_without_groups_any_group_may_be_named() -> None:
    query = row_to_query({**PREFERENCE, "targets": {"north": [0.5, 0.5]}})
    assert isinstance(query, PreferenceQuery)
    assert query.targets == {"north": (0.5, 0.5)}


@pytest.mark.parametrize("total", [1 + 0.9e-4, 1 - 0.9e-4])
def test_rounded_targets_are_accepted(total: float) -> None:
    row_to_query({**PREFERENCE, "targets": {"left": [total - 0.5, 0.5]}})


@pytest.mark.parametrize(
    ("gold", "canonical"),
    [
        (42, "42"),
        (42.0, "42"),
        (1e16, "10000000000000000"),
        ("1,234.50", "1234.5"),
        (Decimal("1E+2"), "100"),
        ("$5", "5"),
    ],
)
def test_numeric_gold_becomes_canonical(gold: Any, canonical: str) -> None:
    query = row_to_query({**NUMERIC, "gold": gold})
    assert isinstance(query, TruthQuery)
    assert query.gold == canonical


def test_same_question_with_other_options_may_be_in_two_splits() -> None:
    other = replace(QUERIES[0], query_id="t2", cluster="t2", split="test", options=("Paris", "Nice"))
    check_queries([QUERIES[0], other])


def test_check_without_places_counts_queries() -> None:
    with pytest.raises(UserError, match="query 2: the id 't1' is taken already, at query 1"):
        check_queries([QUERIES[0], QUERIES[0]])


def test_hash_is_stable_across_order_and_sees_every_change() -> None:
    shuffled = list(QUERIES)
    random.Random(1).shuffle(shuffled)
    assert queries_hash(shuffled) == queries_hash(QUERIES)
    assert len(queries_hash(QUERIES)) == 64
    changed = [replace(QUERIES[0], topic="cities"), *QUERIES[1:]]
    assert queries_hash(changed) != queries_hash(QUERIES)
    assert queries_hash(QUERIES[1:]) != queries_hash(QUERIES)


def test_hash_does_not_depend_on_the_order_of_groups() -> None:
    one = row_to_query({**PREFERENCE, "targets": {"left": [1, 0], "right": [0, 1]}})
    two = row_to_query({**PREFERENCE, "targets": {"right": [0.0, 1.0], "left": [1.0, 0.0]}})
    assert queries_hash([one]) == queries_hash([two])


words = st.text(min_size=1).filter(lambda text: bool(text.strip()))
# The prefix keeps a word in every gold text, and the number keeps all options apart.
option_lists = st.lists(words, min_size=2, max_size=5).map(
    lambda texts: tuple(f"o{n} {t}" for n, t in enumerate(texts))
)
group_names = st.text(min_size=1, max_size=8)
forms = st.builds(
    Form,
    max_words=st.none() | st.integers(50, 99),
    min_words=st.none() | st.integers(1, 49),
    layout=st.sampled_from([None, "list", "prose"]),
    max_grade=st.none() | st.floats(9, 20),
    min_grade=st.none() | st.floats(-3, 8),
    spelling=st.sampled_from([None, "american", "british"]),
    units=st.sampled_from([None, "metric", "us"]),
)


@st.composite
def query_strategy(draw: st.DrawFn) -> Query:
    common: dict[str, Any] = {
        "query_id": draw(words),
        "cluster": draw(words),
        "split": draw(st.sampled_from(["train", "validation", "test"])),
        "topic": draw(st.just("") | words),
        "question": draw(words),
        "source": draw(st.just("") | words),
    }
    kind = draw(st.sampled_from(["truth", "preference", "mixed"]))
    if kind == "preference":
        options = draw(option_lists)
        weights = st.lists(st.integers(1, 9), min_size=len(options), max_size=len(options))
        targets = weights.map(lambda chosen: tuple(weight / sum(chosen) for weight in chosen))
        return PreferenceQuery(
            **common,
            options=options,
            targets=draw(st.dictionaries(group_names, targets, min_size=1, max_size=3)),
        )
    common["answer_kind"] = draw(st.sampled_from(["choice", "numeric", "text"]))
    if common["answer_kind"] == "choice":
        common["options"] = draw(option_lists)
        common["gold"] = draw(st.sampled_from(common["options"]))
        wrong = [option for option in common["options"] if option != common["gold"]]
        common["folk"] = draw(st.none() | st.sampled_from(wrong))
    elif common["answer_kind"] == "numeric":
        common["gold"] = str(draw(st.integers()))
        common["tolerance"] = draw(st.floats(0, 1e300))
    else:
        common["gold"] = "g" + draw(words)
        common["aliases"] = tuple(draw(st.lists(words, max_size=3)))
    if kind == "truth":
        return TruthQuery(**common)
    return MixedQuery(**common, forms=draw(st.dictionaries(group_names, forms, max_size=3)))


@given(query_strategy())
def test_row_round_trip(query: Query) -> None:
    row = query_to_row(query)
    assert tuple(row) == ROW_KEYS
    assert row_to_query(row) == query
    assert row_to_query(json.loads(json.dumps(row))) == query
    assert type(row_to_query(row)) is type(query)
