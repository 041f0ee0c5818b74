"""The same question as people write it: what changes, and what never does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import trialign
from trialign.writing import WAYS, Way, written

pytestmark = pytest.mark.unit

QUESTION = "Which of the 3 rivers in France and Spain doesn't end in the Atlantic, according to sailors?"


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("lower", "which of the 3 rivers in France and Spain doesn't end in the Atlantic, according to sailors"),
        (
            "formal",
            "I should be grateful if you would answer the following question. Which of the 3 rivers in France and "
            "Spain does not end in the Atlantic, according to sailors?",
        ),
        ("learner", "Which of 3 rivers in France and Spain doesn't end in Atlantic, according to sailors?"),
        ("dialect", "Which o' the 3 rivers in France an' Spain doesn't end in the Atlantic, accordin' to sailors?"),
    ],
)
def test_rules_by_hand(way: Way, expected: str) -> None:
    assert written(QUESTION, way, "q") == expected


def test_typos_are_few_drawn_by_the_key_and_never_in_a_first_letter() -> None:
    once = written(QUESTION, "typos", "q")
    assert once == written(QUESTION, "typos", "q")
    assert len({written(QUESTION, "typos", str(key)) for key in range(20)}) > 10
    for key in range(50):
        pairs = zip(QUESTION.split(), written(QUESTION, "typos", str(key)).split(), strict=True)
        changed = [(old, new) for old, new in pairs if old != new]
        assert len(changed) == 1  # of rivers, according and sailors
        assert all(old[0] == new[0] for old, new in changed)
        assert {old.strip(",?") for old, _ in changed} <= {"rivers", "according", "sailors"}


def test_words_of_the_options_are_kept() -> None:
    options = ("the rivers", "according", "sailors of France")
    assert written(QUESTION, "typos", "q", options) == QUESTION
    assert written(QUESTION, "learner", "q", options) == QUESTION
    assert "of the 3" in written(QUESTION, "dialect", "q", options)


def test_words_that_turn_a_question_are_spelled_as_they_are() -> None:
    question = "Which planet never stands between the largest moons, except before midnight?"
    for key in range(50):
        found = written(question, "typos", str(key))
        assert found != question
        for word in ("never", "between", "largest", "except", "before"):
            assert f" {word} " in found


def test_another_script_is_left_alone() -> None:
    text = "کدام رود از شهر می‌گذرد؟"
    assert [written(text, way, "q") for way in WAYS if way != "formal"] == [text] * 4


@pytest.mark.parametrize("way", WAYS)
def test_numbers_names_and_options_of_the_embedded_facts_stay(way: Way) -> None:
    file = Path(trialign.__file__).parent / "data" / "facts.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    changed = 0
    for row in rows:
        text = written(row["question"], way, row["id"], row["options"])
        changed += text != row["question"]
        for kept in (r"\d[\d.,]*", r"(?<=\s)[A-Z]\w*"):
            assert set(re.findall(kept, row["question"].rstrip("?."))) <= {*re.findall(kept, text), "I"}
        for word in {word.casefold() for option in row["options"] for word in re.findall(r"\w{5,}", option)}:
            before, after = (len(re.findall(rf"\b{word}\b", one.casefold())) for one in (row["question"], text))
            assert before == after or way == "formal"  # whose first sentence has words of its own
    assert changed / len(rows) > 0.5  # every way of writing shows in most questions
