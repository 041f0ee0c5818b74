"""The embedded questions: frozen splits, no artefacts, groups that fit."""

from __future__ import annotations

from collections import Counter, defaultdict
from importlib.resources import files
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from trialign.group_config import build_groups
from trialign.groups import GroupSet
from trialign.queries import SPLITS, PreferenceQuery, Query, TruthQuery
from trialign.queries.readers import queries_hash, read_query_files

pytestmark = pytest.mark.unit

# Frozen before the first training: whoever changes a test question begins a new data set, and says so in docs/data.md.
FROZEN = {
    "train": "dc7f39556347c79aa1243cd7c4d6d5004c725ebeb9d29ccb63fb9b289fd8597c",
    "validation": "8b051598bbef3a6ab23451a7f6fb161a088489c2fe654fb69d35c24cd82765d4",
    "test": "c1d9a71019afe55e3451edd410bba88d43f8426acb1f2f7c2fa45f27cdc58696",
}
SETS = Path(str(files("trialign.conf")), "groups")


def shipped_set(name: str) -> GroupSet:
    return build_groups(yaml.safe_load((SETS / f"{name}.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def embedded() -> tuple[Query, ...]:
    folder = Path(str(files("trialign"))) / "data"
    return read_query_files([folder / "facts.jsonl", folder / "preferences.jsonl"], shipped_set("politics"))


@pytest.mark.parametrize("split", SPLITS)
def test_split_is_the_frozen_one(embedded: tuple[Query, ...], split: str) -> None:
    assert queries_hash(query for query in embedded if query.split == split) == FROZEN[split]


def test_every_fact_has_two_paraphrases_with_the_same_options(embedded: tuple[Query, ...]) -> None:
    clusters: dict[str, list[Query]] = defaultdict(list)
    for query in embedded:
        if isinstance(query, TruthQuery):
            clusters[query.cluster].append(query)
    assert len(clusters) >= 120
    for first, second in clusters.values():
        assert first.question != second.question
        assert set(first.options) == set(second.options)
        assert first.options != second.options
        assert first.source


@pytest.mark.parametrize("split", SPLITS)
def test_position_and_length_do_not_tell_the_gold_answer(embedded: tuple[Query, ...], split: str) -> None:
    facts = [query for query in embedded if isinstance(query, TruthQuery) and query.split == split]
    positions = Counter(query.gold_index for query in facts)
    assert {positions[place] / len(facts) for place in range(4)} == {0.25}
    longest = sum(len(query.gold) == max(map(len, query.options)) for query in facts)
    assert 0.20 <= longest / len(facts) <= 0.30


def test_groups_differ_in_what_they_prefer(embedded: tuple[Query, ...]) -> None:
    tastes = [query for query in embedded if isinstance(query, PreferenceQuery)]
    assert len(tastes) == 60
    distances = [
        sum(abs(p - q) for p, q in zip(query.targets[a], query.targets[b], strict=True)) / 2
        for query in tastes
        for a, b in combinations(query.targets, 2)
    ]
    assert sum(distances) / len(distances) >= 0.25


def test_profiles_name_no_answer_and_implicit_ones_no_group() -> None:
    groups = shipped_set("politics")
    assert groups.names == ("liberal", "moderate", "conservative")
    assert groups.control is not None
    for group in groups.members:
        assert len(group.explicit) >= 3
        assert len(group.implicit) >= 2
        told = " ".join(message.content.lower() for dialogue in group.implicit for message in dialogue)
        assert not [word for word in ("liberal", "moderate", "conservative", "democrat", "republican") if word in told]
