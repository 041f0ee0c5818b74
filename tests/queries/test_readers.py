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
from trialign.groups import GroupSet, SocialGroup
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
