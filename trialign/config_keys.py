"""The keys that a configuration may have: the fields of its dataclasses, however deep."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from trialign.errors import UserError


def check_keys(values: Mapping[str, Any], kind: type, where: str) -> None:
    """Refuses keys that a config dataclass does not have.

    Raises:
        UserError: names the key and the nearest one that exists.
    """
    hints = typing.get_type_hints(kind)
    for key, value in values.items():
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            known = f"Did you mean {where}{near[0]}?" if near else f"Known keys here: {', '.join(hints)}"
            raise UserError(f"Unknown config key {where}{key}", known)
        inner = _dataclass_of(hints[key])
        if inner and isinstance(value, Mapping):
            check_keys(value, inner, f"{where}{key}.")
        elif inner and isinstance(value, list):
            for number, item in enumerate(value):
                if isinstance(item, Mapping):
                    check_keys(item, inner, f"{where}{key}.{number}.")


def _dataclass_of(hint: Any) -> type | None:
    """The dataclass that a value of this type is, or may be, or that the items of a sequence may be."""
    if dataclasses.is_dataclass(hint):
        return hint if isinstance(hint, type) else None
    return next((inner for part in typing.get_args(hint) if (inner := _dataclass_of(part))), None)


def default_leaves(kind: type) -> dict[str, Any]:
    """Dotted key -> default of every plain value that a configuration need not state, as YAML holds it."""
    return dict(_default_leaves(kind, ""))


def _default_leaves(kind: type, where: str) -> Iterator[tuple[str, Any]]:
    hints = typing.get_type_hints(kind)
    for one in dataclasses.fields(kind):
        default = one.default if one.default_factory is dataclasses.MISSING else one.default_factory()
        if dataclasses.is_dataclass(default):
            yield from _default_leaves(type(default), f"{where}{one.name}.")
        elif default is dataclasses.MISSING and dataclasses.is_dataclass(hints[one.name]):
            yield from _default_leaves(hints[one.name], f"{where}{one.name}.")
        elif default is not dataclasses.MISSING and not (isinstance(default, dict) and default):
            yield f"{where}{one.name}", list(default) if isinstance(default, tuple) else default
