"""From config files and overrides to the plain values of a configuration, by Hydra."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from trialign.config import RunConfig
from trialign.config_keys import check_keys
from trialign.errors import UserError


def config_root() -> Path:
    """The installed configuration folder."""
    return Path(str(files("trialign.conf")))


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
        return resolved(hydra_compose(name, values))


def resolved(composed: Any) -> dict[str, Any]:
    """The plain values of what Hydra composed."""
    from omegaconf import OmegaConf

    plain = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


@contextmanager
def hydra_of(config: str, overrides: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Hydra, set up for a config file: inside, it knows the file by the name and overrides that are yielded.

    Raises:
        UserError: the file is missing, or what Hydra, OmegaConf or YAML finds wrong inside, in one sentence.
    """
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    folder, name, inside = _place(config)
    values = list(overrides)
    if not inside:
        _refuse_group_overrides(folder / name, overrides)
        # In quotes: the folder may have characters of Hydra's grammar in its name.
        values.append(f"hydra.searchpath=['file://{config_root()}']")
    try:
        with initialize_config_dir(str(folder), version_base="1.3"):
            yield name.removesuffix(".yaml"), values
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        _check_override_keys(overrides)
        raise UserError(
            f"The configuration {config} cannot be composed: {_sentence(error)}",
            f"Correct it, or look at what there is with 'trialign fit --config {config} --cfg' and in {config_root()}",
        ) from error


def _check_override_keys(overrides: Sequence[str]) -> None:
    """Names the nearest key, which Hydra's own message about an unknown one does not."""
    for override in overrides:
        key = override.lstrip("+~").split("=")[0]
        if not (config_root() / key.split("@")[0]).is_dir() and not key.startswith("hydra"):
            nested: Any = None
            for part in reversed(key.split(".")):
                nested = {part: nested}
            check_keys(nested, RunConfig, "")


def _place(config: str) -> tuple[Path, str, bool]:
    """(folder that Hydra starts from, file name relative to it, whether it is inside the configuration folder)."""
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
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    sentence = lines[0].rstrip(".") if lines else type(error).__name__
    # Where it is stands in attributes: of OmegaConf's errors, of Hydra's two, and of YAML's.
    for name in ("full_key", "override"):
        if place := getattr(error, name, None):
            sentence += f" ({place})"
    if options := getattr(error, "options", None):
        sentence += f"; there are {', '.join(options)}"
    if mark := getattr(error, "problem_mark", None):
        sentence += f" in line {mark.line + 1}"
    return sentence
