"""Sources of foreign rows: field maps, formats, splits, selection, and what is refused with its place."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trialign.groups import GroupSet, SocialGroup
from trialign.queries import Query, TruthQuery
from trialign.queries.fields import find
from trialign.queries.readers import Reading, queries_hash, read_data, required
from trialign.queries.sources import FieldMap, SourceConfig

pytestmark = pytest.mark.unit

GROUPS = GroupSet("sides", "side", (SocialGroup("left", "Left"), SocialGroup("right", "Right")))

MAP = FieldMap(question="ask", options="choices", gold="right")
SOURCE = SourceConfig(name="mine", map=MAP, split="train", path="rows.jsonl")
ROW: dict[str, Any] = {"ask": "Which is blue?", "choices": ["sky", "grass"], "right": "sky"}


def read(source: SourceConfig, *rows: Any, folder: Path, most_faults: int = 9) -> Reading:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_data([replace(source, path=str(path))], GROUPS, most_faults)


def fault(source: SourceConfig, *rows: Any, folder: Path) -> str:
    (found,) = read(source, *rows, folder=folder).faults
    assert found.remedy
    return found.problem


def gold(query: Query) -> str:
    assert isinstance(query, TruthQuery)
    return query.gold


# Paths


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a", {"b": [{"c": 1}, {"c": 2}]}),
        ("a.b.c", [1, 2]),
        ("a.b.1.c", 2),
        ("a.b.7", None),
        ("a.b.0.d", None),
        ("x.y", "a key with a dot"),
        ("a.b.d", [None, None]),
        ("z", None),
    ],
)
def test_a_path_leads_to_a_value(path: str, found: Any) -> None:
    assert find({"a": {"b": [{"c": 1}, {"c": 2}]}, "x.y": "a key with a dot"}, path) == found


@pytest.mark.parametrize("values", [None, 3, "text", [], ["text"], [["text"]]])
def test_a_path_through_anything_else_leads_nowhere(values: Any) -> None:
    assert not any(find(values, "a.b") or [])


# The right answer


@pytest.mark.parametrize(
    ("fields", "row"),
    [
        ({}, {"right": "sky"}),
        ({}, {"right": " sky "}),
        ({"gold_as": "index"}, {"right": 0}),
        ({"gold_as": "index"}, {"right": "0"}),
        ({"gold_as": "label"}, {"right": "A"}),
        ({"gold_as": "label"}, {"right": "a"}),
        ({"gold_as": "label", "labels": "names"}, {"right": "x", "names": ["x", "y"]}),
        ({"gold_as": "label", "labels": "names"}, {"right": 1, "names": ["1", "2"]}),
        ({"gold_as": "flags"}, {"right": [1, 0]}),
        ({"gold_after": "=>"}, {"right": "sea => sand => sky"}),
        ({"gold_as": "label", "gold_after": "answer is"}, {"right": "The answer is A"}),
        ({"options": ("one", "two", "three")}, {"one": "grass", "two": "sky", "three": ""}),
        ({"options": ("choices.1", "choices.0")}, {}),
    ],
)
def test_the_right_answer_is_found(tmp_path: Path, fields: dict[str, Any], row: dict[str, Any]) -> None:
    source = replace(SOURCE, map=replace(MAP, **fields))
    (query,) = required(read(source, {**ROW, **row}, folder=tmp_path))
    assert gold(query) == "sky"
    assert set(query.options) == {"sky", "grass"}


@pytest.mark.parametrize(
    ("fields", "row", "message"),
    [
        ({}, {"right": None}, "the right answer, 'right', is missing"),
        ({}, {"right": "sea"}, "the gold answer 'sea' is not among the options"),
        ({}, {"right": ["sky"]}, "'gold' holds ['sky'], not a text"),
        ({"gold_as": "index"}, {"right": 2}, "the right answer's index is 2"),
        ({"gold_as": "index"}, {"right": -1}, "the right answer's index is -1"),
        ({"gold_as": "index"}, {"right": True}, "the right answer's index is True"),
        ({"gold_as": "index"}, {"right": "9" * 5000}, "the right answer's index is '999"),
        ({"gold_as": "label"}, {"right": "C"}, "the right answer's label 'C' is not one of ['A', 'B']"),
        ({"gold_as": "label", "labels": "names"}, {"right": "x", "names": ["x", "x"]}, "the right answer's label 'x'"),
        ({"gold_as": "label", "labels": "names"}, {"right": "x", "names": ["x"]}, "the labels are ['x'] for 2 options"),
        ({"gold_as": "flags"}, {"right": [1, 1]}, "the right answer is marked by [1, 1]"),
        ({"gold_as": "flags"}, {"right": [0, 0]}, "the right answer is marked by [0, 0]"),
        ({"gold_as": "flags"}, {"right": [1]}, "the list that marks the right answer is [1], not 2 numbers"),
        ({"gold_after": "#### "}, {}, "the right answer has no '#### ' before it"),
        ({}, {"choices": "sky"}, "the options, 'choices', are 'sky', not a list"),
        ({}, {"choices": ["sky", None]}, "'options' holds None, not a text"),
        ({}, {"choices": ["sky", " sky"]}, "the option 'sky' is there twice"),
        ({"options": ("one", "two", "three")}, {"one": "sky", "two": "", "three": "x"}, "an option is empty"),
        ({"id": "key"}, {}, "'key' is missing"),
        ({"id": "key"}, {"key": ["x"]}, "'id' is ['x']"),
        ({"cluster": "key"}, {"key": {"x": 1}}, "'cluster' is {'x': 1}"),
        ({"source": "key"}, {"key": ["x"]}, "'source' is ['x']"),
        ({"topic": "about"}, {"about": ["x"]}, "'topic' holds ['x'], not a text"),
        ({"question": "asked"}, {}, "'question' is missing"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused(
    tmp_path: Path, fields: dict[str, Any], row: dict[str, Any], message: str
) -> None:
    said = fault(replace(SOURCE, map=replace(MAP, **fields)), {**ROW, **row}, folder=tmp_path)
    assert said.startswith(f"{tmp_path / 'rows.jsonl'}, row 1")
    assert message in said


def test_rows_that_are_no_objects_are_refused(tmp_path: Path) -> None:
    reading = read(SOURCE, ROW, None, 3, [ROW], folder=tmp_path)
    assert [f.problem.split("rows.jsonl, ")[1] for f in reading.faults] == [
        "row 2: the row is None, not an object",
        "row 3: the row is 3, not an object",
        f"row 4: the row is {[ROW]!r}, not an object",
    ]
    assert len(reading.queries) == 1


def test_ids_topics_and_numbers_become_texts(tmp_path: Path) -> None:
    source = replace(SOURCE, map=replace(MAP, id="key", topic="about", cluster="fact", source="book", language="in"))
    row = {"ask": "How many?", "choices": [1, 2.0, 2.5], "right": 2, "key": 7, "about": 1.0, "fact": "f", "book": "B"}
    row["in"] = "fr"
    (query,) = required(read(source, row, folder=tmp_path))
    assert (query.query_id, query.cluster, query.topic, query.language) == ("mine/7", "mine/f", "1", "fr")
    assert set(query.options) == {"1", "2", "2.5"}
    assert gold(query) == "2"
    assert query.source == "B; rows, row 1; options ordered by seed 0"


@pytest.mark.parametrize(("kind", "answer", "expected"), [("numeric", "$1,200", "1200"), ("text", " Curie ", "Curie")])
def test_answers_that_are_not_chosen(tmp_path: Path, kind: Any, answer: str, expected: str) -> None:
    source = replace(SOURCE, map=replace(MAP, options=None), answer_kind=kind)
    (query,) = required(read(source, {"ask": "Who?", "right": answer}, folder=tmp_path))
    assert (gold(query), query.answer_kind, query.source) == (expected, kind, "rows, row 1")


def test_questions_of_equal_content_are_one_cluster(tmp_path: Path) -> None:
    rows = [ROW, {**ROW, "ask": "which is BLUE"}, {**ROW, "choices": ["sky", "sea"]}]
    first, again, other = required(read(SOURCE, *rows, folder=tmp_path))
    assert first.cluster == again.cluster != other.cluster
    assert first.query_id != again.query_id


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("key", ["ask", "choices", "right"])
def test_values_nested_without_end_are_refused(tmp_path: Path, key: str) -> None:
    # As deep as the JSON reader goes, and deeper than a value can be shown.
    assert "row 1" in fault(SOURCE, {**ROW, key: nested(900)}, folder=tmp_path)


# Formats


def test_every_format_gives_the_same_questions(tmp_path: Path) -> None:
    rows = [{**ROW, "ask": f"Which is blue, {n}?", "one": "sky", "two": "grass"} for n in range(3)]
    flat = [{key: row[key] for key in ("ask", "one", "two", "right")} for row in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    (tmp_path / "rows.json").write_text(json.dumps({"data": {"train": rows}}), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    with (tmp_path / "rows.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(flat[0]))
        writer.writeheader()
        writer.writerows(flat)
    hub = tmp_path / "hub"
    hub.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), hub / "train.parquet")
    columns = replace(MAP, options=("one", "two"))
    sources = [
        replace(SOURCE, path=str(tmp_path / "rows.jsonl")),
        replace(SOURCE, path=str(tmp_path / "rows.json"), rows="data.train"),
        replace(SOURCE, path=str(tmp_path / "rows.parquet")),
        replace(SOURCE, path=str(tmp_path / "rows.csv"), map=columns),
        replace(SOURCE, path=None, hub=str(hub), part="train"),
    ]
    # Told apart by name, so that all of them can be read together.
    named = [replace(source, name=f"mine{number}") for number, source in enumerate(sources)]
    queries = required(read_data(named, GROUPS))
    assert len(queries) == 15
    contents = {(q.question, frozenset(q.options), gold(q)) for q in queries}
    assert len(contents) == 3
    # The header is the first row of a CSV file, as in a spreadsheet.
    assert [q.query_id for q in queries if q.query_id.startswith("mine3")] == [f"mine3/rows/{n}" for n in (2, 3, 4)]
    assert queries[12].source == "hub train, row 1; options ordered by seed 0"


def test_a_pattern_of_files_and_topics_from_their_names(tmp_path: Path) -> None:
    for name in ("zoo_dev", "art_dev"):
        row = {**ROW, "ask": f"Which is blue in {name}?"}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row), encoding="utf-8")
    source = replace(SOURCE, path=str(tmp_path / "*.jsonl"), topic_pattern="(.+)_dev")
    assert [(q.query_id, q.topic) for q in required(read_data([source]))] == [
        ("mine/art_dev/1", "art"),
        ("mine/zoo_dev/1", "zoo"),
    ]
    (missing,) = read_data([replace(source, path=str(tmp_path / "*.csv"))]).faults
    assert f"No file matches {tmp_path / '*.csv'}" in missing.problem


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b'ask,right\n"torn', "a.csv, row 2: no valid CSV"),
        ("a.csv", b"ask,right\nWhy,because,so", "a.csv, row 2: 3 fields, and there are 2 columns"),
        # Sound UTF-8 but for one byte.
        (
            "a.csv",
            "ask,right\nÉté où?,là\nWh".encode() + b"y\xff,because",
            "row 3, query 'mine/a/3': 'question' holds half of a surrogate pair",
        ),
        ("a.csv", b"ask,ask\nWhy,because", "two columns have the same name"),
        ("a.csv", b"ask,right\n", "a.csv is empty"),
        ("a.json", b'{"a": 1', "a.json is no valid JSON"),
        ("a.json", b'{"a": 1}', "a.json is no list of rows"),
        ("a.jsonl", b'{"ask": "Why?", "right"', "a.jsonl, row 1: no valid JSON"),
        ("a.parquet", b"PAR1", "a.parquet is no complete Parquet file"),
        ("a.doc", b"Why?", "a.doc is no question file"),
    ],
)
def test_a_torn_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    source = replace(SOURCE, path=str(tmp_path / name), map=FieldMap("ask", gold="right"), answer_kind="text")
    (found,) = read_data([source], None, 9).faults
    assert message in found.problem


def test_reading_goes_on_after_a_torn_row(tmp_path: Path) -> None:
    lines = ["ask,right", '"What" now,because', "When,then", "Who,I,you", "Where,here"]
    (tmp_path / "a.csv").write_text("\n".join(lines), encoding="utf-8")
    source = replace(SOURCE, path=str(tmp_path / "a.csv"), map=FieldMap("ask", gold="right"), answer_kind="text")
    reading = read_data([source], None, 9)
    assert [query.question for query in reading.queries] == ["When", "Where"]
    assert [f.problem.split(": ")[0].rsplit(" ")[-1] for f in reading.faults] == ["2", "4"]


def test_a_hub_data_set_that_is_not_there(tmp_path: Path) -> None:
    source = replace(SOURCE, path=None, hub="nobody/nothing", subset="some", part="train")
    (found,) = read_data([source]).faults
    assert found.problem.startswith("The data set nobody/nothing, some, train was found neither on this machine nor")
    pq.write_table(pa.Table.from_pylist([ROW]), tmp_path / "train.parquet")
    (found,) = read_data([replace(SOURCE, path=None, hub=str(tmp_path), part="test")]).faults
    assert "Bad split: test" in found.problem
    (tmp_path / "train.parquet").unlink()
    (tmp_path / "train.jsonl").write_text("{torn", encoding="utf-8")
    (found,) = read_data([replace(SOURCE, path=None, hub=str(tmp_path), part="train")]).faults
    assert f"{tmp_path}, train" in found.problem


# Splits and selection


def many(count: int) -> list[dict[str, Any]]:
    return [{**ROW, "ask": f"Which is blue, {n // 2}?", "fact": n // 2, "set": "dev"} for n in range(count)]


def test_shares_are_drawn_by_cluster_and_seed(tmp_path: Path) -> None:
    shares = {"train": 0.5, "validation": 0.2, "test": 0.3}
    source = replace(SOURCE, split=None, split_shares=shares, map=replace(MAP, cluster="fact"))
    queries = required(read(source, *many(2000), folder=tmp_path))
    splits = {query.cluster: query.split for query in queries}
    assert all(query.split == splits[query.cluster] for query in queries)
    counts = Counter(splits.values())
    # 1,000 clusters: three standard deviations of a share are below 0.05.
    assert all(abs(counts[split] / 1000 - share) < 0.05 for split, share in shares.items())
    assert required(read(source, *many(2000), folder=tmp_path)) == queries
    assert [q.split for q in required(read(replace(source, seed=1), *many(2000), folder=tmp_path))] != [
        q.split for q in queries
    ]


def test_a_column_may_name_the_split(tmp_path: Path) -> None:
    source = replace(SOURCE, split=None, map=replace(MAP, split="set"), split_names={"dev": "validation"})
    assert {query.split for query in required(read(source, *many(2), folder=tmp_path))} == {"validation"}
    assert "the split is 'dev'" in fault(replace(source, split_names=None), many(1)[0], folder=tmp_path)
    named = {**ROW, "set": "train"}
    assert required(read(replace(source, split_names=None), named, folder=tmp_path))[0].split == "train"
    only = replace(source, split_names=None, evaluation_only=True)
    assert "row 1: the source 'mine' is for evaluation only" in fault(only, named, folder=tmp_path)


def test_what_is_for_evaluation_only_may_be_called_training_in_the_data(tmp_path: Path) -> None:
    """What counts is the split that a row gets here."""
    by_name = replace(SOURCE, split=None, map=replace(MAP, split="set"), split_names={"train": "test"})
    only = replace(by_name, evaluation_only=True)
    named = {**ROW, "set": "train"}
    assert required(read(only, named, folder=tmp_path))[0].split == "test"
    drawn = replace(SOURCE, split=None, split_shares={"train": 0.0, "test": 1.0}, evaluation_only=True)
    assert required(read(drawn, named, folder=tmp_path))[0].split == "test"
    # A name that is not mapped is a split by itself.
    kept = replace(only, split_names={"dev": "test"})
    assert "row 1: the source 'mine' is for evaluation only" in fault(kept, named, folder=tmp_path)
    for splits in ({"split_names": {"dev": "train"}}, {"split_names": {"train": "train"}}):
        assert "is for evaluation only, and its split is 'train'" in fault(replace(only, **splits), folder=tmp_path)


def test_a_limit_keeps_the_first_clusters_and_reads_no_further(tmp_path: Path) -> None:
    source = replace(SOURCE, limit=2)
    rows = [{**ROW, "ask": f"Which is blue, {n}?"} for n in range(4)]
    assert [q.question for q in required(read(source, *rows[:3], 7, folder=tmp_path))] == [
        "Which is blue, 0?",
        "Which is blue, 1?",
    ]
    # Rows of a named cluster may follow anywhere.
    clustered = replace(source, map=replace(MAP, cluster="fact"))
    queries = required(read(clustered, *many(6), many(1)[0], folder=tmp_path))
    assert [query.cluster for query in queries] == ["mine/0", "mine/0", "mine/1", "mine/1", "mine/0"]


def test_a_sample_is_drawn_by_the_seed_whatever_the_order(tmp_path: Path) -> None:
    source = replace(SOURCE, sample=10, map=replace(MAP, cluster="fact", id="key"))
    rows = [{**row, "key": number} for number, row in enumerate(many(200))]
    queries = required(read(source, *rows, folder=tmp_path))
    assert len(queries) == 20
    assert len({query.cluster for query in queries}) == 10
    assert [int(q.query_id.split("/")[1]) for q in queries] == sorted(int(q.query_id.split("/")[1]) for q in queries)
    turned = required(read(source, *rows[::-1], folder=tmp_path))
    assert {query.query_id for query in turned} == {query.query_id for query in queries}
    other = required(read(replace(source, seed=1), *rows, folder=tmp_path))
    assert {query.cluster for query in other} != {query.cluster for query in queries}


def test_every_reading_gives_the_same_hash(tmp_path: Path) -> None:
    first = queries_hash(required(read(SOURCE, ROW, folder=tmp_path)))
    assert queries_hash(required(read(SOURCE, ROW, folder=tmp_path))) == first
    assert queries_hash(required(read(replace(SOURCE, split="test"), ROW, folder=tmp_path))) != first
