"""The files that a configuration is composed from, as users keep them, and what Hydra leaves unsaid about them."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from trialign.errors import UserError


def config_root() -> Path:
    """The installed configuration folder."""
    return Path(str(files("trialign.conf")))


def place_of(config: str) -> tuple[Path, str, bool]:
    """Where a config file is.

    Returns:
        The folder that Hydra starts from, the file's name relative to it, whether that is the installed folder.

    Raises:
        UserError: there is no such file, or its name does not end in ``.yaml``.
    """
    root = config_root().resolve()
    path = Path(config)
    if not path.is_file() and path.parts[:1] == ("conf",):
        # An installed package has no conf/ in the working folder; the same words name the installed one.
        path = root.joinpath(*path.parts[1:])
    if not path.is_file():
        raise UserError(
            f"There is no config file {config}",
            f"Name one of your own, or one of those in {root} (conf/quickstart.yaml)",
        )
    if path.suffix != ".yaml":
        raise UserError(f"The config file {config} does not end in .yaml", "Rename it")
    path = path.resolve()
    if path.is_relative_to(root):
        return root, path.relative_to(root).as_posix(), True
    return path.parent, path.name, False


@contextmanager
def without_namesakes(folder: Path, keys: type) -> Iterator[Path]:
    """A folder of configurations in which no subfolder passes for a key.

    Hydra takes a folder ``runs/`` beside the config file for a group of configurations, so that ``runs=elsewhere``
    would choose among its files. Where a subfolder has the name of a key that is no group, what is beside it is linked
    in a temporary folder without it.

    Args:
        folder: of the config file.
        keys: the dataclass whose fields are the keys.
    """
    plain = {field.name for field in dataclasses.fields(keys)} - {one.name for one in config_root().iterdir()}
    namesakes = {name for name in plain if (folder / name).is_dir()}
    if not namesakes:
        yield folder
        return
    with tempfile.TemporaryDirectory() as scratch:
        for one in folder.iterdir():
            if one.name not in namesakes:
                (Path(scratch) / one.name).symlink_to(one)
        yield Path(scratch)


def culprit(error: BaseException, folder: Path, name: str) -> str | None:
    """What is wrong in which file, where Hydra's own error names none.

    Args:
        error: as Hydra, OmegaConf or Python raised it.
        folder: of the config file.
        name: of the file in it.

    Returns:
        A sentence without its full stop; None where the error speaks for itself.
    """
    from hydra.errors import ConfigCompositionException
    from omegaconf.errors import KeyValidationError

    if isinstance(error, UnicodeDecodeError):
        return _first(folder, name, _encoding_fault) or "a file of it is not in UTF-8"
    if isinstance(error, RecursionError):
        return _first(folder, name, _inclusion_fault) or "its defaults include one another without end"
    if isinstance(error.__cause__ or error, KeyValidationError):
        return _first(folder, name, _key_fault) or "a key in it is no text; put it in quotes"
    if isinstance(error, OSError | ConfigCompositionException):
        return _first(folder, name, _content_fault)
    return None


def _first(folder: Path, name: str, fault: Callable[[Path], str | None]) -> str | None:
    # Hydra looks beside the file and in the folders of its groups, not in any other folder that may lie there.
    own = [folder / name, *sorted(folder.glob("*.yaml")), *sorted(folder.glob("*/*.yaml"))]
    return next((found for file in own if file.is_file() and (found := fault(file))), None)


def _encoding_fault(file: Path) -> str | None:
    content = file.read_bytes()
    try:
        content.decode()
    except UnicodeDecodeError:
        sort = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding, such as Latin-1"
        return f"the file {file} is written in {sort}; save it anew as UTF-8"
    return None


def _inclusion_fault(file: Path) -> str | None:
    for entry in _defaults(file):
        named = entry if isinstance(entry, str) else next(iter(entry.values()), None) if isinstance(entry, dict) else 0
        if named in (file.stem, file.name):
            return (
                f"the file {file} has the name of a file that it builds on, and so includes itself instead of "
                "TriAlign's; rename it"
            )
    return None


def _content_fault(file: Path) -> str | None:
    content = _content(file)
    if content is None or isinstance(content, dict | str):  # a text alone is taken for a key without a value
        return None
    return f"the file {file} holds {'a list' if isinstance(content, list) else 'one value'}, and no keys with values"


def _key_fault(file: Path) -> str | None:
    key = _foreign_key(_content(file), "")
    return None if key is None else f"in the file {file}, {key} is read by YAML as no text; put the key in quotes"


def _foreign_key(content: Any, where: str) -> str | None:
    if isinstance(content, list):
        content = dict(zip(map(str, range(len(content))), content, strict=True))
    if not isinstance(content, dict):
        return None
    for key, value in content.items():
        if not isinstance(key, str | int | float | bool):
            written = "null" if key is None else str(key)
            return f"the key '{written}' under '{where.rstrip('.')}'" if where else f"the key '{written}'"
        if found := _foreign_key(value, f"{where}{key}."):
            return found
    return None


def _defaults(file: Path) -> list[Any]:
    content = _content(file)
    entries = content.get("defaults") if isinstance(content, dict) else None
    return entries if isinstance(entries, list) else []


def _content(file: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        return None
