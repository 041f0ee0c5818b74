"""Forms of public sets: where options, passage and the right answer stand, and keys that count in two ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trialign.queries import TruthQuery
from trialign.queries.readers import Reading, read_data
from trialign.queries.sources import FieldMap, SourceConfig

pytestmark = pytest.mark.unit

NAN = float("nan")


def read(folder: Path, rows: list[dict[str, Any]], answer_kind: Any = "choice", **fields: Any) -> Reading:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    source = SourceConfig(
        name="s", path=str(file), split="test", answer_kind=answer_kind, map=FieldMap(**{"question": "q", **fields})
    )
    return read_data([source], None, 99)


def only(reading: Reading) -> TruthQuery:
    assert [fault.problem for fault in reading.faults] == []
    (query,) = reading.queries
    assert isinstance(query, TruthQuery)
    return query


def problems(reading: Reading) -> list[str]:
    return [f"{fault.problem} / {fault.remedy}" for fault in reading.faults]


# Options


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (["water", "sand"], {}),
        ('["water", "sand"]', {}),
        ("['water', 'sand']", {}),
        ("['water' 'sand']", {}),
        ("['water'\n 'sand']", {}),
        ({"A": "water", "B": "sand"}, {}),
        ({"A": "water", "B": "sand", "C": None}, {}),
        ('{"A": "water", "B": "sand"}', {}),
        ("{'A': 'water', 'B': 'sand'}", {}),
        ("water; sand", {"separator": ";"}),
        ("water|sand", {"separator": "|"}),
        ({"text": ["water", "sand"], "label": ["A", "B"]}, {}),
        ([{"label": "A", "text": "water"}, {"label": "B", "text": "sand"}], {}),
        ("{'text': array(['water', 'sand'], dtype=object), 'label': array(['A', 'B'], dtype=object)}", {}),
        (
            "{'text': array(['water', 'sand'], dtype=object), 'label': array(['A', 'B'], dtype=object)}",
            {"options": "o.text", "labels": "o.label"},
        ),
        (["A) water", "B) sand"], {}),
        (["A: water", "B: sand"], {}),
        (["(A) water", "(B) sand"], {}),
        (["a ) water", "b ) sand"], {}),
        (["1) water", "2) sand"], {}),
    ],
)
def test_options_in_every_form(tmp_path: Path, options: Any, fields: dict[str, Any]) -> None:
    labelled = {"options": "o", "gold": "a", "gold_as": "label", **fields}
    query = only(read(tmp_path, [{"q": "Which is ice?", "o": options, "a": "A"}], **labelled))
    assert (set(query.options), query.gold) == ({"water", "sand"}, "water")


def test_the_labels_of_a_mapping_are_its_own_in_their_order(tmp_path: Path) -> None:
    row = {"q": "Which is ice?", "o": {"2": "sand", "1": "water"}, "a": 1}
    assert only(read(tmp_path, [row], options="o", gold="a", gold_as="label")).gold == "water"
    assert only(read(tmp_path, [{**row, "a": 0}], options="o", gold="a", gold_as="index")).gold == "sand"


def test_a_struct_of_parquet_keeps_its_order(tmp_path: Path) -> None:
    rows = [{"q": "Which is ice?", "o": {"B": "sand", "A": "water", "C": None}, "a": "A"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    fields = FieldMap(question="q", options="o", gold="a", gold_as="label")
    source = SourceConfig(name="s", path=str(tmp_path / "x.parquet"), split="test", shuffle=False, map=fields)
    query = only(read_data([source], None, 9))
    assert (query.options, query.gold) == (("sand", "water"), "water")


def test_initials_are_no_letters(tmp_path: Path) -> None:
    row = {"q": "Who?", "o": ["A. Lincoln", "B. Obama"], "a": "A. Lincoln"}
    assert set(only(read(tmp_path, [row], options="o", gold="a")).options) == {"A. Lincoln", "B. Obama"}
    row = {"q": "Who?", "o": ["A) one", "B) two", "C) three"], "a": "B) two"}
    reading = read(tmp_path, [row], options="o", gold="a")
    assert only(reading).gold == "two"
    assert any("1 question(s) of s had letters before their options" in note for note in reading.notes)


def test_scores_by_option(tmp_path: Path) -> None:
    row = {"q": "Which is ice?", "o": {"sand": 0, "water": 1}}
    query = only(read(tmp_path, [row], options="o", gold="o", gold_as="flags"))
    assert (set(query.options), query.gold) == ({"water", "sand"}, "water")


def test_a_passage_stands_before_the_question(tmp_path: Path) -> None:
    row = {"q": "Who fell?", "p": " Ann saw Bo fall. ", "o": ["Ann", "Bo"], "a": 1}
    index = {"passage": "p", "options": "o", "gold": "a", "gold_as": "index_from_0"}
    assert only(read(tmp_path, [row], **index)).question == "Ann saw Bo fall.\n\nWho fell?"
    assert only(read(tmp_path, [{**row, "p": None}], **index)).question == "Who fell?"
    assert only(read(tmp_path, [{**row, "p": ["One.", "Two."]}], **index)).question == "One.\nTwo.\n\nWho fell?"
    (found,) = problems(read(tmp_path, [{**row, "p": {"x": 1}}], **index))
    assert "row 1: the passage, 'p', is {'x': 1}, not a text" in found


# The right answer


@pytest.mark.parametrize(
    ("key", "gold"),
    [
        (True, "Yes"),
        (False, "No"),
        (1, "Yes"),
        (0, "No"),
        (0.0, "No"),
        ("true", "Yes"),
        (" FALSE ", "No"),
        ("yes", "Yes"),
        ("n", "No"),
    ],
)
@pytest.mark.parametrize("options", [("Yes", "No"), ("No", "Yes"), ("True", "False")])
def test_a_key_of_true_and_false(tmp_path: Path, key: Any, gold: str, options: tuple[str, str]) -> None:
    reading = read(tmp_path, [{"q": "Is ice cold?", "a": key}], fixed_options=options, gold="a", gold_as="true_false")
    assert only(reading).gold == ({"Yes": "True", "No": "False"}[gold] if "True" in options else gold)


def test_the_first_of_two_options_is_true_where_their_words_do_not_say(tmp_path: Path) -> None:
    fields: dict[str, Any] = {"fixed_options": ("it is", "it is not"), "gold": "a", "gold_as": "true_false"}
    assert only(read(tmp_path, [{"q": "Is ice cold?", "a": True}], **fields)).gold == "it is"
    assert only(read(tmp_path, [{"q": "Is ice cold?", "a": "false"}], **fields)).gold == "it is not"
    (found,) = problems(read(tmp_path, [{"q": "Is ice cold?", "a": "perhaps"}], **fields))
    assert "the right answer is 'perhaps', neither true nor false" in found


def test_truth_without_options_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (found,) = problems(read(tmp_path, [{"q": "Is ice cold?", "a": True}], "text", gold="a"))
    assert 'fixed_options: ["Yes", "No"]' in found
    row = {"q": "Is ice cold?", "a": True, "o": ["no", "yes"]}
    assert only(read(tmp_path, [row], options="o", gold="a")).gold == "yes"


def test_fixed_options_by_index_and_by_text(tmp_path: Path) -> None:
    row = {"q": "Does it follow?", "a": 2}
    three = ("entails", "says nothing", "contradicts")
    assert only(read(tmp_path, [row], fixed_options=three, gold="a", gold_as="index_from_0")).gold == "contradicts"
    assert only(read(tmp_path, [{**row, "a": "Entails"}], fixed_options=three, gold="a")).gold == "entails"


@pytest.mark.parametrize(
    "key", ["b", "B", "(B)", "b)", "B.", "[b]", " B ", "Option B", "**B**", "Ｂ", "B) sand", "(b) Sand"]
)
def test_a_label_in_every_spelling(tmp_path: Path, key: str) -> None:
    row = {"q": "Which is dry?", "o": ["water", "sand"], "a": key}
    assert only(read(tmp_path, [row], options="o", gold="a", gold_as="label")).gold == "sand"


@pytest.mark.parametrize("key", ["C", "AB", "", "B) water", "1", 1, "Bb", "-"])
def test_a_label_that_names_no_option(tmp_path: Path, key: Any) -> None:
    row = {"q": "Which is dry?", "o": ["water", "sand"], "a": key}
    (found,) = problems(read(tmp_path, [row], options="o", gold="a", gold_as="label"))
    assert "row 1" in found
    assert ("index_from_1" in found) is (key in ("1", 1))


@pytest.mark.parametrize("key", ["Sand", " sand ", "SAND", "s\u00e4nd", "sa\u0308nd"])
def test_a_text_that_differs_in_case_blanks_or_composition(tmp_path: Path, key: str) -> None:
    dry = "sänd" if ("nd" in key and "\u00e4" in key) or "\u0308" in key else "sand"
    row = {"q": "Which is dry?", "o": ["water", dry], "a": key}
    assert only(read(tmp_path, [row], options="o", gold="a")).gold == dry


def test_a_text_that_fits_two_options_or_none(tmp_path: Path) -> None:
    row = {"q": "Which unit?", "o": ["mW", "MW"], "a": "mw"}
    (found,) = problems(read(tmp_path, [row], options="o", gold="a"))
    assert "the gold answer 'mw' is not among the options" in found
    assert only(read(tmp_path, [{**row, "a": "MW"}], options="o", gold="a")).gold == "MW"
    (found,) = problems(read(tmp_path, [{**row, "a": "b"}], options="o", gold="a"))
    assert "set gold_as to label" in found
    (found,) = problems(read(tmp_path, [{**row, "a": 1}], options="o", gold="a"))
    assert "index_from_0 or index_from_1" in found


@pytest.mark.parametrize("key", [1, 1.0, "1", "1.0", " 1 "])
def test_an_index_in_every_spelling(tmp_path: Path, key: Any) -> None:
    row = {"q": "Which is dry?", "o": ["water", "sand"], "a": key}
    assert only(read(tmp_path, [row], options="o", gold="a", gold_as="index_from_0")).gold == "sand"
    assert only(read(tmp_path, [row], options="o", gold="a", gold_as="index_from_1")).gold == "water"


@pytest.mark.parametrize("key", ["[true, false]", [True, False], [1, 0], [1.0, 0.0], "[1 0]", {"x": True, "y": False}])
def test_marks_in_every_form(tmp_path: Path, key: Any) -> None:
    row = {"q": "Which is wet?", "o": ["water", "sand"], "a": key}
    assert only(read(tmp_path, [row], options="o", gold="a", gold_as="flags")).gold == "water"


def quiz(keys: list[int], count: int = 4) -> list[dict[str, Any]]:
    return [{"q": f"Which, {n}?", "o": [f"thing {k}" for k in range(count)], "a": key} for n, key in enumerate(keys)]


INDEX: dict[str, Any] = {"options": "o", "gold": "a", "gold_as": "index"}


def test_keys_that_count_from_one_are_refused_by_name(tmp_path: Path) -> None:
    found = problems(read(tmp_path, quiz([1, 4, 2, 3, 4]), **INDEX))
    assert len(found) == 3
    assert "row 2: the right answer's index is 4" in found[0]
    assert "or set gold_as to index_from_1 where the data count from 1" in found[0]
    beyond = problems(read(tmp_path, quiz([0, 7]), **INDEX))  # no count explains a 7 among four
    assert "Write a number from 0 to 3" in beyond[0]
    assert "index_from_1" not in beyond[0]
    assert "of its 5 right answers none is 0 and 2 of them the number of options" in found[-1]
    reading = read(tmp_path, quiz([1, 4, 2, 3, 4]), **{**INDEX, "gold_as": "index_from_1"})
    assert [query.gold for query in reading.queries if isinstance(query, TruthQuery)] == [
        f"thing {k}" for k in (0, 3, 1, 2, 3)
    ]


def test_keys_that_may_count_from_one_are_never_taken_silently(tmp_path: Path) -> None:
    few = read(tmp_path, quiz([1, 3]), **INDEX)
    assert not few.faults
    assert any("No right answer of s is 0" in note and "index_from_1" in note for note in few.notes)
    # (3/4)^17 < 1 %: as good as impossible for keys from 0.
    many = problems(read(tmp_path, quiz([1, 2, 3] * 6), **INDEX))
    assert len(many) == 1
    assert "index_from_0" in many[0]
    for settled in ("index_from_0", "index_from_1"):
        reading = read(tmp_path, quiz([1, 2, 3] * 6), **{**INDEX, "gold_as": settled})
        assert (reading.faults, reading.notes) == ((), ())
    sound = read(tmp_path, quiz([0, 1, 2, 3] * 6), **INDEX)
    assert (sound.faults, sound.notes) == ((), ())


def test_rows_left_out_do_not_hide_that_keys_count_from_one(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in quiz([1, 2, 3, 4, 4])))
    source = SourceConfig(name="s", path=str(file), split="test", allowed_faults=5, map=FieldMap(question="q", **INDEX))
    (found,) = problems(read_data([source], None, 9))
    assert "Set gold_as to index_from_1" in found


# Free answers


@pytest.mark.parametrize(
    ("row", "fields", "right"),
    [
        ({"a": ["the Moon", "Moon", "the Moon"]}, {}, ["the Moon", "Moon"]),
        ({"a": '["the Moon", "Moon"]'}, {}, ["the Moon", "Moon"]),
        ({"a": "['the Moon' 'Moon']"}, {}, ["the Moon", "Moon"]),
        (
            {"a": {"value": "Moon", "aliases": ["the Moon"]}},
            {"gold": "a.value", "aliases": "a.aliases"},
            ["Moon", "the Moon"],
        ),
        ({"a": "Moon", "x": "the Moon; Luna"}, {"aliases": "x", "separator": ";"}, ["Moon", "the Moon", "Luna"]),
        ({"a": "Moon", "x": "the Moon", "y": ""}, {"aliases": ("x", "y")}, ["Moon", "the Moon"]),
        ({"a": {"text": ["Moon"], "start": [3]}}, {"gold": "a.text"}, ["Moon"]),
        ({"a": "[1, 2]"}, {}, ["[1, 2]"]),
        ({"a": 7}, {}, ["7"]),
    ],
)
def test_several_right_texts(tmp_path: Path, row: dict[str, Any], fields: dict[str, Any], right: list[str]) -> None:
    query = only(read(tmp_path, [{"q": "What is it?", **row}], "text", **{"gold": "a", **fields}))
    assert [query.gold, *query.aliases] == right


def test_a_tolerance_of_the_row_or_of_all_rows(tmp_path: Path) -> None:
    row = {"q": "How much?", "a": 3.5, "t": "0.25"}
    assert only(read(tmp_path, [row], "numeric", gold="a", tolerance="t")).tolerance == 0.25
    assert only(read(tmp_path, [row], "numeric", gold="a", tolerance=0.5)).tolerance == 0.5
    assert only(read(tmp_path, [{**row, "t": NAN}], "numeric", gold="a", tolerance="t")).tolerance == 0
    assert only(read(tmp_path, [{**row, "t": 0}], "numeric", gold="a", tolerance="t")).tolerance == 0
    (found,) = problems(read(tmp_path, [{**row, "t": "little"}], "numeric", gold="a", tolerance="t"))
    assert "'t' is 'little', not a number" in found
    (found,) = problems(read(tmp_path, [{**row, "t": -1}], "numeric", gold="a", tolerance="t"))
    assert "'tolerance' is -1" in found


# What is missing


COLUMNS: dict[str, Any] = {"options": ("A", "B", "C"), "gold": "right", "gold_as": "label", "topic": "t"}
SOUND: dict[str, Any] = {"q": "Which is cold?", "A": "ice", "B": "fire", "C": "sun", "right": "A", "t": "heat"}


@pytest.mark.parametrize("nothing", [NAN, None, ""])
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_what_pandas_writes_for_nothing_is_nothing(tmp_path: Path, nothing: Any, suffix: str) -> None:
    def reading(**changes: Any) -> Reading:
        rows = [{**SOUND, **changes}]
        if suffix == "jsonl":
            return read(tmp_path, rows, **COLUMNS)
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
        fields = FieldMap(question="q", **COLUMNS)
        return read_data([SourceConfig(name="s", path=str(tmp_path / "x.parquet"), split="test", map=fields)], None, 9)

    query = only(reading(C=nothing, t=nothing))
    assert (set(query.options), query.topic) == ({"ice", "fire"}, "")
    assert "'question' is missing" in problems(reading(q=nothing))[0]
    assert "the right answer, 'right', is missing" in problems(reading(right=nothing))[0]
    assert "the right answer's label 'C' is not one of ['A', 'B']" in problems(reading(C=nothing, right="C"))[0]
    assert "option" in problems(reading(B=nothing))[0]


def test_nan_inside_a_mapping_is_nothing_too(tmp_path: Path) -> None:
    row = {"q": "Which is cold?", "o": {"A": "ice", "B": "fire", "C": NAN}, "k": {"right": "A"}}
    nested = {"options": "o", "gold": "k.right", "gold_as": "label"}
    assert set(only(read(tmp_path, [row], **nested)).options) == {"ice", "fire"}
    (found,) = problems(read(tmp_path, [{**row, "k": {"right": NAN}}], **nested))
    assert "the right answer, 'k.right', is missing" in found


def test_the_text_nan_stays_a_text_and_is_pointed_at(tmp_path: Path) -> None:
    reading = read(tmp_path, [{**SOUND, "C": "nan"}], **COLUMNS)
    assert set(only(reading).options) == {"ice", "fire", "nan"}
    assert any("read 'nan' 1: is an empty cell meant?" in note for note in reading.notes)


def test_nan_in_a_native_file_is_missing(tmp_path: Path) -> None:
    row = {"id": "a", "split": "test", "kind": "truth", "question": "Cold?", "options": ["ice", "sun"], "gold": "ice"}
    (tmp_path / "a.jsonl").write_text(json.dumps({**row, "topic": NAN, "folk": NAN}))
    query = only(read_data([tmp_path / "a.jsonl"], None, 9))
    assert (query.topic, query.folk) == ("", None)
    (tmp_path / "a.jsonl").write_text(json.dumps({**row, "gold": NAN}))
    assert "'gold' is missing" in problems(read_data([tmp_path / "a.jsonl"], None, 9))[0]
