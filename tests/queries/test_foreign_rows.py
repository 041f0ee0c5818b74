"""Rows of foreign tables together: right answers that contradict, keys, and maps that do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trialign.queries.readers import read_data, read_queries
from trialign.queries.sources import FieldMap, SourceConfig

from .test_foreign_forms import COLUMNS, SOUND, problems, read

pytestmark = pytest.mark.unit


# Together


def test_two_right_answers_to_one_question_are_a_fault(tmp_path: Path) -> None:
    rows = [{"q": "Which is ice?", "o": ["water", "sand"], "a": key} for key in ("water", "sand", "water")]
    (found,) = problems(read(tmp_path, rows, options="o", gold="a"))
    assert "row 2, query 's/rows/2': the right answer is 'sand' here, and 'water' to the same question at" in found
    assert "row 1" in found
    rows = [{"q": "which is  ICE", "o": ["sand", "water"], "a": "sand"}, *rows[:1]]
    assert len(problems(read(tmp_path, rows, options="o", gold="a"))) == 1
    other = [rows[0], {"q": "Which is ice?", "o": ["water", "air"], "a": "water"}]
    assert not read(tmp_path, other, options="o", gold="a").faults


def test_a_record_with_two_right_answers_is_read_as_before(tmp_path: Path) -> None:
    row = {"split": "test", "kind": "truth", "question": "Which is ice?", "options": ["water", "sand"]}
    file = tmp_path / "questions.jsonl"
    rows = [{**row, "id": gold, "gold": gold} for gold in ("water", "sand")]
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    assert [query.query_id for query in read_queries(file)] == ["water", "sand"]
    (found,) = read_data([file], None, 9).faults
    assert "row 2, query 'sand': the right answer is 'sand' here" in found.problem


@pytest.mark.parametrize(
    ("kind", "first", "second", "agrees"),
    [
        ("numeric", "42", 42.0, True),
        ("numeric", "42", "43", False),
        ("text", "the Moon", "The moon.", True),
        ("text", ["Moon", "the Moon"], "the Moon", True),
        ("text", "the Moon", "the Sun", False),
    ],
)
def test_right_answers_that_agree(tmp_path: Path, kind: str, first: Any, second: Any, agrees: bool) -> None:
    reading = read(tmp_path, [{"q": "What is it?", "a": first}, {"q": "What is it?", "a": second}], kind, gold="a")
    assert bool(reading.faults) is not agrees


def test_options_that_speak_of_others_keep_their_order_and_are_counted(tmp_path: Path) -> None:
    last = ["Both (a) and (b)", "All of the Above", "以上都是"]
    rows = [{"q": f"Which, {n}?", "o": ["red", "blue", "green", text], "a": "red"} for n, text in enumerate(last)]
    rows += [{"q": f"Which of these, {n}?", "o": ["red", "blue", "green", "white"], "a": "red"} for n in range(30)]
    reading = read(tmp_path, rows, options="o", gold="a")
    assert [query.options for query in reading.queries[:3]] == [("red", "blue", "green", text) for text in last]
    orders = {query.options for query in reading.queries[3:]}
    assert len(orders) > 5
    assert any("3 question(s) of s keep the order of their options" in note for note in reading.notes)


def test_a_key_of_rows_becomes_their_name(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"first": SOUND, "second": {**SOUND, "q": "Which is cool?"}}))
    fields = FieldMap(question="q", **COLUMNS)
    reading = read_data([SourceConfig(name="s", path=str(tmp_path / "x.json"), split="test", map=fields)], None, 9)
    assert [query.query_id for query in reading.queries] == ["s/x/first", "s/x/second"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fixed_options": ("Yes", "No")}, "has both 'options' and 'fixed_options'"),
        ({"aliases": "x"}, "maps 'aliases' for a choice answer"),
        ({"tolerance": 0.5}, "maps 'tolerance' for a choice answer"),
    ],
)
def test_a_map_that_contradicts_itself(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    fields = replace(FieldMap(question="q", **COLUMNS), **changes)
    (found,) = read_data([SourceConfig(name="s", path=str(tmp_path / "x"), split="test", map=fields)], None, 9).faults
    assert message in found.problem
