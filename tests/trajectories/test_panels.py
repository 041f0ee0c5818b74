"""Groups dealt into panels, questions dealt to panels, and steps that are a panel's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialign.environment import AdversaryConfig, EnvironmentConfig
from trialign.groups import GroupSet, Message, SocialGroup
from trialign.queries import Query
from trialign.trajectories.collection import Collector
from trialign.trajectories.episodes import episodes_of
from trialign.trajectories.panels import Panels
from trialign.trajectories.plan import PanelEpisodes, PanelPlan
from trialign.trajectories.records import Trajectory

pytestmark = pytest.mark.unit

IDS = [f"q{number}" for number in range(23)]
KINDS = [(one, "truth" if number % 3 else "preference") for number, one in enumerate(IDS)]


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 5))
def test_groups_and_questions_are_dealt_out_evenly(size: int, count: int, seed: int) -> None:
    for each in range(1, count + 1):
        panels = Panels.dealt(size * count, size, each, KINDS, seed)
        assert panels.count == count
        seats = [place for panel in range(count) for place in panels.places(panel)]
        assert sorted(seats) == list(range(size * count))
        assert all(list(panels.places(panel)) == sorted(panels.places(panel)) for panel in range(count))
        for kind in ("truth", "preference"):
            hands = [panels.of(one) for one, of in KINDS if of == kind]
            assert all(len(set(hand)) == len(hand) == each for hand in hands)
            asked = Counter(panel for hand in hands for panel in hand)
            assert max(asked.values()) - min(asked[panel] for panel in range(count)) <= 1


def test_the_seed_and_the_questions_alone_decide() -> None:
    dealt = Panels.dealt(12, 3, 2, KINDS, 4)
    assert Panels.dealt(12, 3, 2, KINDS[::-1], 4) == dealt
    assert Panels.dealt(12, 3, 2, KINDS, 5) != dealt
    assert dealt.of("one that is not trained on") == (0,)
    neighbours = {dealt.of(one) for one in IDS}
    assert len(neighbours) > 4  # not the same two panels each time


FOUR = SocialGroup(
    "valley",
    "Valley people",
    explicit=("The user keeps goats in a valley.",),
    implicit=((Message("user", "A goat ran off."), Message("assistant", "Ring its bell.")),),
)


def of_four(query: Query) -> Query:
    targets = getattr(query, "targets", None)
    if targets:
        return replace(query, targets={**targets, "valley": targets["south"]})  # type: ignore[call-arg]
    forms = getattr(query, "forms", None)
    return replace(query, forms={**forms, "valley": forms["south"]}) if forms else query  # type: ignore[call-arg]


@pytest.fixture(scope="module")
def four(groups: GroupSet) -> GroupSet:
    return replace(groups, members=(*groups.members, FOUR))


PANELS = Panels(2, (3, 0, 2, 1), {"capital": (1,), "drink": (0, 1), "sum": (1, 0), "bird": (0,)})


@pytest.fixture(scope="module")
def asked(
    make_collector: Callable[..., Collector], four: GroupSet, queries: tuple[Query, ...]
) -> tuple[Trajectory, ...]:
    return make_collector(groups=four, panels=PANELS).collect([of_four(query) for query in queries])


def test_a_panel_answers_and_hears_itself_as_if_there_were_no_others(
    make_collector: Callable[..., Collector],
    four: GroupSet,
    queries: tuple[Query, ...],
    asked: tuple[Trajectory, ...],
) -> None:
    assert PANELS.places(0) == (0, 3)
    assert PANELS.places(1) == (1, 2)
    expected = []
    for query in map(of_four, queries):
        for panel in PANELS.of(query.query_id):
            members = tuple(four.members[place] for place in PANELS.places(panel))
            alone = make_collector(groups=replace(four, members=members))
            expected += alone.collect([query])

    def key(row: Trajectory) -> tuple[object, ...]:
        return row.query_id, row.exposure, row.turn, row.group

    assert sorted(map(key, asked)) == sorted(map(key, expected))
    assert len(asked) == 8 * 2 * 2 * 2  # panels of the questions, exposures, turns, groups
    # Replies that are drawn token by token go by what else is in their batch.
    choices, alone_too = ([row for row in rows if row.options] for rows in (asked, expected))
    for one, other in zip(sorted(choices, key=key), sorted(alone_too, key=key), strict=True):
        assert one.option_log_probabilities == pytest.approx(other.option_log_probabilities, abs=1e-4)
        assert (one.prompt, one.gold, one.target) == (other.prompt, other.gold, other.target)
        drawn = [[(sample.token_ids, sample.disagreement) for sample in row.samples] for row in (one, other)]
        assert drawn[0] == drawn[1]
    assert len({row.prompt for row in choices}) == len(choices) > 30


def test_each_panel_of_a_question_is_an_episode(asked: tuple[Trajectory, ...], four: GroupSet) -> None:
    found = episodes_of(asked, four.names, None, PANELS)
    assert Counter((one.query_id, one.seats) for one in found if one.exposure == "explicit") == Counter(
        (query, PANELS.places(panel))
        for query in ("capital", "drink", "planet", "sum", "metal", "bird")
        for panel in PANELS.of(query)
    )
    for one in found:
        assert one.seats
        assert [[row.group for row in turn] for turn in one.turns] == [[four.names[place] for place in one.seats]] * 2


def test_a_panel_that_is_all_groups_asks_as_ever(
    make_collector: Callable[..., Collector], queries: tuple[Query, ...], collected: tuple[Trajectory, ...]
) -> None:
    assert make_collector(panels=Panels(3, (2, 0, 1), {})).collect(queries) == collected


def test_those_that_were_asked_stand_for_all_each_for_as_many(asked: tuple[Trajectory, ...], four: GroupSet) -> None:
    one = next(one for one in episodes_of(asked, four.names, None, PANELS) if one.seats == (1, 2))
    whole = one.for_all(6)
    assert whole.seats is None
    assert [row.group for row in whole.turns[0]] == ["south", "south", "island", "island", "south", "island"]
    assert whole.of_groups((1, 2)).turns == one.turns
    assert whole.for_all(6) is whole


def plan_of(each: int, seed: int = 3) -> tuple[PanelPlan, PanelEpisodes]:
    panels = Panels.dealt(8, 2, each, KINDS, seed)
    of = [(query, kind, panel) for query, kind in KINDS for panel in panels.of(query)]
    turns = PanelPlan(panels, (0, 1, 2, 3), seed)
    kinds, panel_of = tuple(kind for _, kind, _ in of), tuple(panel for *_, panel in of)
    return turns, PanelEpisodes(kinds, panel_of, 4, seed, turns, (("preference", 2),))


def test_a_step_has_the_episodes_of_its_panel_alone() -> None:
    turns, plan = plan_of(2)
    for number in range(40):
        panel, _ = turns.turn(number)
        chosen = plan.step(number)
        assert len(chosen) == 4
        assert {plan.panel_of[index] for index in chosen} == {panel}
        assert turns.step(number) == turns.panels.places(panel)
    assert turns.validated == turns.panels.places(0)


def test_every_pass_asks_every_panel_and_a_panel_every_episode() -> None:
    turns, plan = plan_of(3)
    assert [sorted(turns.turn(number)[0] for number in range(n, n + 4)) for n in (0, 4, 8)] == [[0, 1, 2, 3]] * 3
    orders = {tuple(turns.turn(number)[0] for number in range(n, n + 4)) for n in range(0, 40, 4)}
    assert len(orders) > 3
    seen = Counter(index for number in range(400) for index in plan.step(number))
    facts = [seen[index] for index, kind in enumerate(plan.kinds) if kind == "truth"]
    tastes = [seen[index] for index, kind in enumerate(plan.kinds) if kind == "preference"]
    assert min(facts) > 0
    assert sum(tastes) / len(tastes) == pytest.approx(2 * sum(facts) / len(facts), rel=0.05)


def test_a_panel_without_episodes_has_none_in_its_steps() -> None:
    turns, _ = plan_of(1)
    beside = PanelEpisodes(("instruction",) * 2, (1, 1), 1, 0, turns)
    steps = {turns.turn(number)[0]: beside.step(number) for number in range(4)}
    assert {panel for panel, chosen in steps.items() if chosen} == {1}


def test_adversaries_are_counted_among_those_of_the_panel(
    make_collector: Callable[..., Collector], four: GroupSet, queries: tuple[Query, ...]
) -> None:
    environment = EnvironmentConfig(turns=1, topology="full", adversary=AdversaryConfig(share=1.0, kinds=("plain",)))
    made = make_collector(groups=four, panels=PANELS, environment=environment)
    facts = [query for query in queries if query.query_id in ("capital", "planet", "metal")]
    pushed = [row for row in made.collect(facts) if row.adversary]
    assert {row.group for row in pushed if row.query_id == "capital"} == {"south", "island"}
    assert len(pushed) == 3 * 2 * 2  # facts, exposures, groups of one panel
    for row in pushed:  # the one neighbour says it
        heard = made.renderer.tokenizer.decode(list(row.prompt)).split("assistant\n")[-2]
        assert row.asserted in heard
