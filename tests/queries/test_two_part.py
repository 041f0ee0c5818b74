"""The embedded questions that ask for a fact and a taste at once."""

from __future__ import annotations

import hashlib
import json
import runpy
from collections import Counter, defaultdict
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from trialign.group_config import build_groups
from trialign.groups import SHIPPED_SETS
from trialign.queries import SPLITS, PreferenceQuery, Query, TruthQuery
from trialign.queries.readers import read_query_files

pytestmark = pytest.mark.unit

# Frozen before any method was asked them: whoever changes a question begins a new set, and says so in docs/data.md.
FROZEN = "d3758006522f40ef2d167745fc52e76ffb6729205775c3abc69b71e34c4d357d"
FILE = Path(str(files("trialign"))) / "data" / "two_part.jsonl"


def queries(set_name: str) -> tuple[Query, ...]:
    file = Path(str(files("trialign.conf")), "groups", f"{set_name}.yaml")
    return read_query_files([FILE], build_groups(yaml.safe_load(file.read_text(encoding="utf-8"))))


@pytest.fixture(scope="module")
def pairs() -> dict[str, tuple[TruthQuery, PreferenceQuery]]:
    """Cluster -> the row of the fact and that of the taste."""
    found: dict[str, list[Query]] = defaultdict(list)
    for query in queries("country"):
        found[query.cluster].append(query)
    pairs = {}
    for cluster, (fact, taste) in found.items():
        assert isinstance(fact, TruthQuery)
        assert isinstance(taste, PreferenceQuery)
        pairs[cluster] = (fact, taste)
    return pairs


def test_the_set_is_the_frozen_one_and_as_its_sources_build_it() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert hashlib.sha256(text.encode()).hexdigest() == FROZEN
    folder = Path(__file__).parents[2] / "scripts" / "questions"
    built = runpy.run_path(str(folder / "build_two_part.py"))["built_rows"]()
    assert built == [json.loads(line) for line in text.splitlines()]


def test_both_parts_are_asked_in_the_same_words(pairs: dict[str, tuple[TruthQuery, PreferenceQuery]]) -> None:
    assert len(pairs) == 84
    for fact, taste in pairs.values():
        assert (fact.kind, taste.kind) == ("truth", "preference")
        assert (fact.question, fact.split, fact.topic) == (taste.question, taste.split, taste.topic)
        assert not {*fact.options} & {*taste.options}
        assert fact.question.count("?") == 1
        assert fact.source
    assert Counter(fact.split for fact, _ in pairs.values()) == {"train": 27, "validation": 8, "test": 49}
    assert len({fact.question for fact, _ in pairs.values()}) == len(pairs)


@pytest.mark.parametrize("split", SPLITS)
def test_position_and_length_do_not_tell_the_gold_answer(
    pairs: dict[str, tuple[TruthQuery, PreferenceQuery]], split: str
) -> None:
    facts = [fact for fact, _ in pairs.values() if fact.split == split]
    places = Counter(fact.gold_index for fact in facts)
    assert max(places.values()) - min(places[place] for place in range(4)) <= 1
    for extreme in (max, min):
        shares = [
            (len(fact.gold) == (end := extreme(map(len, fact.options)))) / sum(len(o) == end for o in fact.options)
            for fact in facts
        ]
        assert 0.12 <= sum(shares) / len(facts) <= 0.30  # chance is 1/4; ties of n count 1/n


@pytest.mark.parametrize("name", SHIPPED_SETS)
def test_every_shipped_group_has_a_target(name: str) -> None:
    tastes = [query for query in queries(name) if isinstance(query, PreferenceQuery)]
    file = Path(str(files("trialign.conf")), "groups", f"{name}.yaml")
    groups = build_groups(yaml.safe_load(file.read_text(encoding="utf-8"))).names
    assert all(set(taste.targets) == set(groups) for taste in tastes)


def test_a_fact_that_other_files_ask_too_is_in_the_same_split_there() -> None:
    """Else the agents would have learned a test question from another file."""
    facts = [json.loads(line) for line in (FILE.parent / "facts.jsonl").read_text(encoding="utf-8").splitlines()]
    splits = {row["question"].rstrip("?").casefold(): row["split"] for row in facts}
    shared = 0
    for query in queries("country"):
        part = query.question.split(", and ")[0].casefold()
        if query.kind == "truth" and part in splits:
            shared += 1
            assert splits[part] == query.split, part
    assert shared >= 4
