"""The table of updates: one name, one place."""

from __future__ import annotations

import pytest

from trialign.errors import UserError
from trialign.objectives.config import ObjectiveConfig
from trialign.scoring import Scoring
from trialign.updates import UPDATES, updates_of
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
