"""Groups as a configuration states them, checked and turned into records."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from trialign.errors import UserError
from trialign.groups import GroupSet, Message, SocialGroup, cross

CONTROL = "control"
_NAME = re.compile(r"[a-z0-9_-]+")
_SET_KEYS = ("name", "attribute", "members", "control")
_TURNS = ("user", "assistant")


def build_groups(config: Mapping[str, Any]) -> GroupSet:
    """Build the groups that are trained and compared: one set, or the product of several.

    Args:
        config: the resolved ``groups`` section: one set, or set name -> set. A set holds ``name`` (in a
            mapping: its key, or absent), ``attribute``, ``members`` (group name -> ``label``, ``explicit``
            wordings, ``implicit`` dialogues of ``{role, content}``), and ``control`` (``label``), which may
            be null.

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
    _check_mapping(values, where)
    for key, value in values.items():
        if key not in _SET_KEYS and isinstance(value, Mapping) and _is_one_set(value):
            raise UserError(
                f"'{where}' is a set of its own and holds the set '{key}' too",
                "To combine a file of your own with others, begin it with '# @package groups.' and its name",
            )
    _check_keys(values, where, _SET_KEYS)
    _name(name, f"{where}.name")
    if values.get("name", name) != name:
        raise UserError(
            f"'{where}.name' is {values['name']!r}",
            f"Write '{name}', as in the set's key (in a file: in its '# @package' line), or leave it out",
        )
    members = values.get("members")
    if not members:
        raise UserError(f"'{where}.members' holds no group", "Add at least one group under it")
    _check_mapping(members, f"{where}.members")
    return GroupSet(
        name=name,
        attribute=_text(values.get("attribute"), f"{where}.attribute"),
        members=tuple(_member(name, member, f"{where}.members.{name}") for name, member in members.items()),
        control=_control(values.get("control"), f"{where}.control"),
    )


def _control(control: Any, where: str) -> SocialGroup | None:
    if control is None:
        return None
    _check_keys(control, where, ("label",))
    return SocialGroup(name=CONTROL, label=_text(control.get("label", CONTROL), f"{where}.label"), role="control")


def _member(name: Any, member: Any, where: str) -> SocialGroup:
    _name(name, where)
    if name == CONTROL:
        raise UserError(f"'{where}' takes the name of the control", "Name the group otherwise, or use 'groups.control'")
    _check_keys(member, where, ("label", "explicit", "implicit"))
    explicit = _items(member.get("explicit"), f"{where}.explicit")
    implicit = _items(member.get("implicit"), f"{where}.implicit")
    if not explicit and not implicit:
        raise UserError(f"'{where}' has no profile", "Add wordings under 'explicit' or dialogues under 'implicit'")
    return SocialGroup(
        name=name,
        label=_text(member.get("label", name), f"{where}.label"),
        explicit=tuple(_text(text, f"{where}.explicit[{n}]") for n, text in enumerate(explicit)),
        implicit=tuple(_dialogue(turns, f"{where}.implicit[{n}]") for n, turns in enumerate(implicit)),
    )


def _dialogue(turns: Any, where: str) -> tuple[Message, ...]:
    messages = tuple(_message(turn, f"{where}[{n}]") for n, turn in enumerate(_items(turns, where)))
    roles = tuple(message.role for message in messages)
    if not roles or roles != _TURNS * (len(roles) // 2):
        raise UserError(
            f"The dialogue '{where}' has the roles {', '.join(roles) or 'of no message'}",
            "Let user and assistant take turns, the user first and the assistant last",
        )
    return messages


def _message(turn: Any, where: str) -> Message:
    _check_keys(turn, where, ("role", "content"))
    role = turn.get("role")
    if role not in _TURNS:
        raise UserError(f"'{where}.role' is {role!r}", f"Write one of: {', '.join(_TURNS)}")
    return Message(role=role, content=_text(turn.get("content"), f"{where}.content"))


def _check_keys(value: Any, where: str, allowed: Sequence[str]) -> None:
    _check_mapping(value, where)
    for key in value:
        if key not in allowed:
            raise UserError(f"'{where}' has the unknown key '{key}'", f"Use only: {', '.join(allowed)}")


def _check_mapping(value: Any, where: str) -> None:
    if not isinstance(value, Mapping):
        raise UserError(f"'{where}' is {value!r}, not a mapping", "Write it as keys and values")


def _items(value: Any, where: str) -> Sequence[Any]:
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UserError(f"'{where}' is {value!r}, not a list", "Write it as a list")
    return value


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise UserError(
            f"'{where}': the name {value!r} is not allowed",
            "Use only lower-case letters, digits, '_' and '-', in quotes",
        )
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"'{where}' is {value!r}, not a text", "Write a text that is not empty")
    return value
