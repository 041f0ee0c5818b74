"""The embedded questions: frozen splits, no artefacts, groups that fit."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from importlib.resources import files
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from trialign.group_config import build_groups
from trialign.groups import SHIPPED_SETS, GroupSet, SocialGroup
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


# Set -> its groups, and words that would name a group where it may only show.
NAMING = {
    "politics": ("liberal moderate conservative", "liberal|moderate|conservative|democrat|republican"),
    "education": (
        "no_high_school high_school university",
        "schooling|high school|diploma|degree|universit|college|graduat",
    ),
    "english": ("native fluent beginner", "english|native|fluent|beginner|language|foreign"),
    "country": ("usa iran china", "america|united states|\\busa?\\b|iran|persia|chin[ae]"),
    "age": ("young middle old", "young|middle|\\bold|elder|years old|\\bage"),
    "religion": ("christian muslim hindu buddhist nonreligious", "christ|muslim|islam|hindu|buddh|religio|atheis"),
    "custom": ("city village", "city|cities|village|urban|rural|country"),
}
# What profiles say although it is an option of some question: number words that answer nothing where they stand, the
# countries that a set is about, and in the politics profiles, which are frozen, the US and a march.
SAID = {"one", "two", "five", "united states", "china", "march"}


@pytest.fixture(params=NAMING)
def shipped(request: pytest.FixtureRequest) -> GroupSet:
    return shipped_set(request.param)


def implicit_texts(group: SocialGroup, role: str | None = None) -> list[str]:
    return [message.content for dialogue in group.implicit for message in dialogue if role in (None, message.role)]


def test_all_shipped_sets_are_tested_and_known_to_the_reader() -> None:
    assert {path.stem for path in SETS.glob("*.yaml")} == set(NAMING) == {*SHIPPED_SETS, "custom"}


def test_shipped_groups_have_their_names_and_four_wordings(shipped: GroupSet) -> None:
    assert shipped.names == tuple(NAMING[shipped.name][0].split())
    assert shipped.control is not None
    for group in shipped.members:
        assert len(group.explicit) == (6 if shipped.name == "politics" else 4)
        assert len(group.implicit) == 4
        assert len(set(group.explicit)) == len(group.explicit)
        assert group.label != group.name


def test_shipped_files_stand_alone_and_in_their_package(shipped: GroupSet) -> None:
    first, *_ = (SETS / f"{shipped.name}.yaml").read_text(encoding="utf-8").splitlines()
    assert first == f"# @package groups.{shipped.name}"


def test_wordings_are_short_and_of_one_shape_across_groups(shipped: GroupSet) -> None:
    for wordings in zip(*(group.explicit for group in shipped.members), strict=True):
        assert len(set(wordings)) == len(wordings)
        assert {len(re.findall(r"[.?!](?: |$)", text)) for text in wordings} in ({1}, {2})
        assert len({text.split()[0] for text in wordings}) == 1
        lengths = [len(text.split()) for text in wordings]
        assert min(lengths) >= 9
        assert max(lengths) <= 30
        assert max(lengths) - min(lengths) <= 5


# The politics profiles are frozen with the first data; their replies repeat a word of the user's.
@pytest.mark.parametrize("shipped", [name for name in NAMING if name != "politics"], indirect=True)
def test_what_the_assistant_said_is_the_same_for_all_groups(shipped: GroupSet) -> None:
    assert len({tuple(implicit_texts(group, "assistant")) for group in shipped.members}) == 1
    assert len({tuple(implicit_texts(group, "user")) for group in shipped.members}) == len(shipped.members)


def test_implicit_profiles_name_no_group(shipped: GroupSet) -> None:
    naming = re.compile(NAMING[shipped.name][1], re.IGNORECASE)
    for group in shipped.members:
        assert any(naming.search(text) for text in group.explicit)
        assert not [text for text in implicit_texts(group) if naming.search(text)]


def test_profiles_mention_no_answer(embedded: tuple[Query, ...], shipped: GroupSet) -> None:
    told = " ".join(text.lower() for group in shipped.members for text in (*group.explicit, *implicit_texts(group)))
    options = {option.lower() for query in embedded for option in query.options} - SAID
    assert not [option for option in options if re.search(rf"(?<!\w){re.escape(option)}(?!\w)", told)]
