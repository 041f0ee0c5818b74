"""From config files and overrides to the plain values of a configuration, by Hydra."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from typing import Any

from trialign.config import RunConfig
from trialign.config_files import config_root, culprit, place_of, without_namesakes
from trialign.config_keys import check_keys
from trialign.errors import UserError
from trialign.overrides import readable, refuse_sweep
from trialign.places import at_home, with_homes

_NO_REFERENCE = "'${' begins a reference to another key, as in ${seed}, and none follows"


def compose(config: str, overrides: Sequence[str]) -> dict[str, Any]:
    """Composes a config file with its groups and overrides, resolved.

    Args:
        config: a path inside the configuration folder (``conf/quickstart.yaml``), or a file anywhere else,
            which finds the installed groups too.
        overrides: ``key=value`` in Hydra's grammar.

    Raises:
        UserError: the file is missing, or an override or interpolation cannot be applied.
    """
    from hydra import compose as hydra_compose

    with hydra_of(config, overrides) as (name, values):
        refuse_sweep(values)
        return resolved(hydra_compose(name, values))


def resolved(composed: Any) -> dict[str, Any]:
    """The plain values of what Hydra composed, ``~`` replaced in its paths."""
    from omegaconf import OmegaConf

    plain = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    return {str(key): with_homes(value, str(key)) for key, value in plain.items()}


@contextmanager
def hydra_of(config: str, overrides: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Hydra, set up for a config file: inside, it knows the file by the name and overrides that are yielded.

    Raises:
        UserError: the file is missing, or what Hydra, OmegaConf or YAML finds wrong inside, in one sentence.
    """
    from hydra import initialize_config_dir

    folder, name, inside = place_of(str(at_home(config, "--config")))
    values = readable(overrides)
    if not inside:
        # In quotes: the folder may have characters of Hydra's grammar in its name.
        values.append(f"hydra.searchpath=['file://{config_root()}']")
    try:
        if not inside:
            _refuse_group_overrides(folder / name, overrides)
        with without_namesakes(folder, RunConfig) as seen, initialize_config_dir(str(seen), version_base="1.3"):
            yield name.removesuffix(".yaml"), values
    except Exception as error:
        if not _is_of_hydra(error):
            raise
        _check_override_keys(overrides)
        raise UserError(
            f"The configuration {config} cannot be composed: {culprit(error, folder, name) or _sentence(error)}",
            f"Correct it; what there is to choose from lies in {config_root()}",
        ) from error


def _is_of_hydra(error: Exception) -> bool:
    """Whether Hydra or what it reads with raised an error: its own, or one of Python's that it lets through."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    if isinstance(error, (HydraException, OmegaConfBaseException, YAMLError, RecursionError, UnicodeDecodeError)):
        return True
    return _frames(error)[-1:] in (["hydra"], ["omegaconf"], ["yaml"])


def _frames(error: Exception) -> list[str]:
    """The libraries that an error came through, the one that raised it last."""
    frames = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
    return [name.partition(".")[0] for name in frames]


def _check_override_keys(overrides: Sequence[str]) -> None:
    """Names the nearest key, which Hydra's own message about an unknown one does not."""
    for override in overrides:
        key = override.lstrip("+~").split("=")[0]
        if not (config_root() / key.split("@")[0]).is_dir() and not key.startswith("hydra"):
            nested: Any = None
            for part in reversed(key.split(".")):
                nested = {part: nested}
            check_keys(nested, RunConfig, "")


def _refuse_group_overrides(file: Path, overrides: Sequence[str]) -> None:
    """A resolved config has no groups left to choose from; a user's file with a defaults list has."""
    from omegaconf import OmegaConf
    from yaml import YAMLError

    try:
        resolved = "defaults" not in OmegaConf.load(file)
    except (OSError, YAMLError):
        return
    for override in overrides:
        key = override.lstrip("+~").split("=")[0].split("@")[0]
        if resolved and (config_root() / key).is_dir():
            raise UserError(
                f"The config {file} is resolved, so the group '{key}' can no longer be chosen",
                f"Override single values ({key}.<key>=...), or start from the config that it was composed from",
            )


def _sentence(error: Exception) -> str:
    from omegaconf.errors import ConfigTypeError, GrammarParseError
    from yaml import YAMLError

    if isinstance(error, GrammarParseError) and "${" in str(error):
        where = f"in {error.full_key}, " if error.full_key else ""
        return f"{where}{_NO_REFERENCE}"
    if "yaml" in _frames(error) and not isinstance(error, YAMLError):
        return "YAML cannot make a value of what is written in it; write it without '!!', or in quotes"
    merging = error.__cause__
    if isinstance(merging, ConfigTypeError) and "ListConfig" in str(merging):
        given = str(error).partition("=")[2][:1]
        sorts = ["a list, in brackets", "a mapping, in braces"]
        wanted, found = sorts if given == "{" else reversed(sorts)
        return f"{merging.full_key} takes {wanted}, and got {found}"
    # YAML says first what it was doing, and then what it found.
    text = getattr(error, "problem", None) or str(error) or str(error.__cause__ or "")
    lines = [line.strip() for line in str(text).replace("NoneType", "nothing").splitlines() if line.strip()]
    if lines and lines[0].startswith("Error merging override"):
        override = lines[0].removeprefix("Error merging override").strip().rstrip(".")
        if isinstance(merging, GrammarParseError):
            return f"in {override}, {_NO_REFERENCE}"
        lines[0] = ": ".join([override, *lines[1:2]])
    sentence = lines[0].rstrip(".") if lines else type(error).__name__
    if hint := next((line for line in lines[1:] if line.startswith("To append to your config use")), None):
        sentence += f", because what is chosen states no such key; to add it write {hint.split()[-1]}"
    # Where it is stands in attributes: of OmegaConf's errors, of Hydra's two, and of YAML's.
    for name in ("full_key", "override"):
        if place := getattr(error, name, None):
            sentence += f" ({place})"
    if options := getattr(error, "options", None):
        sentence += f"; there are {', '.join(options)}"
    if mark := getattr(error, "problem_mark", None):
        sentence += f" in line {mark.line + 1}"
    return sentence
