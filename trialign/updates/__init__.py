"""The updates: each file says which answers it learns from, what it counts, and what its loss is."""

from __future__ import annotations

import difflib
from typing import Any

from trialign.errors import UserError
from trialign.objectives.config import ObjectiveConfig
from trialign.scoring import Scoring
from trialign.updates.awr import Awr
from trialign.updates.expected import Expected
from trialign.updates.likelihood import Likelihood
from trialign.updates.outside import is_path, made_of
from trialign.updates.pairs import Pairs
from trialign.updates.topr import Topr
from trialign.updates.update import Update

__all__ = ["UPDATES", "Update", "check_update", "updates_of"]

# ``objective.update`` -> what learns: of several, the first that takes an observation.
UPDATES: dict[str, tuple[type[Update[Any]], ...]] = {
    "auto": (Expected, Awr),
    "expected": (Expected, Awr),
    "awr": (Awr,),
    "topr": (Topr,),
    "likelihood": (Likelihood,),
    "pairs": (Pairs,),
    "none": (),
}


def check_update(objective: ObjectiveConfig) -> None:
    """Refuses what can be seen without importing an update from outside.

    Raises:
        UserError: there is no update of this name, or it takes no settings and is given some.
    """
    name = objective.update
    if is_path(name):
        return
    if name not in UPDATES:
        near = difflib.get_close_matches(name, UPDATES, n=1)
        raise UserError(
            f"objective.update is {name!r}, which names no update",
            f"Did you mean {near[0]}?"
            if near
            else f"Name one of {', '.join(UPDATES)}, or one of your own: module:Class",
        )
    if objective.settings:
        raise UserError(
            f"objective.settings has {', '.join(map(str, objective.settings))}, and the update {name} has no settings",
            "Leave it out: what the shipped updates read has keys of its own under objective",
        )


def updates_of(objective: ObjectiveConfig, scoring: Scoring) -> tuple[Update[Any], ...]:
    """The updates that an objective names.

    Args:
        objective: the configuration; ``update`` is a name of `UPDATES`, or ``module:Class`` of one from outside.
        scoring: how the scores of options become S_g.

    Raises:
        UserError: there is no such update, or its settings are not its fields.
    """
    check_update(objective)
    if is_path(objective.update):
        return (made_of(objective, scoring),)
    return tuple(update(objective, scoring) for update in UPDATES[objective.update])
