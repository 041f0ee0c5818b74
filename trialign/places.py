"""Paths as a user writes them: ``~`` is the home, in every key and argument alike."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trialign.errors import UserError

# Keys of a configuration that hold paths, or lists and mappings of paths.
_PATH_KEYS = frozenset(
    {
        "runs",
        "folder",
        "files",
        "path",
        "beside",
        "adapters",
        "tokenizer",
        "canary",
        "nli",
        "calibration",
        "start",
        "behaviour",
    }
)


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


def anchored(config: Mapping[str, Any], bases: Sequence[Path]) -> dict[str, Any]:
    """A configuration whose relative paths to a model, to adapters and to question files no longer depend on a folder.

    Args:
        config: plain values.
        bases: folders that the paths may be relative to, the likeliest first; a path that is in none stays as it is.
    """

    def place(path: Any) -> Any:
        if not isinstance(path, str) or not path or Path(path).is_absolute():
            return path
        return next((os.path.abspath(base / path) for base in bases if (base / path).exists()), path)

    def places(path: Any) -> Any:
        return {name: place(one) for name, one in path.items()} if isinstance(path, Mapping) else place(path)

    made = dict(config)
    if isinstance(model := config.get("model"), Mapping):
        made["model"] = {**model, **{key: places(model[key]) for key in ("path", "adapters") if key in model}}
        if isinstance(endpoint := model.get("endpoint"), Mapping):
            paths = {key: place(endpoint[key]) for key in ("tokenizer", "canary") if key in endpoint}
            made["model"]["endpoint"] = {**endpoint, **paths}
    if isinstance(policy := config.get("policy"), Mapping) and "start" in policy:
        made["policy"] = {**policy, "start": places(policy["start"])}
    if isinstance(collect := config.get("collect"), Mapping) and "behaviour" in collect:
        made["collect"] = {**collect, "behaviour": place(collect["behaviour"])}
    if isinstance(data := config.get("data"), Mapping):
        made["data"] = _anchored_data(data, bases)
    return made


def _anchored_data(data: Mapping[str, Any], bases: Sequence[Path]) -> Mapping[str, Any]:
    """Question files lie below ``data.folder``, which is the working folder where it is not given."""
    folder = Path(str(data.get("folder") or "."))
    stated = data.get("files")
    stated = stated if isinstance(stated, list) else []
    files = [file.get("path") if isinstance(file, Mapping) else file for file in stated]
    relative = [file for file in files if isinstance(file, str) and not file.startswith(("/", "embedded:"))]
    if folder.is_absolute() or not relative:
        return data
    found = next((base for base in bases if (base / folder / relative[0]).exists()), None)
    return data if found is None else {**data, "folder": os.path.abspath(found / folder)}
