"""The embedded questions: frozen splits, no artefacts, groups that fit."""

from __future__ import annotations

import hashlib
import json
import re
import runpy
from collections import Counter, defaultdict
from collections.abc import Sequence
from importlib.resources import files
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from trialign.group_config import build_groups
from trialign.groups import SHIPPED_SETS, GroupSet, SocialGroup
from trialign.queries import SPLITS, MixedQuery, PreferenceQuery, Query, TruthQuery
from trialign.queries.answers import normal_text
from trialign.queries.readers import read_query_files

pytestmark = pytest.mark.unit

# Frozen before the first training on them: whoever changes a question begins a new data set, and says so in
# docs/data.md.
FROZEN = {
    "train": "06eab3dac4244ca8034ffbff94703b55863afbd45ee3068dad79f5371831c92a",
    "validation": "78ce37befd9a62b85d3f63154b5eb57e1d194d88b2d434fd27bc8d1d56555627",
    "test": "050231ebf6374cec2af992f471767e917a3a2c5aac43906f904d0bd147070e1d",
}
FILES = ("facts", "preferences", "numeric", "mixed")
SETS = Path(str(files("trialign.conf")), "groups")


def shipped_set(name: str) -> GroupSet:
    return build_groups(yaml.safe_load((SETS / f"{name}.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    folder = Path(str(files("trialign"))) / "data"
    return [
        json.loads(line)
        for name in FILES
        for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]


@pytest.fixture(scope="module")
def embedded() -> tuple[Query, ...]:
    folder = Path(str(files("trialign"))) / "data"
    return read_query_files([folder / f"{name}.jsonl" for name in FILES], shipped_set("politics"))


@pytest.mark.parametrize("split", SPLITS)
def test_split_is_the_frozen_one(rows: list[dict[str, Any]], split: str) -> None:
    of_split = sorted(json.dumps(row, sort_keys=True) for row in rows if row["split"] == split)
    assert hashlib.sha256("\n".join(of_split).encode()).hexdigest() == FROZEN[split]


def test_there_are_as_many_questions_as_the_data_card_says(embedded: tuple[Query, ...]) -> None:
    kinds = {
        "facts": [q for q in embedded if isinstance(q, TruthQuery) and q.kind == "truth" and q.options],
        "numeric": [q for q in embedded if q.answer_kind == "numeric"],
        "preferences": [q for q in embedded if isinstance(q, PreferenceQuery)],
        "mixed": [q for q in embedded if isinstance(q, MixedQuery)],
    }
    clusters = {
        name: [len({q.cluster for q in queries if q.split == split}) for split in SPLITS]
        for name, queries in kinds.items()
    }
    assert clusters == {
        "facts": [193, 39, 224],
        "numeric": [28, 6, 32],
        "preferences": [88, 18, 104],
        "mixed": [26, 5, 31],
    }
    assert len({q.topic for q in kinds["facts"]}) >= 12
    pulled = {q.cluster for q in kinds["facts"] if isinstance(q, TruthQuery) and q.folk}
    assert len(pulled) >= 160
    assert all(q.source for queries in kinds.values() for q in queries)


def test_every_fact_has_two_paraphrases_with_the_same_options(embedded: tuple[Query, ...]) -> None:
    clusters: dict[str, list[TruthQuery]] = defaultdict(list)
    for query in embedded:
        if isinstance(query, TruthQuery) and query.kind == "truth":
            clusters[query.cluster].append(query)
    for first, second in clusters.values():
        assert first.question != second.question
        assert (first.gold, first.tolerance) == (second.gold, second.tolerance)
        assert set(first.options) == set(second.options)
        assert first.options != second.options or not first.options
        assert first.source


def test_no_fact_is_answered_two_ways(embedded: tuple[Query, ...]) -> None:
    told: dict[str, str] = {}
    for query in embedded:
        if isinstance(query, TruthQuery):
            assert told.setdefault(normal_text(query.question), query.gold) == query.gold


@pytest.mark.parametrize("split", SPLITS)
def test_position_and_length_do_not_tell_the_gold_answer(embedded: tuple[Query, ...], split: str) -> None:
    facts = [query for query in embedded if isinstance(query, TruthQuery) and query.options and query.split == split]
    for count in (2, 3, 4, 5):
        places = Counter(query.gold_index for query in facts if len(query.options) == count)
        assert max(places.values()) - min(places[place] for place in range(count)) <= 1
    for end in (max, min):
        ends = [[len(option) == end(map(len, query.options)) for option in query.options] for query in facts]
        gold = sum(of_fact[query.gold_index] for query, of_fact in zip(facts, ends, strict=True)) / len(facts)
        guessing = sum(sum(of_fact) / len(of_fact) for of_fact in ends) / len(facts)
        assert abs(gold - guessing) < 0.05


def mean_variation(tastes: Sequence[PreferenceQuery], first: str, second: str) -> float:
    distances = [sum(abs(p - q) for p, q in zip(t.targets[first], t.targets[second], strict=True)) / 2 for t in tastes]
    return sum(distances) / len(distances)


@pytest.mark.parametrize("name", SHIPPED_SETS)
def test_groups_of_every_set_differ_in_what_they_prefer(name: str) -> None:
    groups = shipped_set(name)
    tastes = read_query_files([Path(str(files("trialign"))) / "data" / "preferences.jsonl"], groups)
    assert len(tastes) >= 200
    of_set = [query for query in tastes if isinstance(query, PreferenceQuery)]
    assert all(set(query.targets) == set(groups.names) for query in of_set)
    # A perfect predictor loses this much when two profiles are swapped.
    assert min(mean_variation(of_set, a, b) for a, b in combinations(groups.names, 2)) >= 0.25


def test_ages_between_the_shipped_ones_prefer_what_lies_between() -> None:
    tastes = read_query_files([Path(str(files("trialign"))) / "data" / "preferences.jsonl"], shipped_set("age_years"))
    of_age = read_query_files([Path(str(files("trialign"))) / "data" / "preferences.jsonl"], shipped_set("age"))
    assert len(tastes) == len(of_age) >= 200
    for query, known in zip(tastes, of_age, strict=True):
        assert isinstance(query, PreferenceQuery)
        assert isinstance(known, PreferenceQuery)
        assert [*query.targets.values()] == [*known.targets.values()]  # 20, 45 and 75 are young, middle and old


def test_the_population_has_tastes_and_profiles_of_their_own() -> None:
    people = shipped_set("people")
    assert len(people.members) == 24
    assert people.control is not None
    assert [one.name for one in people.attributes] == ["age", "country", "education", "english"]
    tastes = read_query_files([Path(str(files("trialign"))) / "data" / "preferences.jsonl"], people)
    assert all(isinstance(query, PreferenceQuery) and set(query.targets) == set(people.names) for query in tastes)
    assert len({group.explicit for group in people.members}) == 24


@pytest.mark.parametrize("name", ["preferences", "mixed"])
def test_targets_and_forms_follow_their_stated_rules(rows: list[dict[str, Any]], name: str) -> None:
    folder = Path(__file__).parents[2] / "scripts" / "questions"
    built = runpy.run_path(str(folder / f"build_{name}.py"))["built_rows"]()
    assert built == [row for row in rows if row["kind"] == name.removesuffix("s")]


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
    "age_years": ("years_20 years_45 years_75", "years old|person of"),
}


@pytest.fixture(params=NAMING)
def shipped(request: pytest.FixtureRequest) -> GroupSet:
    return shipped_set(request.param)


def implicit_texts(group: SocialGroup, role: str | None = None) -> list[str]:
    return [message.content for dialogue in group.implicit for message in dialogue if role in (None, message.role)]


def test_all_shipped_sets_are_tested_and_known_to_the_reader() -> None:
    assert {path.stem for path in SETS.glob("*.yaml")} == {*NAMING, "people"}
    assert set(NAMING) == {*SHIPPED_SETS, "custom", "age_years"}


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
        assert min(lengths) >= (6 if shipped.stated else 9)
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
    # A single word, such as "water", answers nothing where a profile happens to say it.
    options = {option.lower() for query in embedded for option in query.options if len(option.split()) > 2}
    assert not [option for option in options if re.search(rf"(?<!\w){re.escape(option)}(?!\w)", told)]
