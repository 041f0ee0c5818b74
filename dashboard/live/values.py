"""Somebody whom no group stands for: a group's profile at another value of a numeric attribute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from trialign.attribute_agents import AttributeAgent, agent_of, maps_of
from trialign.attributes import Attribute, Value
from trialign.checkpoints import AgentCheckpoint
from trialign.errors import UserError
from trialign.groups import GroupSet, SocialGroup

MOST_VALUES = 9  # beside each other, as few as groups are shown


def name_at(group: str, attribute: str, value: float) -> str:
    """The name under which a group is asked at another value; no group has such a name."""
    return f"{group}@{attribute}={value:g}"


def values_at(groups: GroupSet, name: str) -> dict[str, Value] | None:
    """Whose values are asked under a name of `name_at`: the group's but for the one; None where it is no such name."""
    group, _, stated = name.partition("@")
    attribute, _, value = stated.partition("=")
    if group not in groups.names or not value:
        return None
    try:
        return {**groups.values(group), attribute: float(value)}
    except ValueError:
        return None


def told_at(groups: GroupSet, name: str, *, own: bool = False) -> SocialGroup | None:
    """Who is asked under a name of `name_at`; None where it is none, or nobody can be told so.

    Args:
        groups: of the run.
        name: that is asked.
        own: whether somebody has an agent by their values, under this name; else their name is that of the nearest
            member, whose adapter answers.
    """
    values = values_at(groups, name)
    if values is None:
        return None
    try:
        return replace(groups.told(name, values), name=name if own else groups.nearest(values).name)
    except (UserError, ValueError):
        return None


def guests(checkpoint: AgentCheckpoint | None, groups: GroupSet, names: Sequence[str]) -> dict[str, AttributeAgent]:
    """The agents of those names that are values, where the checkpoint's z are made of values.

    Raises:
        UserError: the checkpoint's maps are damaged.
    """
    maps = maps_of(checkpoint) if checkpoint else None
    if checkpoint is None or maps is None:
        return {}
    asked = {name: values for name in names if (values := values_at(groups, name)) is not None}
    return {name: agent_of(checkpoint, maps, values) for name, values in asked.items() if told_at(groups, name)}


def numbers_of(groups: GroupSet) -> tuple[Attribute, ...]:
    """The numeric attributes at whose other values somebody can be told of."""
    tellable = {one.name for single in groups.single_sets if single.templates is not None for one in single.stated}
    return tuple(one for one in groups.attributes if one.numeric and one.name in tellable)


def ticks(attribute: Attribute) -> tuple[float, ...]:
    """Round numbers within what a number can be, at most nine: 20, 30, ... 90."""
    low, high = attribute.between
    rough = (high - low) / (MOST_VALUES - 1)
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * times for times in (1, 2, 5, 10) if unit * times >= rough)
    first = math.ceil(low / step - 1e-9)
    return tuple(round(step * n, 9) for n in range(first, math.floor(high / step + 1e-9) + 1))
