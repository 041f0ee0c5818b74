"""Sets of groups that state attributes: values in templates, listed or drawn from a population."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from string import Formatter
from typing import Any

import numpy as np

from trialign.attributes import Attribute, Category, Value, check_values
from trialign.errors import UserError
from trialign.group_checks import check_keys, check_mapping, dialogue_of, items_of, name_of, text_of
from trialign.groups import SocialGroup, Templates

SET_KEYS = ("attributes", "label", "explicit", "implicit", "population")
_NUMBER_KEYS = ("label", "between", "step", "targets")
_CATEGORY_KEYS = ("label", "values")
_VALUE_KEYS = ("label", "text", "share", "targets")
_MOST_STEPS = 1_000_000
_ROUND = 1024  # groups drawn at once: a larger population begins with a smaller one of the same seed
_MOST_DRAWS = 1000  # for each group that is wanted


@dataclass(frozen=True)
class Stated:
    """What a set states of its groups.

    Attributes:
        attributes: in the order in which they are stated.
        templates: how they are told; without a wording or dialogue where every member brings its own.
    """

    attributes: tuple[Attribute, ...]
    templates: Templates

    @property
    def tells(self) -> bool:
        """Whether there is a template that tells a group by its values."""
        return bool(self.templates.explicit or self.templates.implicit)

    def group(self, name: str, values: Any, where: str) -> SocialGroup:
        """The group of some values, as a configuration states them.

        Raises:
            UserError: a value is missing, or is none of its attribute.
        """
        check_mapping(values, where)
        try:
            check_values(self.attributes, values)
            read = {one.name: _value(one, values[one.name], f"{where}.{one.name}") for one in self.attributes}
            return self.templates.group(name, self.attributes, read)
        except UserError as error:
            if where in error.problem:
                raise
            raise UserError(f"'{where}': {error.problem}", error.remedy) from error

    def measured(self, members: Sequence[SocialGroup]) -> Stated:
        """The same, with the spread of the members' numbers."""
        return replace(self, attributes=tuple(_measured(one, members) for one in self.attributes))


def stated(values: Mapping[str, Any], where: str) -> Stated | None:
    """The attributes and templates of a set; None where it states none.

    Args:
        values: the set: ``attributes`` (name -> a number's ``between``, ``step``, or a category's ``values``, each with
            ``label`` and ``targets``), and the templates ``label``, ``explicit`` and ``implicit``.
        where: the set's key.

    Raises:
        UserError: the set breaks these rules; names the key.
    """
    attributes = values.get("attributes")
    if attributes is None:
        idle = [key for key in SET_KEYS if values.get(key) is not None and key != "population"]
        if idle:
            raise UserError(
                f"'{where}.{idle[0]}' is a template, and the set states no attributes for it",
                f"State them under '{where}.attributes', or write '{idle[0]}' under each group of '{where}.members'",
            )
        return None
    check_mapping(attributes, f"{where}.attributes")
    if not attributes:
        raise UserError(f"'{where}.attributes' holds no attribute", "State at least one, or leave the key out")
    read = tuple(_attribute(name, one, f"{where}.attributes.{name}") for name, one in attributes.items())
    names = [one.name for one in read]
    explicit = items_of(values.get("explicit"), f"{where}.explicit")
    implicit = items_of(values.get("implicit"), f"{where}.implicit")
    templates = Templates(
        label=_template(values["label"], names, f"{where}.label", whole=False) if "label" in values else "",
        explicit=tuple(_template(text, names, f"{where}.explicit[{n}]") for n, text in enumerate(explicit)),
        implicit=tuple(dialogue_of(turns, f"{where}.implicit[{n}]") for n, turns in enumerate(implicit)),
    )
    for n, dialogue in enumerate(templates.implicit):
        _template("\n".join(message.content for message in dialogue), names, f"{where}.implicit[{n}]")
    return Stated(read, templates)


def population(told: Stated, config: Any, where: str) -> tuple[SocialGroup, ...]:
    """Groups drawn at random, no two alike: numbers evenly from their steps, categories by their shares.

    Args:
        told: what each group has a value of.
        config: ``size`` and ``seed``; the same seed draws the same groups, and a larger size adds to a smaller one.
        where: its key.

    Raises:
        UserError: there are not so many different groups, or no template tells them.
    """
    check_keys(config, where, ("size", "seed"))
    size, seed = (_whole(config.get(key, 0), f"{where}.{key}", least) for key, least in (("size", 1), ("seed", 0)))
    if not told.tells:
        raise UserError(f"'{where}' has no profile", "Add templates under the set's 'explicit' or 'implicit'")
    possible = math.prod(len(_grid(one)) for one in told.attributes)
    if size > possible:
        raise UserError(
            f"'{where}.size' is {size}, and only {possible} groups differ in {_listed(told)}",
            "Write a smaller size, a smaller step or more values",
        )
    generator = np.random.default_rng(seed)
    found: dict[str, SocialGroup] = {}
    rounds = math.ceil(_MOST_DRAWS * size / _ROUND)
    for _ in range(rounds):
        for drawn in zip(*(_drawn(one, generator) for one in told.attributes), strict=True):
            values = {one.name: value for one, value in zip(told.attributes, drawn, strict=True)}
            name = "-".join(_named(one, value) for one, value in zip(told.attributes, drawn, strict=True))
            if name not in found:
                found[name] = told.templates.group(name, told.attributes, values)
            if len(found) == size:
                return tuple(found.values())
    raise UserError(
        f"'{where}.size' is {size}, and {rounds * _ROUND:,} draws gave {len(found)} groups that differ",
        "Write a smaller size, or larger shares for what is rare",
    )


def _listed(told: Stated) -> str:
    return ", ".join(one.name for one in told.attributes)


def _attribute(name: Any, config: Any, where: str) -> Attribute:
    _field(name, where)
    check_mapping(config, where)
    label = text_of(config.get("label", name), f"{where}.label")
    if "values" in config:
        check_keys(config, where, _CATEGORY_KEYS)
        check_mapping(config["values"], f"{where}.values")
        values = {key: {} if one is None else one for key, one in config["values"].items()}
        if not values:
            raise UserError(f"'{where}.values' holds no value", "Write at least one, such as 'city: {label: City}'")
        categories = tuple(_category(key, one, f"{where}.values.{key}") for key, one in values.items())
        anchors = tuple(
            (text_of(one["targets"], f"{where}.values.{key}.targets"), key)
            for key, one in values.items()
            if "targets" in one
        )
        return Attribute(name, label, categories, anchors=anchors)
    check_keys(config, where, _NUMBER_KEYS)
    ends = [_number(end, f"{where}.between") for end in items_of(config.get("between"), f"{where}.between")]
    if len(ends) != 2 or ends[0] >= ends[1]:
        raise UserError(
            f"'{where}.between' is {config.get('between')!r}",
            "Write the smallest and the largest number, such as [18, 90]; or 'values' for categories",
        )
    step = _number(config.get("step", 1), f"{where}.step")
    if step <= 0 or (ends[1] - ends[0]) / step > _MOST_STEPS:
        raise UserError(
            f"'{where}.step' is {step:g}", f"Write a number above 0 that makes at most {_MOST_STEPS:,} steps"
        )
    return Attribute(name, label, between=(ends[0], ends[1]), step=step, anchors=_anchors(config, where))


def _field(name: Any, where: str) -> None:
    """An attribute's name stands in braces, so it is a word."""
    name_of(name, where)
    if not name.isidentifier():
        raise UserError(f"'{where}': the name '{name}' cannot stand in braces", "Begin with a letter, and use '_'")


def _category(name: Any, config: Any, where: str) -> Category:
    name_of(name, where)
    check_keys(config, where, _VALUE_KEYS)
    label = text_of(config.get("label", name), f"{where}.label")
    share = _number(config.get("share", 1), f"{where}.share")
    if share <= 0:
        raise UserError(f"'{where}.share' is {share:g}", "Write a number above 0, or leave the value out")
    return Category(name, label, text_of(config.get("text", label), f"{where}.text"), share)


def _anchors(config: Mapping[str, Any], where: str) -> tuple[tuple[str, Value], ...]:
    """Whose targets hold at which numbers."""
    anchors = config.get("targets") or {}
    check_mapping(anchors, f"{where}.targets")
    read = tuple((str(label), _number(value, f"{where}.targets.{label}")) for label, value in anchors.items())
    if len({value for _, value in read}) < len(read):
        raise UserError(f"'{where}.targets' has two targets at one number", "Take one of them out")
    return read


def _template(text: Any, names: Sequence[str], where: str, *, whole: bool = True) -> str:
    """A template that names known attributes only, and where it is ``whole`` all of them."""
    template = text_of(text, where)
    try:
        fields = [field for _, field, spec, kind in Formatter().parse(template) if field is not None]
        plain = not any(spec or kind for _, _, spec, kind in Formatter().parse(template))
    except ValueError as error:
        raise UserError(f"'{where}' has a brace without its other one", "Write '{{' and '}}' for braces") from error
    unknown = [field for field in fields if field not in names]
    if unknown or not plain:
        what = f"names '{{{unknown[0]}}}'" if unknown else "tells how to write a value"
        raise UserError(f"'{where}' {what}", f"Use only: {', '.join(f'{{{name}}}' for name in names)}")
    absent = [name for name in names if name not in fields]
    if whole and absent:
        raise UserError(f"'{where}' does not tell '{absent[0]}'", f"Put '{{{absent[0]}}}' into it")
    return template


def _value(attribute: Attribute, value: Any, where: str) -> Value:
    if attribute.numeric:
        return attribute.within(_number(value, where), where)
    return attribute.category(value).name


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"'{where}' is {value!r}, not a number", "Write a finite number without quotes")
    return float(value)


def _whole(value: Any, where: str, least: int) -> int:
    number = _number(value, where)
    if not number.is_integer() or number < least:
        raise UserError(f"'{where}' is {number:g}", f"Write a whole number from {least} on")
    return int(number)


def _grid(attribute: Attribute) -> list[Value]:
    """Every value that a population can have."""
    if not attribute.numeric:
        return [category.name for category in attribute.categories]
    (low, high), step = attribute.between, attribute.step
    count = math.floor((high - low) / step + 1e-9) + 1
    return [round(low + n * step, 9) for n in range(count)]


def _drawn(attribute: Attribute, generator: np.random.Generator) -> list[Value]:
    """Values, drawn with replacement."""
    grid = _grid(attribute)
    shares = np.array([one.share for one in attribute.categories] or [1.0] * len(grid))
    return [grid[place] for place in generator.choice(len(grid), size=_ROUND, p=shares / shares.sum())]


def _named(attribute: Attribute, value: Value) -> str:
    """A value as a part of a group's name: ``age_34``, ``country_usa``."""
    shown = f"{value:g}".replace(".", "p").replace("-", "m") if isinstance(value, float) else value
    return f"{attribute.name}_{shown}"


def _measured(attribute: Attribute, members: Sequence[SocialGroup]) -> Attribute:
    if not attribute.numeric:
        return attribute
    numbers = np.array([attribute.number(group.attributes[attribute.name]) for group in members])
    spread = float(numbers.std())
    return replace(
        attribute,
        trained=(float(numbers.min()), float(numbers.max())),
        mean=float(numbers.mean()),
        scale=spread if spread > 0 else 1.0,
    )
