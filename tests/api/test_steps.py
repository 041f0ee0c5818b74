from __future__ import annotations

import pytest

from trialign.api.session import Session
from trialign.api.steps import draw_of, groups_of
from trialign.composition import compose
from trialign.config import load
from trialign.trajectories.plan import GroupPlan

pytestmark = pytest.mark.unit


def session(*words: str) -> Session:
    composed = compose("conf/quickstart.yaml", ["policy=basis", *words])
    return Session(load(composed), composed)


@pytest.mark.parametrize(("asked", "plan"), [("null", None), ("2", GroupPlan(3, 2, 7)), ("3", None), ("50", None)])
def test_steps_ask_some_groups_only_where_there_are_more(asked: str, plan: GroupPlan | None) -> None:
    made = session("groups=country", "seed=7", f"trainer.groups_per_step={asked}")
    assert len(made.groups.names) == 3
    assert groups_of(made) == plan


def test_agents_of_no_group_are_drawn_of_all_groups_where_a_penalty_is_taken_of_them() -> None:
    drawn = draw_of(session("groups=country", "trainer.groups_per_step=2"))
    assert drawn is not None
    assert {place for step in range(60) for place in drawn(step).prompts} == {0, 1, 2}
    for words in (["policy.basis.draws=0"], ["objective=utilitarian"], ["policy=shared"]):
        assert draw_of(session("groups=country", *words)) is None
