"""The keys that a configuration may have, and the limits of its numbers: its dataclasses' fields, however deep."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any

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
        elif isinstance(value, bool) and {int, float} & {hints[key], *typing.get_args(hints[key])}:
            raise UserError(
                f"The config key {where}{key} is {str(value).lower()}, which is no number",
                "Write a number; YAML reads yes, no, on and off as true and false",
            )
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


@dataclass(frozen=True)
class Limits:
    """The smallest and the largest value that a number may have."""

    smallest: float
    largest: float

    def __str__(self) -> str:
        return " and ".join(str(end) if isinstance(end, int) else f"{end:g}" for end in (self.smallest, self.largest))


def number_limits(kind: type) -> dict[str, Limits | None]:
    """Dotted key -> limits of every number in a configuration, None where it has none.

    A ``*`` stands for each entry of a list or mapping: ``trainer.visits.*``.
    """
    return dict(_number_limits(kind, ""))


def limits_of(kind: type, key: str) -> Limits | None:
    """The limits of the number that a dotted key names, the entries of lists by their number."""
    return next((found for pattern, found in number_limits(kind).items() if fnmatchcase(key, pattern)), None)


def _number_limits(hint: Any, where: str) -> Iterator[tuple[str, Limits | None]]:
    if dataclasses.is_dataclass(hint):
        for name, inner in typing.get_type_hints(hint, include_extras=True).items():
            yield from _number_limits(inner, f"{where}.{name}".lstrip("."))
    elif hint in (int, float):
        yield where, None
    elif typing.get_origin(hint) is Annotated:
        ends = {name: end for one in hint.__metadata__[0].metadata for name, end in dataclasses.asdict(one).items()}
        yield where, Limits(ends["ge"], ends["le"])
    else:
        inside = f"{where}.*" if typing.get_origin(hint) in (dict, tuple) else where
        for part in typing.get_args(hint):
            yield from _number_limits(part, inside)
