"""Somebody whom no group stands for: a group's profile at another value of a numeric attribute."""

from __future__ import annotations

import math
from dataclasses import replace

from trialign.attributes import Attribute
from trialign.errors import UserError
from trialign.groups import GroupSet, SocialGroup

MOST_VALUES = 9  # beside each other, as few as groups are shown


def name_at(group: str, attribute: str, value: float) -> str:
    """The name under which a group is asked at another value; no group has such a name."""
    return f"{group}@{attribute}={value:g}"


def told_at(groups: GroupSet, name: str) -> SocialGroup | None:
    """Who is asked under a name of `name_at`; None where it is none, or nobody can be told so.

    Its values are the group's but for the one; its name is that of the nearest member, whose adapter answers.
    """
    group, _, stated = name.partition("@")
    attribute, _, value = stated.partition("=")
    if group not in groups.names or not value:
        return None
    try:
        values = {**groups.values(group), attribute: float(value)}
        return replace(groups.told(name, values), name=groups.nearest(values).name)
    except (UserError, ValueError):
        return None


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
