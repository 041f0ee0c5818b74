"""Updates from outside the package: a class by its dotted path, with settings of its own."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_type_hints

from trialign.errors import UserError
from trialign.objectives.config import ObjectiveConfig
from trialign.scoring import Scoring
from trialign.updates.update import Update

_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def is_path(update: str) -> bool:
    """Whether ``objective.update`` names a class outside: ``module:Class``."""
    return _PATH.fullmatch(update) is not None


def made_of(objective: ObjectiveConfig, scoring: Scoring) -> Update[Any]:
    """The update that ``objective.update`` names by its dotted path, with ``objective.settings`` as its fields.

    Raises:
        UserError: there is no such class, it is no update, or the settings are not its fields.
    """
    found = _found(objective.update)
    lacking = sorted(getattr(found, "__abstractmethods__", ()))
    if lacking:
        raise UserError(
            f"objective.update is {objective.update}, and this class does not define {', '.join(lacking)}",
            "Define it as trialign.updates.Update describes it",
        )
    settings = _checked(objective.settings, found)
    try:
        return found(objective, scoring, **settings)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"objective.update is {objective.update}, which cannot be made with these settings ({_one_line(error)})",
            "Correct objective.settings, or the class",
        ) from error


def _found(path: str) -> type[Update[Any]]:
    module, _, name = path.partition(":")
    try:
        with _working_folder_first():
            there = vars(importlib.import_module(module))
    except (Exception, SystemExit) as error:  # whatever a module that is not ours does when it is imported
        raise UserError(
            f"objective.update is {path}, and the module {module} cannot be imported "
            f"({type(error).__name__}: {_one_line(error)})",
            f"Start in the folder that holds {module.partition('.')[0]}, put that folder on PYTHONPATH, or install it",
        ) from error
    found = there.get(name)
    if not (isinstance(found, type) and issubclass(found, Update)):
        kinds = [key for key, value in there.items() if isinstance(value, type) and issubclass(value, Update)]
        own = [key for key in kinds if there[key].__module__ == module]
        raise UserError(
            f"objective.update is {path}, and {module} has no update {name}",
            f"Name one that it has: {', '.join(own)}" if own else "Derive the class from trialign.updates.Update",
        )
    return found


@contextmanager
def _working_folder_first() -> Iterator[None]:
    """As ``python -m`` has it: modules of the working folder are found, also by the installed command."""
    kept = list(sys.path)
    sys.path.insert(0, str(Path.cwd()))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = kept


def _checked(settings: Mapping[str, Any], kind: type[Update[Any]]) -> dict[str, Any]:
    """The settings as the types of the update's own fields."""
    from pydantic import TypeAdapter, ValidationError

    hints = get_type_hints(kind, include_extras=True)
    known = [one.name for one in dataclasses.fields(kind) if one.init][len(dataclasses.fields(Update)) :]
    checked = {}
    for name, value in settings.items():
        if name not in known:
            raise UserError(f"Unknown config key objective.settings.{name}", _known(str(name), known))
        try:
            checked[name] = TypeAdapter(hints[name]).validate_python(value)
        except ValidationError as error:
            fault = error.errors()[0]
            raise UserError(
                f"The config key objective.settings.{name} is wrong: {fault['msg']} (got {fault['input']!r})",
                "Correct this value",
            ) from error
    return checked


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _known(name: str, known: Sequence[str]) -> str:
    if near := difflib.get_close_matches(name, known, n=1):
        return f"Did you mean objective.settings.{near[0]}?"
    return f"Known keys here: {', '.join(known)}" if known else "This update has no settings: leave it out"
