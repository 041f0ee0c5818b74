"""z as a sum of maps of what groups state, and agents of values that no group has."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch

from trialign.attributes import Attribute, Category
from trialign.errors import UserError
from trialign.group_config import build_groups
from trialign.groups import GroupSet
from trialign.models import BaseModelFiles, ModelConfig, load_model
from trialign.policy import AdapterConfig, GroupPolicy, TreeRow, build_tree_batch
from trialign.policy.adapters import BasisConfig
from trialign.policy.basis import Coordinates
from trialign.policy.group_policy import Sampling
from trialign.policy.maps import AttributeMaps, Traits, traits_of

from .test_basis import ANSWERS, NAMES, ORDER, PROMPTS, plain_peft, plain_score, rows_of

pytestmark = pytest.mark.unit

MAPPED = AdapterConfig(adapters="basis", rank=4, alpha=8, basis=BasisConfig(z="attributes"))
# Ages 20, 50 and 50: mean 40, standard deviation sqrt(200).
STATED: dict[str, Any] = {
    "name": "regions",
    "attribute": "age and land",
    "attributes": {
        "age": {"between": [18, 90]},
        "land": {"values": {"ice": None, "wood": None, "sand": None}},
    },
    "explicit": ["The user is {age} years old and lives on {land}."],
    "members": {
        "north": {"attributes": {"age": 20, "land": "ice"}},
        "south": {"attributes": {"age": 50, "land": "sand"}},
        "island": {"attributes": {"age": 50, "land": "ice"}},
    },
}
MAPS = AttributeMaps(
    (
        Attribute("age", "age", between=(18, 90), trained=(20, 50), mean=40.0, scale=10.0),
        Attribute("land", "land", (Category("ice", "Ice", "ice"), Category("sand", "Sand", "sand"))),
    ),
    torch.tensor([[1.0, 2.0], [10.0, 0.0], [0.0, 20.0]]),
)


def groups() -> GroupSet:
    return build_groups(STATED)


def mapped(files: BaseModelFiles, config: ModelConfig) -> GroupPolicy:
    torch.manual_seed(1)
    traits = traits_of(groups(), MAPPED)
    policy = GroupPolicy(load_model(files, config).double(), NAMES, MAPPED, traits=traits)
    for name, parameter in policy.named_parameters():
        if "lora_B" in name or name == "coordinates.own":
            torch.nn.init.normal_(parameter, std=0.3 if "lora_B" in name else 0.03)
    return policy


def test_z_of_a_combination_is_the_sum_of_its_parts() -> None:
    # 55 is 1.5 standard deviations above 40: 1.5 (1, 2) + (0, 20).
    assert MAPS.z({"age": 55.0, "land": "sand"}).tolist() == [1.5, 23.0]
    assert MAPS.z({"land": "ice", "age": 30.0}).tolist() == [9.0, -2.0]
    assert MAPS.beyond({"age": 30.0, "land": "ice"}) == []
    assert MAPS.beyond({"age": 55.0, "land": "ice"}) == ["The age 55 is outside the groups that were trained, 20 to 50"]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"age": 30.0, "land": "wood"}, "'land' is 'wood', a category that no group was told of"),
        ({"age": 30.0}, "The attribute 'land' has no value"),
        ({"age": "old", "land": "ice"}, "not a number"),
    ],
)
def test_values_of_which_nothing_was_learned_are_refused(values: dict[str, Any], fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        MAPS.z(values)


def test_what_groups_state_as_numbers() -> None:
    traits = traits_of(groups(), MAPPED)
    assert traits is not None
    age, land = traits.attributes
    assert (age.mean, age.trained) == (40, (20, 50))
    # No member lives in a wood: nothing is learned of it.
    assert [category.name for category in land.categories] == ["ice", "sand"]
    spread = 200**0.5
    torch.testing.assert_close(
        traits.features, torch.tensor([[-20 / spread, 1.0, 0.0], [10 / spread, 0.0, 1.0], [10 / spread, 1.0, 0.0]])
    )


def test_combined_sets_are_sums_of_a_vector_for_each_of_theirs() -> None:
    stated = {
        name: {"attribute": name, "members": {one: {"explicit": [one]} for one in members}}
        for name, members in (("land", ("ice", "sand")), ("trade", ("fisher", "smith")))
    }
    traits = traits_of(build_groups(stated), MAPPED)
    assert traits is not None
    assert traits.features.tolist() == [[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1]]


def test_groups_that_state_nothing_are_refused_and_free_ones_are_made_of_nothing() -> None:
    plain = build_groups({"name": "regions", "attribute": "land", "members": {"a": {"explicit": ["A."]}}})
    with pytest.raises(UserError, match=r"basis\.z is attributes, and the set 'regions' states none") as fault:
        traits_of(plain, MAPPED)
    assert "policy.basis.z=free" in fault.value.remedy
    for config in (AdapterConfig(adapters="basis"), AdapterConfig(adapters="shared", basis=MAPPED.basis)):
        assert traits_of(plain, config) is None


def test_maps_come_back_as_they_were_written() -> None:
    numbers = torch.randn(3, 8, generator=torch.Generator().manual_seed(0)) / 3
    again = AttributeMaps.from_json(AttributeMaps(MAPS.attributes, numbers).to_json())
    assert again.attributes == MAPS.attributes
    assert again.weights.equal(numbers)


@pytest.mark.parametrize("change", ["{", "[]", "{}", "rows", "names", "width"])
def test_what_is_no_maps_is_told(change: str) -> None:
    stated = json.loads(MAPS.to_json())
    if change == "rows":
        stated["attributes"][1]["map"].pop()
    elif change == "names":
        del stated["attributes"][0]["name"]
    elif change == "width":
        stated["attributes"][0]["map"] = [[1.0]]
    with pytest.raises(ValueError, match=r"."):
        AttributeMaps.from_json(change if change in ("{", "[]", "{}") else json.dumps(stated))


def test_gradients_reach_the_maps_and_groups_get_a_z_of_their_own_when_one_is_set() -> None:
    traits = Traits(MAPS.attributes, torch.tensor([[-2.0, 1.0, 0.0], [1.0, 0.0, 1.0]]))
    one = Coordinates(2, BasisConfig(dimensions=2, speed=8.0), traits)
    assert one.all().tolist() == [[0, 0], [0, 0]]
    with torch.no_grad():
        one.own.copy_(MAPS.weights / 8)
    # -2 (1, 2) + (10, 0) and (1, 2) + (0, 20).
    assert one.all().tolist() == [[8, -4], [1, 22]]
    assert one(torch.tensor([2, 1])).tolist() == [[0, 0], [1, 22]]
    assert one.prior().item() == pytest.approx((64 + 16 + 1 + 484) / 2)
    (one.all() * torch.tensor([[1.0, 10.0], [100.0, 1000.0]])).sum().backward()
    assert one.own.grad is not None
    # 8 times the sum over groups of features times these.
    assert (one.own.grad / 8).tolist() == [[98, 980], [1, 10], [100, 1000]]
    assert one.maps is not None
    assert one.maps.weights.equal(MAPS.weights)
    one.set(1, torch.tensor([3.0, 4.0]))
    assert one.all().tolist() == [[8, -4], [3, 4]]
    assert one.maps is None
    assert one.own.shape == (2, 2)
    assert "features" not in one.state_dict()


def test_mapped_agents_equal_folded_peft_adapters(base_files: BaseModelFiles, tiny_config: ModelConfig) -> None:
    policy = mapped(base_files, tiny_config)
    scores = policy.score(build_tree_batch(rows_of(policy)))
    plain = plain_peft(policy, base_files, tiny_config)
    values = [plain_score(plain, *row).detach() for row in zip(ORDER, PROMPTS, ANSWERS, strict=True)]
    torch.testing.assert_close(scores.detach(), torch.stack(values), atol=1e-5, rtol=1e-5)
    scores.sum().backward()
    assert policy.coordinates is not None
    assert policy.coordinates.own.grad is not None
    assert policy.coordinates.own.shape == (3, 8)
    assert (policy.coordinates.own.grad.abs().max(dim=1).values > 0).all()


def test_agents_of_no_group_answer_with_the_z_that_they_are_given(make_policy: Callable[..., GroupPolicy]) -> None:
    policy = make_policy(double=True, adapters="basis")
    segments = rows_of(policy)[0].segments
    z = {"a@age=30": torch.randn(8), "a@age=40": torch.randn(8)}
    policy.seat(z)
    places = [policy.adapter_index(name) for name in (*z, "control", "north")]
    assert places == [4, 5, 3, 0]
    scores = policy.score(build_tree_batch([TreeRow(place, segments) for place in places]))
    assert policy.coordinates is not None
    policy.coordinates.set(1, z["a@age=30"])
    policy.coordinates.set(2, z["a@age=40"])
    own = policy.score(build_tree_batch([TreeRow(place, segments) for place in (1, 2, 3, 0)]))
    torch.testing.assert_close(scores, own, atol=1e-6, rtol=1e-6)
    reply = policy.generate([PROMPTS[0]] * 2, ("a@age=30", "south"), 2, Sampling(6))
    assert reply[0] == reply[1]
    policy.seat({})
    assert policy.adapter_index("a@age=30") == 3
    assert policy.coordinates.draws is None
