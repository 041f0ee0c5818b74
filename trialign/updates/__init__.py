"""The updates: each file says which answers it learns from, what it counts, and what its loss is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from trialign.errors import UserError
from trialign.objectives.config import ObjectiveConfig
from trialign.objectives.welfare import WELFARES
from trialign.scoring import Scoring
from trialign.updates.awr import Awr
from trialign.updates.expected import Expected
from trialign.updates.likelihood import Likelihood
from trialign.updates.outside import is_path, made_of
from trialign.updates.pairs import Pairs
from trialign.updates.topr import Topr
from trialign.updates.update import Step, Update, UpdateLoss

__all__ = ["UPDATES", "Step", "Update", "UpdateLoss", "check_objective", "updates_of"]

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


def check_objective(objective: ObjectiveConfig) -> None:
    """Refuses what can be seen to be wrong without importing an update from outside.

    Raises:
        UserError: a name names nothing, or nothing would be learned.
    """
    name, welfare = objective.update, objective.welfare
    if not is_path(name) and name not in UPDATES:
        raise _no_such("objective.update", name, UPDATES, ", or one of your own: module:Class")
    if welfare.kind not in WELFARES:
        raise _no_such("objective.welfare.kind", welfare.kind, WELFARES)
    if objective.settings and not is_path(name):
        raise UserError(
            f"objective.settings has {', '.join(map(str, objective.settings))}, and the update {name} has no settings",
            "Leave it out: what the shipped updates read has keys of its own under objective",
        )
    if welfare.largest < welfare.smallest:
        raise UserError(
            f"The config key objective.welfare.largest is {welfare.largest:g}, and .smallest {welfare.smallest:g}",
            f"Set it to {welfare.smallest:g} or more",
        )
    if not objective.kinds:
        raise UserError("objective.kinds is empty", "Name one or several of truth, preference and mixed")
    if name == "likelihood" and objective.imitate == "unprofiled" and "preference" in objective.kinds:
        raise UserError(
            "objective.imitate is unprofiled, and a question of taste has no answer without a profile",
            "Leave preference out of objective.kinds",
        )
    if objective.gate.facts != "profiled" and (objective.strip_profile or (name == "none" and objective.instruction)):
        raise UserError(
            f"objective.gate.facts is {objective.gate.facts}, beside objective.strip_profile or .instruction, which "
            "ask the base model in a way of their own",
            "Choose one of them",
        )
    _check_text(objective)
    _check_shares(objective)
    _check_sees_shares(objective)


def _check_sees_shares(objective: ObjectiveConfig) -> None:
    """Refuses what needs the share of every option, with an update that does not see them."""
    if (name := objective.update) in ("auto", "expected"):
        return
    budget = objective.inconsistency.budget
    if budget is not None:
        raise UserError(
            f"objective.inconsistency.budget is {budget:g}, and objective.update={name} does not see which "
            "answers of the groups are the likeliest",
            "Set objective.update=auto, or the budget to null",
        )
    if objective.truth != "reward":
        raise UserError(
            f"objective.truth is {objective.truth}, and objective.update={name} does not see the shares of options",
            "Set objective.update=auto, or objective.truth=reward",
        )


def _check_text(objective: ObjectiveConfig) -> None:
    """Refuses a text term that has nothing to learn from."""
    text = objective.text
    if objective.has_teacher and not text.share:
        raise UserError(
            f"objective.text.weight is {text.weight:g}, and objective.text.share is 0, of no question",
            "Set the share above 0, or the weight to 0",
        )


def _check_shares(objective: ObjectiveConfig) -> None:
    """Refuses weights that count nothing of what is trained on."""
    welfare, kinds = objective.welfare, set(objective.kinds)
    facts, tastes = kinds & {"truth", "mixed"}, kinds & {"preference", "mixed"}
    counted = (facts and (welfare.truth or objective.inconsistency.penalises)) or (tastes and welfare.preference)
    if not counted and any(update.weighted for update in UPDATES.get(objective.update, ())):
        raise UserError(
            f"Nothing is learned from objective.kinds={','.join(objective.kinds)}: objective.welfare.truth is "
            f"{welfare.truth:g}, .preference {welfare.preference:g}, and .inconsistency.weight "
            f"{objective.inconsistency.weight:g}",
            "Set the share of what is trained on above 0",
        )


def _no_such(key: str, name: str, known: Iterable[str], beside: str = "") -> UserError:
    near = difflib.get_close_matches(name, list(known), n=1)
    remedy = f"Did you mean {near[0]}?" if near else f"Name one of {', '.join(known)}{beside}"
    return UserError(f"{key} is {name!r}, which is none", remedy)


def updates_of(objective: ObjectiveConfig, scoring: Scoring) -> tuple[Update[Any], ...]:
    """The updates that an objective names.

    Args:
        objective: the configuration; ``update`` is a name of `UPDATES`, or ``module:Class`` of one from outside.
        scoring: how the scores of options become S_g.

    Raises:
        UserError: there is no such update, or its settings are not its fields.
    """
    check_objective(objective)
    if is_path(objective.update):
        return (made_of(objective, scoring),)
    return tuple(update(objective, scoring) for update in UPDATES[objective.update])
