"""Somebody whom no group stands for, where the groups' sets state no attributes or agents have no maps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trialign.api.people import stated_values
from trialign.attributes import Attribute, Category
from trialign.errors import UserError
from trialign.groups import GroupSet, SocialGroup, Templates

AGE = Attribute("age", "age", between=(18, 90), trained=(20, 60), mean=40.0, scale=20.0)
LAND = Attribute("land", "land", categories=(Category("ice", "Ice", "ice"), Category("sand", "Sand", "sand")))
GROUPS = GroupSet(
    "people",
    "age and land",
    (SocialGroup("one", "One", ("x",), attributes={"age": 20.0, "land": "ice"}),),
    stated=(AGE, LAND),
    templates=Templates(explicit=("{age} on {land}",)),
)


@pytest.mark.unit
def test_values_are_read_in_any_order_numbers_as_numbers() -> None:
    assert stated_values(GROUPS, " land = sand , age=30.5") == {"land": "sand", "age": 30.5}


@pytest.mark.unit
def test_groups_that_state_no_attributes_tell_of_nobody(groups: GroupSet) -> None:
    with pytest.raises(UserError, match="'regions' state no attributes, so nobody can be told of by them"):
        stated_values(groups, "age=30")


@pytest.mark.integration
def test_without_maps_the_nearest_groups_agent_answers_told_of_the_values(project: Any) -> None:
    stated = {
        "name": "regions",
        "attribute": "age",
        "attributes": {"age": {"label": "age in years", "between": [18, 90]}},
        "explicit": ["The user is {age} years old."],
        "members": {name: {"attributes": {"age": age}} for name, age in (("north", 20), ("south", 45), ("island", 70))},
        "control": {"label": "No profile"},
    }
    (project.folder / "groups" / "regions.yaml").write_text(json.dumps(stated), encoding="utf-8")
    assert project.fit("audit.answers=[scored]").code == 0
    question = ("Which metal is liquid?", "--option", "Iron", "--option", "Mercury", "--json")
    outcome = project.call("ask", *question, "--run", "runs/mine", "--as", "age=45", "--as", "age=66")
    assert outcome.code == 0, outcome.err
    found = {one["group"]: one for one in json.loads(outcome.out)}
    assert found["age=45"]["option_probabilities"] == pytest.approx(found["south"]["option_probabilities"], abs=1e-6)
    assert found["age=66"]["adapter_sha256"] == found["island"]["adapter_sha256"]
    assert found["age=66"]["option_probabilities"] != pytest.approx(found["island"]["option_probabilities"], abs=1e-7)
