from __future__ import annotations

import pytest

from trialign.api.session import Session
from trialign.api.steps import check_panels, draw_of, groups_of
from trialign.composition import compose
from trialign.config import load
from trialign.errors import UserError
from trialign.trajectories.plan import GroupPlan, PanelPlan

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


MANY = ("groups=people", "trainer.groups_per_step=4", "collect.panels=2")  # 24 groups: 6 panels of 4


def test_with_panels_a_step_asks_one_and_tells_nobody_of_other_groups() -> None:
    made = session(*MANY)
    plan, drawn = groups_of(made), draw_of(made)
    assert isinstance(plan, PanelPlan)
    assert drawn is not None
    assert plan.among == (0, 1, 2, 3, 4, 5)
    assert {place for step in range(6) for place in plan.step(step)} == set(range(24))
    for step in range(12):
        assert set(drawn(step).prompts) <= set(plan.step(step))
    check_panels(made)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["trainer.groups_per_step=5"],
            "into panels of trainer.groups_per_step=5, which leaves 4 of them over",
        ),
        (["trainer.groups_per_step=null"], "trainer.groups_per_step does not say of how many groups a panel is"),
        (["collect.panels=7"], "collect.panels is 7, and 24 groups make 6 panels of 4"),
        (["policy=shared", "objective=two_adapters"], "objective=two_adapters trains facts apart from the groups"),
        (["data.limit=3", "collect.panels=1"], "a panel of groups is asked"),
    ],
)
def test_panels_that_cannot_be_dealt_are_refused(words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_panels(session(*MANY, *words))
