"""Targets and forms of groups that are crossed from several sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from trialign.attributes import Attribute, Category
from trialign.errors import UserError
from trialign.groups import SHIPPED_SETS, GroupSet, SocialGroup, cross
from trialign.queries import Form, MixedQuery, PreferenceQuery
from trialign.queries.readers import (
    queries_hash,
    row_to_query,
)

from .test_readers import GROUPS, MIXED, PREFERENCE, QUERIES

pytestmark = pytest.mark.unit


EDUCATION = GroupSet("education", "schooling", (SocialGroup("school", "School"), SocialGroup("university", "Uni")))
COUNTRY = GroupSet("country", "country", (SocialGroup("iran", "Iran"), SocialGroup("china", "China")))
BOTH = cross((EDUCATION, COUNTRY))
# Sums of eighths and halves are exact, so means can be compared with ==.
OF_SCHOOLS = {"education:school": [1, 0], "education:university": [0.5, 0.5]}
OF_COUNTRIES = {"country:iran": [0.25, 0.75], "country:china": [0, 1]}


def targets_of(targets: dict[str, list[float]], groups: GroupSet) -> dict[str, tuple[float, ...]]:
    query = row_to_query({**PREFERENCE, "targets": targets}, groups)
    assert isinstance(query, PreferenceQuery)
    return dict(query.targets)


def test_a_row_serves_several_sets_of_groups() -> None:
    targets = {**OF_SCHOOLS, **OF_COUNTRIES, "mine:north": [0, 1]}
    assert targets_of(targets, EDUCATION) == {"school": (1, 0), "university": (0.5, 0.5)}
    assert targets_of(targets, COUNTRY) == {"iran": (0.25, 0.75), "china": (0, 1)}
    query = row_to_query({**PREFERENCE, "targets": targets})
    assert isinstance(query, PreferenceQuery)
    assert set(query.targets) == set(targets)


def test_only_the_entries_of_the_set_in_use_are_checked() -> None:
    assert targets_of({**OF_SCHOOLS, "country:iran": [3]}, EDUCATION) == targets_of(OF_SCHOOLS, EDUCATION)
    with pytest.raises(UserError, match=r"the target of 'country:iran' is \[3\]"):
        targets_of({**OF_SCHOOLS, **OF_COUNTRIES, "country:iran": [3]}, BOTH)


@pytest.mark.parametrize("name", ["mine", "regions", "political", *SHIPPED_SETS])
def test_any_other_set_may_be_named(name: str) -> None:
    assert targets_of({f"{name}:north": [1, 0], "left": [0, 1], "right": [1, 0]}, GROUPS)["left"] == (0, 1)


def test_a_row_of_other_sets_only_has_no_targets() -> None:
    assert targets_of(OF_SCHOOLS, COUNTRY) == {}
    forms = {"education:school": {"max_words": 5}, "education:university": {}}
    query = row_to_query({**MIXED, "forms": forms}, COUNTRY)
    assert isinstance(query, MixedQuery)
    assert query.forms == {}


def test_targets_of_a_group_that_is_left_out_are_left_aside() -> None:
    without = replace(COUNTRY, members=COUNTRY.members[:1], left_out=("china",))
    assert targets_of(OF_COUNTRIES, without) == {"iran": (0.25, 0.75)}
    both = cross((EDUCATION, without))
    assert set(targets_of({**OF_SCHOOLS, **OF_COUNTRIES}, both)) == {"school-iran", "university-iran"}
    with pytest.raises(UserError, match="names the group 'country:chna', which is not among the groups"):
        targets_of({**OF_COUNTRIES, "country:chna": [1, 0]}, without)


def test_a_combined_group_has_the_mean_of_its_parts_targets() -> None:
    assert targets_of({**OF_SCHOOLS, **OF_COUNTRIES}, BOTH) == {
        "school-iran": (0.625, 0.375),  # ((1 + 1/4) / 2, (0 + 3/4) / 2)
        "school-china": (0.5, 0.5),
        "university-iran": (0.375, 0.625),
        "university-china": (0.25, 0.75),
    }


def test_a_part_without_targets_adds_nothing() -> None:
    assert targets_of(OF_SCHOOLS, BOTH) == {
        "school-iran": (1, 0),
        "school-china": (1, 0),
        "university-iran": (0.5, 0.5),
        "university-china": (0.5, 0.5),
    }


def test_a_combined_groups_own_target_comes_first() -> None:
    own = {"school-china": [0.125, 0.875], "education-country:university-iran": [0.875, 0.125]}
    found = targets_of({**OF_SCHOOLS, **OF_COUNTRIES, **own}, BOTH)
    assert found["school-china"] == (0.125, 0.875)
    assert found["university-iran"] == (0.875, 0.125)
    assert found["university-china"] == (0.25, 0.75)
    with pytest.raises(UserError, match="the group 'school-iran' has no target"):
        targets_of(own, BOTH)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"education:school": [1, 0], **OF_COUNTRIES}, "the group 'education:university' has no target"),
        (
            {"education:colledge": [1, 0]},
            r"'education:colledge', .* groups: education:school, education:university, country:iran, country:china",
        ),
        ({"school": [1, 0]}, "names the group 'school', which is not among the groups"),
        ({"educaton:school": [1, 0]}, r"Did you mean 'education'\?"),
        ({**OF_COUNTRIES, "country:iran": [1, 1]}, "the target of 'country:iran' sums to 2"),
    ],
)
def test_wrong_targets_of_combined_groups(targets: dict[str, list[float]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        targets_of(targets, BOTH)


def test_a_combined_group_has_the_form_of_its_first_part_that_has_one() -> None:
    schools = {"education:school": {"max_grade": 5}, "education:university": {"min_grade": 9}}
    countries = {"country:iran": {"units": "metric"}, "country:china": {"layout": "list"}}

    def forms_of(forms: dict[str, Any], groups: GroupSet) -> dict[str, Form]:
        query = row_to_query({**MIXED, "forms": forms}, groups)
        assert isinstance(query, MixedQuery)
        return dict(query.forms)

    both = forms_of({**countries, **schools}, BOTH)
    assert both["school-china"] == Form(max_grade=5)
    assert both["university-china"] == Form(min_grade=9)
    assert forms_of(countries, BOTH)["school-china"] == Form(layout="list")
    assert forms_of({**countries, **schools}, cross((COUNTRY, EDUCATION)))["china-school"] == Form(layout="list")
    with pytest.raises(UserError, match="the group 'education:university' has no form"):
        forms_of({**countries, "education:school": {}}, BOTH)


AGE = Attribute("age", "age", anchors=(("age:old", 75.0), ("age:young", 25.0)))
HOME = Attribute("home", "home", (Category("city", "City", "city"), Category("farm", "Farm", "farm")))
HOMES = Attribute(HOME.name, HOME.label, HOME.categories, anchors=(("homes:city", "city"),))
OF_AGES = {"age:young": [1, 0], "age:old": [0, 1]}


def people(home: Attribute, **ages: float) -> GroupSet:
    """Groups of some ages, all in the city."""
    groups = [SocialGroup(name, name, attributes={"age": age, "home": "city"}) for name, age in ages.items()]
    return GroupSet("people", "age", tuple(groups), stated=(AGE, home))


def test_a_groups_target_is_that_of_its_values() -> None:
    # A fourth of the way from 25 to 75; before the first and beyond the last there is nothing to lean on but them.
    groups = people(HOME, a=25, b=37.5, c=50, d=75, e=90, f=18)
    assert targets_of(OF_AGES, groups) == {
        "a": (1, 0),
        "b": (0.75, 0.25),
        "c": (0.5, 0.5),
        "d": (0, 1),
        "e": (0, 1),
        "f": (1, 0),
    }
    # Two attributes count alike, and an own target before both.
    both = {**OF_AGES, "homes:city": [0.25, 0.75]}
    assert targets_of(both, people(HOMES, b=37.5)) == {"b": (0.5, 0.5)}
    assert targets_of({**both, "people:b": [0, 1]}, people(HOMES, b=37.5, c=25)) == {"b": (0, 1), "c": (0.625, 0.375)}
    assert targets_of(OF_AGES, people(HOMES, b=37.5)) == {"b": (0.75, 0.25)}
    assert targets_of({"other:x": [1, 0]}, groups) == {}


def test_a_factor_of_stated_attributes_is_a_part_like_others() -> None:
    crossed = cross((people(HOME, b=37.5), COUNTRY))
    assert targets_of({**OF_AGES, **OF_COUNTRIES}, crossed)["b-iran"] == (0.5, 0.5)  # (3/4 + 1/4) / 2


def test_a_target_that_values_lean_on_must_be_there() -> None:
    with pytest.raises(UserError, match="the group 'b' leans on the target of 'age:old', which is not there"):
        targets_of({"age:young": [1, 0]}, people(HOME, b=37.5))
    with pytest.raises(UserError, match="the target of 'age:old' sums to 2"):
        targets_of({**OF_AGES, "age:old": [1, 1]}, people(HOME, b=37.5))


def test_a_groups_form_is_that_of_the_nearest() -> None:
    forms = {"age:young": {"max_words": 5}, "age:old": {"min_words": 6}}
    query = row_to_query({**MIXED, "forms": forms}, people(HOME, near=40, far=60))
    assert isinstance(query, MixedQuery)
    assert query.forms == {"near": Form(max_words=5), "far": Form(min_words=6)}


def test_qualified_rows_hash_as_plain_ones() -> None:
    qualified = {f"sides:{group}": target for group, target in PREFERENCE["targets"].items()}
    row = {**PREFERENCE, "targets": {**qualified, **OF_SCHOOLS}}
    assert queries_hash([row_to_query(row, GROUPS)]) == queries_hash([QUERIES[3]])
