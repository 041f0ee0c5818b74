"""What options tell without their question: the classifiers of benchmarks/, and the embedded facts before them."""

from __future__ import annotations

from collections import Counter
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from trialign.queries import TruthQuery
from trialign.queries.readers import read_query_files

pytestmark = pytest.mark.unit

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
TOLERATED = 0.03  # above guessing


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import options_alone

    return options_alone


@pytest.fixture
def filtering(alone: ModuleType) -> ModuleType:
    import options_filter

    return options_filter


@cache
def embedded() -> tuple[TruthQuery, ...]:
    found = read_query_files([Path(str(files("trialign"))) / "data" / "facts.jsonl"])
    return tuple(query for query in found if isinstance(query, TruthQuery))


def of(split: str) -> list[TruthQuery]:
    return [fact for fact in embedded() if fact.split == split]


def above_guessing(right: np.ndarray, facts: list[TruthQuery]) -> float:
    return float(right.mean() - np.mean([1 / len(fact.options) for fact in facts]))


def test_options_alone_do_not_tell_the_embedded_facts(alone: ModuleType) -> None:
    training = of("train")
    fitted = alone.Shares(training).fit(training, alone.chosen_strength(training))
    for split in ("validation", "test"):
        assert above_guessing(fitted.right(of(split)), of(split)) <= TOLERATED


@pytest.mark.parametrize("kind", ["words", "words, freer", "characters", "characters, freer", "shape"])
def test_no_kind_of_classifier_tells_facts_that_it_was_not_fitted_to(filtering: ModuleType, kind: str) -> None:
    features, strength = filtering.KINDS[kind]
    training, others = of("train"), of("validation") + of("test")
    fitted = filtering.Shares(training, features).fit(training, strength)
    assert above_guessing(fitted.right(others), others) <= TOLERATED


def test_what_a_right_option_gives_away_is_seen(alone: ModuleType) -> None:
    def marked(facts: list[TruthQuery]) -> list[TruthQuery]:
        return [
            told(fact, [f"{text} {'surely' if text == fact.gold else ''}".strip() for text in fact.options])
            for fact in facts
        ]

    def told(fact: TruthQuery, options: list[str]) -> TruthQuery:
        texts: dict[str, Any] = {"query_id": fact.query_id, "cluster": fact.cluster, "topic": "", "question": "?"}
        return TruthQuery(**texts, split=fact.split, gold=options[fact.gold_index], options=tuple(options))

    training = marked(of("train"))
    fitted = alone.Shares(training).fit(training, 10.0)
    assert above_guessing(fitted.right(marked(of("test"))), of("test")) > 0.7


def test_the_facts_that_are_told_are_the_ones_that_are_dropped(filtering: ModuleType) -> None:
    def fact(number: int, gold: str, wrong: str) -> TruthQuery:
        texts: dict[str, Any] = {"query_id": f"{number}", "cluster": f"{number}", "topic": "", "question": f"{number}?"}
        return TruthQuery(**texts, split="train", gold=gold, options=(wrong, gold) if number % 2 else (gold, wrong))

    told = [fact(number, f"surely n{number % 7}", f"n{(number + 3) % 7}") for number in range(10)]
    untold = [fact(10 + number, f"n{number % 5}", f"n{(number + 1 + number // 10 % 4) % 5}") for number in range(50)]
    assert set(filtering.filtered([*untold, *told], 1, 10)) == {one.cluster for one in told}


def test_right_options_come_to_stand_in_each_place_equally_often(filtering: ModuleType) -> None:
    options = [["a", "b", "c", "d"], ["a", "c", "b", "d"]]
    rows = [
        {"id": f"{n}-{k}", "cluster": f"{n}", "split": "test", "options": options[k], "gold": "a"}
        for n in range(6)
        for k in range(2)
    ]
    balanced = filtering.balanced(rows)
    assert Counter(row["options"].index("a") for row in balanced) == dict.fromkeys(range(4), 3)
    assert [row["id"] for row in balanced] == [row["id"] for row in rows]
    for first, second in zip(balanced[::2], balanced[1::2], strict=True):
        assert sorted(first["options"]) == ["a", "b", "c", "d"]
        assert first["options"] != second["options"]
