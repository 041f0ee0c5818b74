"""Sets of groups that state attributes, as a configuration writes them."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from typing import Any

import pytest

from trialign.errors import UserError
from trialign.group_config import build_groups

pytestmark = pytest.mark.unit

LISTED: dict[str, Any] = {
    "name": "ages",
    "attribute": "age",
    "attributes": {"age": {"label": "age in years", "between": [18, 90], "targets": {"age:young": 20}}},
    "label": "{age} years",
    "explicit": ["The user is {age} years old."],
    "implicit": [[{"role": "user", "content": "I turned {age}."}, {"role": "assistant", "content": "Good."}]],
    "members": {"a20": {"attributes": {"age": 20}}, "a60": {"attributes": {"age": 60}, "explicit": ["Sixty."]}},
}
DRAWN: dict[str, Any] = {
    "name": "people",
    "attribute": "age and home",
    "attributes": {
        "age": {"between": [20, 24], "step": 0.5},
        "home": {"values": {"city": {"label": "City", "text": "a city", "share": 3}, "farm": None}},
    },
    "explicit": ["The user is {age} and lives in {home}."],
    "population": {"size": 5, "seed": 1},
}


def changed(config: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A configuration with one value set, by a path such as ``attributes.age.between``; None takes it out."""
    made = deepcopy(config)
    *parents, last = path.split(".")
    place = made
    for key in parents:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return made


def test_members_are_told_by_their_values() -> None:
    groups = build_groups(LISTED)
    young, old = groups.members
    assert (young.label, young.explicit, young.attributes) == ("20 years", ("The user is 20 years old.",), {"age": 20})
    assert young.implicit[0][0].content == "I turned 20."
    assert (old.label, old.explicit) == ("60 years", ("Sixty.",))
    [age] = groups.attributes
    # Of 20 and 60: mean 40, standard deviation 20.
    assert (age.trained, age.between, age.mean, age.scale) == ((20, 60), (18, 90), 40, 20)
    assert age.anchors == (("age:young", 20),)


def test_a_single_value_has_no_spread_to_divide_by() -> None:
    [age] = build_groups(changed(LISTED, "members.a60", None)).attributes
    assert (age.mean, age.scale) == (20, 1)


def test_members_may_bring_their_own_wordings_alone() -> None:
    config = {key: value for key, value in LISTED.items() if key not in ("label", "explicit", "implicit")}
    groups = build_groups({**config, "members": {"a60": {"attributes": {"age": 60}, "explicit": ["Sixty."]}}})
    assert groups.templates is None
    assert (groups.members[0].label, groups.members[0].attributes) == ("60", {"age": 60})


def test_a_population_is_drawn_without_doubles() -> None:
    groups = build_groups(DRAWN)
    assert groups == build_groups(deepcopy(DRAWN))
    assert len({tuple(group.attributes.items()) for group in groups.members}) == 5
    everyone = build_groups(changed(DRAWN, "population.size", 18))  # 9 ages and 2 homes
    assert everyone.names[:5] == groups.names
    assert build_groups(changed(DRAWN, "population.seed", 2)).names != groups.names
    assert {group.attributes["age"] for group in everyone.members} == {20 + n / 2 for n in range(9)}
    half = next(group for group in everyone.members if group.attributes == {"age": 20.5, "home": "city"})
    assert (half.name, half.label) == ("age_20p5-home_city", "20.5, City")
    assert half.explicit == ("The user is 20.5 and lives in a city.",)


def test_a_population_keeps_the_shares() -> None:
    wide = changed(DRAWN, "attributes.age", {"between": [0, 100_000]})
    homes = Counter(group.attributes["home"] for group in build_groups(changed(wide, "population.size", 1000)).members)
    # Three fourths of 1,000: by the binomial, outside of 695 to 805 in less than one of 10,000 samples.
    assert 695 <= homes["city"] <= 805


@pytest.mark.parametrize(
    ("config", "path", "value", "message"),
    [
        (LISTED, "attributes", {}, "'groups.attributes' holds no attribute"),
        (LISTED, "attributes", None, "'groups.label' is a template, and the set states no attributes"),
        (LISTED, "attributes.age.between", None, "'groups.attributes.age.between' is None"),
        (LISTED, "attributes.age.between", [90, 18], r"is \[90, 18\]"),
        (LISTED, "attributes.age.between", [1, "x"], "between' is 'x', not a number"),
        (LISTED, "attributes.age.step", 0, "step' is 0"),
        (LISTED, "attributes.age.step", 1e-6, "at most 1,000,000 steps"),
        (LISTED, "attributes.age.unit", "y", "unknown key 'unit'"),
        (LISTED, "attributes.age.targets", {"a": 20, "b": 20}, "two targets at one number"),
        (LISTED, "attributes.3d", {"between": [1, 2]}, "'3d' cannot stand in braces"),
        (LISTED, "explicit", ["You are {height}, {age}."], r"names '\{height\}'. Use only: \{age\}"),
        (LISTED, "explicit", ["{age.__class__}"], r"names '\{age.__class__\}'"),
        (LISTED, "explicit", ["{}"], r"names '\{\}'"),
        (LISTED, "explicit", ["{age:>9}"], "tells how to write a value"),
        (LISTED, "explicit", ["{age"], "has a brace without its other one"),
        (LISTED, "explicit", ["Old."], r"'groups.explicit\[0\]' does not tell 'age'"),
        (LISTED, "implicit", [[{"role": "user", "content": "Hello."}]], "roles user"),
        (LISTED, "members.a20.attributes.age", 91, "'groups.members.a20.attributes.age' is 91, and 'age' is between"),
        (LISTED, "members.a20.attributes.age", "20", "is '20', not a number"),
        (LISTED, "members.a20.attributes.age", float("nan"), "is nan, not a number"),
        (LISTED, "members.a20.attributes.age", True, "is True, not a number"),
        (LISTED, "members.a20.attributes", {}, "'groups.members.a20.attributes': The attribute 'age' has no value"),
        (LISTED, "members.a20.attributes", None, "'groups.members.a20.attributes' is None, not a mapping"),
        (LISTED, "population", {"size": 3}, "both members and a population"),
        (DRAWN, "population.size", 0, "'groups.population.size' is 0. Write a whole number from 1 on"),
        (DRAWN, "population.size", 2.5, "'groups.population.size' is 2.5"),
        (DRAWN, "population.seed", -1, "'groups.population.seed' is -1"),
        (DRAWN, "population.size", 19, "is 19, and only 18 groups differ in age, home"),
        (DRAWN, "population", {}, "'groups.population.size' is 0"),
        (DRAWN, "population", None, "'groups.members' holds no group"),
        (DRAWN, "explicit", None, "'groups.population' has no profile"),
        (DRAWN, "attributes.home.values", {}, "'groups.attributes.home.values' holds no value"),
        (DRAWN, "attributes.home.values.farm", {"share": 0}, "share' is 0. Write a number above 0"),
        (DRAWN, "attributes.home.values.farm", {"share": -1}, "share' is -1"),
        (DRAWN, "attributes.home.step", 1, "unknown key 'step'"),
    ],
)
def test_refuses(config: dict[str, Any], path: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        build_groups(changed(config, path, value))
    assert caught.value.remedy


def test_rare_values_that_are_never_drawn_are_said() -> None:
    rare = changed(DRAWN, "attributes.home.values.farm", {"share": 1e-12})
    with pytest.raises(UserError, match=r"is 18, and 18,432 draws gave 9 groups that differ"):
        build_groups(changed(rare, "population.size", 18))


def test_a_population_needs_attributes() -> None:
    config = {"name": "x", "attribute": "x", "population": {"size": 2}}
    with pytest.raises(UserError, match=r"'groups.population' has no attributes to draw"):
        build_groups(config)


def test_crossed_sets_state_different_attributes() -> None:
    other = {**LISTED, "name": "other", "members": {"b20": {"attributes": {"age": 20}}}}
    with pytest.raises(UserError, match="Two of the combined sets state the attribute 'age'"):
        build_groups({"ages": LISTED, "other": other})


def test_a_category_never_seen_is_refused() -> None:
    config = {**DRAWN, "members": {"x": {"attributes": {"age": 20, "home": "sea"}}}}
    del config["population"]
    with pytest.raises(UserError, match=r"'groups.members.x.attributes': 'home' is 'sea', a category .* city, farm"):
        build_groups(config)
