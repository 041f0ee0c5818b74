"""Groups as a configuration states them, checked and turned into records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trialign.attribute_config import SET_KEYS, Stated, population, stated
from trialign.errors import UserError
from trialign.group_checks import check_keys, check_mapping, dialogue_of, items_of, name_of, text_of
from trialign.groups import GroupSet, SocialGroup, cross
from trialign.writing import WAYS, Way

CONTROL = "control"
_SET_KEYS = ("name", "attribute", "members", "control")
_MEMBER_KEYS = ("label", "explicit", "implicit", "style", "language")


def build_groups(config: Mapping[str, Any]) -> GroupSet:
    """Build the groups that are trained and compared: one set, or the product of several.

    Args:
        config: the resolved ``groups`` section: one set, or set name -> set. A set holds ``name`` (in a
            mapping: its key, or absent), ``attribute``, ``members`` (group name -> null, where it is left out, or
            ``label``, ``explicit`` wordings, ``implicit`` dialogues of ``{role, content}``, ``style``, ``language``,
            ``attributes``), and ``control`` (``label``, ``language``), which may be null. A set that states attributes
            has the keys of `trialign.attribute_config` too.

    Raises:
        UserError: the section breaks these rules; names the key.
    """
    sets = tuple(_single_set(name, values, section_of(config, name)) for name, values in configured_sets(config))
    if not sets:
        raise UserError("'groups' holds no set of groups", "Choose one, such as groups=politics")
    groups = sets[0] if len(sets) == 1 else cross(sets)
    if len(set(groups.names)) < len(groups.names):
        twice = next(name for name in groups.names if groups.names.count(name) > 1)
        raise UserError(f"Two of the combined groups are named '{twice}'", "Rename a group of one of the sets")
    attributes = [one.name for one in groups.attributes]
    if len(set(attributes)) < len(attributes):
        twice = next(name for name in attributes if attributes.count(name) > 1)
        raise UserError(f"Two of the combined sets state the attribute '{twice}'", "Rename it in one of the sets")
    return groups


def configured_sets(config: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """(name, set) pairs, unchecked, also where the ``groups`` section is one set alone."""
    return [(config.get("name"), config)] if _is_one_set(config) else list(config.items())


def section_of(config: Mapping[str, Any], name: str) -> str:
    """The config key under which a set of the ``groups`` section stands."""
    return "groups" if _is_one_set(config) else f"groups.{name}"


def _is_one_set(config: Mapping[str, Any]) -> bool:
    return any(key in config for key in _SET_KEYS)


def _single_set(name: Any, values: Any, where: str) -> GroupSet:
    check_mapping(values, where)
    for key, value in values.items():
        if key not in _SET_KEYS and isinstance(value, Mapping) and _is_one_set(value):
            raise UserError(
                f"'{where}' is a set of its own and holds the set '{key}' too",
                "To combine a file of your own with others, begin it with '# @package groups.' and its name",
            )
    check_keys(values, where, (*_SET_KEYS, *SET_KEYS))
    name_of(name, f"{where}.name")
    if values.get("name", name) != name:
        raise UserError(
            f"'{where}.name' is {values['name']!r}",
            f"Write '{name}', as in the set's key (in a file: in its '# @package' line), or leave it out",
        )
    told = stated(values, where)
    members = _sampled(told, values, where) if values.get("population") is not None else _listed(told, values, where)
    if told:
        told = told.measured(members)
    return GroupSet(
        name=name,
        attribute=text_of(values.get("attribute"), f"{where}.attribute"),
        members=members,
        control=_control(values.get("control"), f"{where}.control"),
        stated=told.attributes if told else (),
        templates=told.templates if told and told.tells else None,
        left_out=tuple(name for name, member in (values.get("members") or {}).items() if member is None),
    )


def _listed(told: Stated | None, values: Mapping[str, Any], where: str) -> tuple[SocialGroup, ...]:
    members = values.get("members")
    if not members:
        raise UserError(f"'{where}.members' holds no group", "Add at least one group under it")
    check_mapping(members, f"{where}.members")
    there = {name: member for name, member in members.items() if member is not None}
    if not there:
        raise UserError(f"'{where}.members' leaves all groups out", "Give at least one of them a profile")
    return tuple(_member(name, member, told, f"{where}.members.{name}") for name, member in there.items())


def _sampled(told: Stated | None, values: Mapping[str, Any], where: str) -> tuple[SocialGroup, ...]:
    if values.get("members"):
        raise UserError(f"'{where}' has both members and a population", "Leave one of them out")
    if told is None:
        raise UserError(f"'{where}.population' has no attributes to draw", f"State them under '{where}.attributes'")
    return population(told, values["population"], f"{where}.population")


def _control(control: Any, where: str) -> SocialGroup | None:
    if control is None:
        return None
    check_keys(control, where, ("label", "language"))
    label = text_of(control.get("label", CONTROL), f"{where}.label")
    return SocialGroup(name=CONTROL, label=label, role="control", language=_language(control, where))


def _language(values: Mapping[str, Any], where: str) -> str:
    stated = values.get("language")
    return "" if stated is None else text_of(stated, f"{where}.language")


def _member(name: Any, member: Any, told: Stated | None, where: str) -> SocialGroup:
    name_of(name, where)
    if name == CONTROL:
        raise UserError(f"'{where}' takes the name of the control", "Name the group otherwise, or use 'groups.control'")
    check_keys(member, where, (*_MEMBER_KEYS, *(("attributes",) if told else ())))
    explicit = items_of(member.get("explicit"), f"{where}.explicit")
    implicit = items_of(member.get("implicit"), f"{where}.implicit")
    filled = told.group(name, member.get("attributes"), f"{where}.attributes") if told else SocialGroup(name, name)
    group = replace(
        filled,
        label=text_of(member.get("label", filled.label), f"{where}.label"),
        explicit=tuple(text_of(text, f"{where}.explicit[{n}]") for n, text in enumerate(explicit)) or filled.explicit,
        implicit=tuple(dialogue_of(turns, f"{where}.implicit[{n}]") for n, turns in enumerate(implicit))
        or filled.implicit,
        language=_language(member, where),
        style=tuple(_way(way, f"{where}.style[{n}]") for n, way in enumerate(items_of(member.get("style"), where))),
    )
    if not group.explicit and not group.implicit:
        raise UserError(f"'{where}' has no profile", "Add wordings under 'explicit' or dialogues under 'implicit'")
    return group


def _way(way: Any, where: str) -> Way:
    """A way of writing.

    Raises:
        UserError: there is no such one.
    """
    if way not in WAYS:
        raise UserError(f"'{where}' is {way!r}, and there is no such way of writing", f"Name one of: {', '.join(WAYS)}")
    found: Way = way
    return found
