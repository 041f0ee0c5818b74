"""Paths as a user writes them: ``~`` is the home, in every key and argument alike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trialign.errors import UserError

# Keys of a configuration that hold paths, or lists and mappings of paths.
_PATH_KEYS = frozenset({"runs", "folder", "files", "path", "beside", "adapters", "tokenizer"})


def at_home(path: str | Path, meant: str) -> Path:
    """A path with ``~`` or ``~name`` at its beginning replaced by that home; any other as it is.

    Args:
        path: as it was written.
        meant: the key, argument or variable that holds it.

    Raises:
        UserError: this account, or the one named, has no home.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(
            f"{meant} is '{path}', and there is no home that '{Path(path).parts[0]}' could stand for",
            f"Set the environment variable HOME, or {meant} to a path without '~'",
        ) from error


def has_home() -> bool:
    """Whether this account has a home."""
    try:
        Path.home()
    except RuntimeError:
        return False
    return True


def with_homes(values: Any, key: str = "") -> Any:
    """Plain values of a configuration, with ``~`` replaced in every path.

    Args:
        values: mappings, lists and scalars.
        key: under which they stand, dotted.

    Raises:
        UserError: as `at_home`.
    """
    if isinstance(values, Mapping):
        inner = {name: f"{key}.{name}".lstrip(".") for name in values}
        return {name: with_homes(value, inner[name]) for name, value in values.items()}
    if isinstance(values, list):
        return [with_homes(value, key) for value in values]
    if isinstance(values, str) and values.startswith("~") and not _PATH_KEYS.isdisjoint(key.split(".")):
        return str(at_home(values, key))
    return values
