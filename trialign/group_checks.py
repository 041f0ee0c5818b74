"""What a section of groups has to be made of: mappings, lists, names and texts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from trialign.errors import UserError
from trialign.groups import Message

_TURNS = ("user", "assistant")
_NAME = re.compile(r"[a-z0-9_-]+")


def check_keys(value: Any, where: str, allowed: Sequence[str]) -> None:
    """Refuses what is no mapping, and keys beside the allowed ones.

    Raises:
        UserError: it is otherwise; names the key.
    """
    check_mapping(value, where)
    for key in value:
        if key not in allowed:
            raise UserError(f"'{where}' has the unknown key '{key}'", f"Use only: {', '.join(allowed)}")


def check_mapping(value: Any, where: str) -> None:
    """Refuses what is no mapping.

    Raises:
        UserError: it is otherwise; names the key.
    """
    if not isinstance(value, Mapping):
        raise UserError(f"'{where}' is {value!r}, not a mapping", "Write it as keys and values")


def items_of(value: Any, where: str) -> Sequence[Any]:
    """The items of a list; none where there is no value.

    Raises:
        UserError: it is otherwise; names the key.
    """
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UserError(f"'{where}' is {value!r}, not a list", "Write it as a list")
    return value


def name_of(value: Any, where: str) -> str:
    """A name that is safe as a folder.

    Raises:
        UserError: it is otherwise; names the key.
    """
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise UserError(
            f"'{where}': the name {value!r} is not allowed",
            "Use only lower-case letters, digits, '_' and '-', in quotes",
        )
    return value


def text_of(value: Any, where: str) -> str:
    """A text that is not empty.

    Raises:
        UserError: it is otherwise; names the key.
    """
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"'{where}' is {value!r}, not a text", "Write a text that is not empty")
    return value


def dialogue_of(turns: Any, where: str) -> tuple[Message, ...]:
    """A dialogue of ``{role, content}`` turns.

    Raises:
        UserError: its roles do not take turns, or a turn is otherwise; names the key.
    """
    messages = tuple(_message(turn, f"{where}[{n}]") for n, turn in enumerate(items_of(turns, where)))
    roles = tuple(message.role for message in messages)
    if not roles or roles != _TURNS * (len(roles) // 2):
        raise UserError(
            f"The dialogue '{where}' has the roles {', '.join(roles) or 'of no message'}",
            "Let user and assistant take turns, the user first and the assistant last",
        )
    return messages


def _message(turn: Any, where: str) -> Message:
    check_keys(turn, where, ("role", "content"))
    role = turn.get("role")
    if role not in _TURNS:
        raise UserError(f"'{where}.role' is {role!r}", f"Write one of: {', '.join(_TURNS)}")
    return Message(role=role, content=text_of(turn.get("content"), f"{where}.content"))
