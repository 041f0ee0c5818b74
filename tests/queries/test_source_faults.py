"""Faults of a source: collected, counted, and refused where it contradicts itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trialign.queries.readers import read_data, required

from .test_sources import GROUPS, MAP, ROW, SOURCE, fault, read

pytestmark = pytest.mark.unit


# Faults


def test_faults_are_collected_up_to_a_number(tmp_path: Path) -> None:
    bad = {**ROW, "right": "sea"}
    assert len(read(SOURCE, *[bad] * 9, ROW, folder=tmp_path, most_faults=4).faults) == 4
    reading = read(SOURCE, *[bad] * 9, ROW, folder=tmp_path, most_faults=50)
    assert len(reading.faults) == 9
    assert len(reading.queries) == 1


def test_some_faults_may_be_left_out_and_one_more_may_not(tmp_path: Path) -> None:
    bad, source = {**ROW, "right": "sea"}, replace(SOURCE, allowed_faults=2)
    reading = read(source, bad, ROW, bad, folder=tmp_path)
    assert (len(reading.queries), len(reading.faults), len(reading.left_out)) == (1, 0, 2)
    assert "row 3" in reading.left_out[1]
    assert len(read(source, bad, ROW, bad, bad, folder=tmp_path).faults) == 3
    # A file that is not there is no row that may be left out.
    assert len(read_data([replace(source, path=str(tmp_path / "none.jsonl"))]).faults) == 1
    # Nothing left is an error, too.
    assert "No question of mine can be used" in read(source, bad, bad, folder=tmp_path).faults[0].problem


def test_rows_that_contradict_each_other_are_collected(tmp_path: Path) -> None:
    source = replace(SOURCE, split=None, map=replace(MAP, split="set", id="key"))
    rows = [
        {**ROW, "key": "a", "set": "train"},
        {**ROW, "key": "a", "set": "train"},
        {**ROW, "key": "b", "set": "test"},
        {**ROW, "key": "c", "set": "train"},
    ]
    reading = read(source, *rows, folder=tmp_path)
    assert ["row 2" in reading.faults[0].problem, "row 3" in reading.faults[1].problem] == [True, True]
    assert [query.query_id for query in reading.queries] == ["mine/a", "mine/c"]
    lenient = read(replace(source, allowed_faults=2), *rows, folder=tmp_path)
    assert not lenient.faults
    assert len(lenient.left_out) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": " "}, "A source of questions has an empty name"),
        ({"hub": "a/b"}, "has both 'path' and 'hub', or neither"),
        ({"path": None}, "has both 'path' and 'hub', or neither"),
        ({"path": None, "hub": "a/b"}, "is a hub data set without 'part'"),
        ({"subset": "x"}, "has 'subset' without 'hub'"),
        ({"path": None, "hub": "a/b", "part": "x", "columns": ("a",)}, "has 'columns' without 'path'"),
        ({"layout": "stereoset"}, "has both 'map' and 'layout', or neither"),
        ({"map": None}, "has both 'map' and 'layout', or neither"),
        ({"groups": {"left": "L"}}, "has 'groups' without opinions of groups"),
        ({"map": replace(MAP, gold=None)}, "maps both 'gold' and 'counts', or neither"),
        ({"map": replace(MAP, counts="n")}, "maps both 'gold' and 'counts', or neither"),
        ({"map": replace(MAP, gold=None, counts="n")}, "maps 'counts' without 'group'"),
        (
            {"map": replace(MAP, gold=None, counts="n", group="g"), "attribute": "AGE"},
            "has an 'attribute' and no 'map.attribute'",
        ),
        ({"map": replace(MAP, options=None)}, "maps no 'options'"),
        ({"answer_kind": "numeric"}, "maps options for a numeric answer"),
        ({"map": replace(MAP, labels="l")}, "maps 'labels' that nothing uses"),
        ({"split": None}, "says in no way, or in several, which split"),
        ({"split_shares": {"train": 1.0}}, "says in no way, or in several, which split"),
        ({"split_names": {"dev": "test"}}, "has 'split_names' without 'map.split'"),
        ({"split": None, "split_shares": {"train": 0.5}}, "has the split shares {'train': 0.5}"),
        ({"split": None, "split_shares": {"train": 1.5, "test": -0.5}}, "has the split shares"),
        ({"evaluation_only": True}, "is for evaluation only, and its split is 'train'"),
        (
            {"evaluation_only": True, "split": None, "split_names": {"x": "train"}, "map": replace(MAP, split="s")},
            "is for evaluation only, and its split is 'train'",
        ),
        ({"limit": 1, "sample": 1}, "has both 'limit' and 'sample'"),
        ({"topic_pattern": "("}, "has a 'topic_pattern' that is no regular expression"),
        ({"topic_pattern": "a"}, "has a 'topic_pattern' with 0 groups"),
    ],
)
def test_a_source_that_contradicts_itself(changes: dict[str, Any], message: str) -> None:
    (found,) = read_data([replace(SOURCE, **changes)], GROUPS).faults
    assert message in found.problem
    assert found.remedy


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"n": [1]}, "the number of answers is [1], not 2 numbers"),
        ({"n": [1, -1]}, "the number of answers is [1, -1]"),
        ({"n": [1, 10**400]}, "the number of answers is [1, 1000"),
        ({"n": [1, True]}, "the number of answers is [1, True]"),
        ({"who": None}, "the group is None"),
        ({"who": ["left"]}, "the group is ['left']"),
        ({"ask": 3.5, "choices": [None, "x"]}, "the question or an option is no text"),
        ({"who": "left"}, "the group 'left' has answered this question before"),
    ],
)
def test_faults_of_counts(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    source = replace(SOURCE, map=replace(MAP, gold=None, group="who", counts="n"))
    rows = [{**ROW, "who": who, "n": [3, 1]} for who in ("left", "right")]
    assert message in fault(source, *rows, {**rows[0], "who": "third", **row}, folder=tmp_path)
    (query,) = required(read(source, *rows, folder=tmp_path))
    assert query.kind == "preference"
