"""z as a function of what the groups state: a sum of maps, one for each attribute.

    z = sum over attributes of f(attribute)

f is linear in a number, as its distance from the members' mean in standard deviations, and a vector of its own for each
category. So every combination of values has a z, whether or not a group has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise

import torch
from pydantic import TypeAdapter
from torch import Tensor

from trialign.attributes import Attribute, Value, check_values, standardised
from trialign.errors import UserError
from trialign.groups import GroupSet
from trialign.policy.adapters import AdapterConfig


@dataclass(frozen=True)
class Traits:
    """What the groups of a training state, as numbers.

    Attributes:
        attributes: with the spread of the members' numbers, and the categories that a member has.
        features: [groups, sum of widths] the members' values, see `trialign.attributes.standardised`.
    """

    attributes: tuple[Attribute, ...]
    features: Tensor


def traits_of(groups: GroupSet, config: AdapterConfig) -> Traits | None:
    """What z is made of; None where each group has a z of its own.

    Raises:
        UserError: the groups state no attributes.
    """
    if config.adapters != "basis" or config.basis.z != "attributes":
        return None
    if not groups.factors and not groups.stated:
        raise UserError(
            f"policy.basis.z is attributes, and the set '{groups.name}' states none of its groups",
            "State them (docs/data.md), combine several sets, or set policy.basis.z=free",
        )
    values = [groups.values(name) for name in groups.names]
    attributes = tuple(_told(one, {of_group[one.name] for of_group in values}) for one in groups.attributes)
    return Traits(attributes, torch.tensor([standardised(attributes, of_group) for of_group in values]))


def _told(attribute: Attribute, values: set[Value]) -> Attribute:
    """An attribute without the categories that no member has, of which nothing can be learned, and without targets."""
    had = tuple(category for category in attribute.categories if category.name in values)
    return replace(attribute, categories=had, anchors=())


@dataclass(frozen=True)
class AttributeMaps:
    """What was learned of the attributes.

    Attributes:
        attributes: those of the training, see `Traits`.
        weights: [sum of widths, dimensions] a row for each number and each category, in the order of the attributes.
    """

    attributes: tuple[Attribute, ...]
    weights: Tensor

    def z(self, values: Mapping[str, Value]) -> Tensor:
        """[dimensions] of somebody who has these values.

        Raises:
            UserError: a value is missing, or is none of its attribute, such as a category that no group had.
        """
        return torch.tensor(standardised(self.attributes, values)).to(self.weights) @ self.weights

    def beyond(self, values: Mapping[str, Value]) -> list[str]:
        """A sentence for each number that lies outside those that were trained.

        Raises:
            UserError: a value is missing, or there is no such attribute.
        """
        check_values(self.attributes, values)
        said = [one.beyond(values[one.name]) for one in self.attributes]
        return [sentence for sentence in said if sentence]

    def to_json(self) -> str:
        """As a text that `from_json` reads; numbers come back as they were."""
        rows = self.weights.float().tolist()
        stated = [
            {**asdict(one), "map": rows[begin:end]}
            for one, (begin, end) in zip(self.attributes, pairwise(_ends(self.attributes)), strict=True)
        ]
        return json.dumps({"attributes": stated}, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> AttributeMaps:
        """What `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            stated = json.loads(text)["attributes"]
            rows = [row for one in stated for row in one["map"]]
            bare = [{key: value for key, value in one.items() if key != "map"} for one in stated]
            attributes = TypeAdapter(tuple[Attribute, ...]).validate_python(bare)
            maps = cls(attributes, torch.tensor(rows, dtype=torch.float32))
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise ValueError("no maps of attributes") from error
        if maps.weights.dim() != 2 or len(rows) != _ends(attributes)[-1]:
            raise ValueError("maps of other attributes")
        return maps


def _ends(attributes: tuple[Attribute, ...]) -> list[int]:
    """Where each attribute's rows end, and first where they begin."""
    ends = [0]
    for one in attributes:
        ends.append(ends[-1] + one.width)
    return ends
