"""The table of updates: one name, one place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from trialign.errors import UserError
from trialign.objectives.config import GateConfig, InconsistencyConfig, ObjectiveConfig, WelfareConfig
from trialign.scoring import Scoring
from trialign.updates import UPDATES, check_objective, updates_of
from trialign.updates.awr import Awr
from trialign.updates.expected import Expected

pytestmark = pytest.mark.unit


def test_every_name_makes_its_updates_in_their_order() -> None:
    scoring = Scoring("mean", 2.0)
    for name, kinds in UPDATES.items():
        objective = ObjectiveConfig(update=name)
        made = updates_of(objective, scoring)
        assert tuple(map(type, made)) == kinds
        assert all((one.objective, one.scoring) == (objective, scoring) for one in made)
    assert tuple(map(type, updates_of(ObjectiveConfig(), scoring))) == (Expected, Awr)
    assert updates_of(ObjectiveConfig(update="none"), scoring) == ()


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("awrr", "Did you mean awr?"),
        ("ppo", "Name one of auto, expected, awr, topr, likelihood, pairs, none, or one of your own: module:Class"),
        ("", "Name one of auto"),
        (":Mine", "Name one of auto"),
        ("mine:", "Name one of auto"),
        ("../mine:Mine", "Name one of auto"),
        ("mine.py:Mine", "cannot be imported"),
        ("a b:Mine", "Name one of auto"),
        ("mine:Outer.Inner", "Name one of auto"),
        ("AWR", "Name one of auto"),
    ],
)
def test_a_name_of_none_is_refused(name: str, remedy: str) -> None:
    with pytest.raises(UserError) as raised:
        updates_of(ObjectiveConfig(update=name), Scoring())
    assert repr(name) in raised.value.problem or name in raised.value.problem
    assert remedy in str(raised.value) or remedy in raised.value.remedy


def test_what_is_shipped_takes_no_settings() -> None:
    with pytest.raises(UserError, match=r"objective\.settings has margin, and the update awr has no settings"):
        updates_of(ObjectiveConfig(update="awr", settings={"margin": 1}), Scoring())


@pytest.mark.parametrize(
    ("kinds", "truth", "preference", "penalty", "learns"),
    [
        (("truth", "preference"), 0.0, 0.0, 0.0, False),
        (("truth",), 0.0, 3.0, 0.0, False),
        (("preference",), 1.0, 0.0, 1.0, False),
        (("truth",), 0.0, 0.0, 1.0, True),
        (("truth",), 1.0, 0.0, 0.0, True),
        (("mixed",), 0.0, 1.0, 0.0, True),
        (("preference",), 0.0, 1.0, 0.0, True),
    ],
)
def test_weights_that_count_nothing_of_what_is_trained_on_are_refused(
    kinds: tuple[Any, ...], truth: float, preference: float, penalty: float, learns: bool
) -> None:
    welfare, inconsistency = WelfareConfig(truth=truth, preference=preference), InconsistencyConfig(weight=penalty)
    for name in ("auto", "expected", "awr", "topr"):
        objective = ObjectiveConfig(update=name, kinds=kinds, welfare=welfare, inconsistency=inconsistency)
        if learns:
            check_objective(objective)
        else:
            with pytest.raises(UserError, match=f"Nothing is learned from objective.kinds={','.join(kinds)}"):
                check_objective(objective)
    # These read no welfare.
    for name in ("likelihood", "pairs", "none", "mine:Mine"):
        check_objective(ObjectiveConfig(update=name, kinds=kinds, welfare=welfare, inconsistency=inconsistency))


@pytest.mark.parametrize("other", [{"strip_profile": True}, {"instruction": "Be fair."}])
def test_a_gate_beside_another_way_of_asking_is_refused(other: dict[str, Any]) -> None:
    gated = ObjectiveConfig(update="none", gate=GateConfig("neutral"))
    check_objective(gated)
    with pytest.raises(UserError, match=r"objective\.gate\.facts is neutral"):
        check_objective(replace(gated, **other))


def test_each_update_is_called_by_its_own_name_where_its_loss_is_no_number() -> None:
    names = {kind.part for kinds in UPDATES.values() for kind in kinds}
    assert names == {"choices", "samples", "likelihoods", "pairs"}


@pytest.mark.parametrize("update", ["awr", "likelihood", "pairs", "none", "own:Update"])
def test_a_likelihood_of_facts_needs_their_shares(update: str) -> None:
    with pytest.raises(UserError, match=r"objective\.truth is likelihood, and objective\.update=" + update):
        check_objective(ObjectiveConfig(update=update, truth="likelihood"))
    for known in ("auto", "expected"):
        check_objective(ObjectiveConfig(update=known, truth="likelihood"))


@pytest.mark.parametrize("update", ["awr", "likelihood", "pairs", "none", "own:Update"])
def test_a_budget_needs_to_see_the_likeliest_answers(update: str) -> None:
    penalty = InconsistencyConfig(budget=0.05)
    with pytest.raises(UserError, match=r"inconsistency\.budget is 0\.05, and objective\.update=" + update):
        check_objective(ObjectiveConfig(update=update, inconsistency=penalty))
    for known in ("auto", "expected"):
        check_objective(ObjectiveConfig(update=known, inconsistency=penalty))
