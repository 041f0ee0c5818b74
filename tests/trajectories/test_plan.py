from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialign.trajectories.plan import EpisodePlan, GroupPlan, micro_batch

pytestmark = pytest.mark.unit

KINDS = st.lists(st.sampled_from(["truth", "preference", "mixed"]), min_size=1, max_size=24).map(tuple)
SEEDS = st.integers(0, 5)


def order(plan: EpisodePlan, passes: int) -> list[int]:
    """The episodes of some whole passes and a little more, step by step."""
    steps = passes * len(plan.kinds) // plan.per_step + 1
    return [index for number in range(steps) for index in plan.step(number)]


@given(KINDS, st.integers(1, 9), SEEDS)
def test_every_pass_visits_every_episode_once(kinds: tuple[str, ...], per_step: int, seed: int) -> None:
    visited, size = order(EpisodePlan(kinds, per_step, seed), 3), len(kinds)
    for passing in range(3):
        assert sorted(visited[passing * size : (passing + 1) * size]) == list(range(size))


@given(KINDS, st.integers(1, 9), SEEDS)
def test_kinds_are_interleaved_evenly(kinds: tuple[str, ...], per_step: int, seed: int) -> None:
    size = len(kinds)
    visited = order(EpisodePlan(kinds, per_step, seed), 1)[:size]
    for kind, members in Counter(kinds).items():
        # Up to any point in time a kind has had its share of its members within one, and so has every other.
        bound = 1 + len(set(kinds)) * members / size
        seen = 0
        for count, index in enumerate(visited, start=1):
            seen += kinds[index] == kind
            assert abs(seen - count * members / size) < bound


def test_every_step_has_its_share_of_every_kind() -> None:
    kinds = ("truth",) * 20 + ("preference",) * 20
    plan = EpisodePlan(kinds, 8, 0)
    for number in range(5):
        # 8 episodes, half of them of each kind, within two.
        assert abs(Counter(kinds[index] for index in plan.step(number))["truth"] - 4) <= 2


def test_a_step_does_not_depend_on_what_was_asked_before() -> None:
    kinds = ("truth",) * 5 + ("preference",) * 2
    in_order = [EpisodePlan(kinds, 3, 1).step(number) for number in range(9)]
    plan = EpisodePlan(kinds, 3, 1)
    # Other plans in between would push passes out of a small cache.
    for number in (8, 0, 5, 5, 2):
        EpisodePlan(kinds, 3, number + 10).step(0)
        assert plan.step(number) == in_order[number]


def test_order_follows_the_seed_and_changes_with_the_pass() -> None:
    kinds = ("truth",) * 30
    first = EpisodePlan(kinds, 30, 0)
    assert first.step(0) != first.step(1)
    assert first.step(0) != EpisodePlan(kinds, 30, 1).step(0)
    assert first.step(0) == EpisodePlan(kinds, 30, 0).step(0)


def test_a_step_may_be_longer_than_a_pass() -> None:
    step = EpisodePlan(("truth", "preference"), 5, 0).step(0)
    assert len(step) == 5
    assert sorted(step[:2]) == sorted(step[2:4]) == [0, 1]


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5))
def test_ranks_and_micro_batches_share_a_step_out(ranks: int, micro_batches: int, each: int) -> None:
    step = list(range(100, 100 + ranks * micro_batches * each))
    parts = [
        micro_batch(step, rank, ranks, index, micro_batches) for rank in range(ranks) for index in range(micro_batches)
    ]
    assert sorted(episode for part in parts for episode in part) == step
    assert {len(part) for part in parts} == {each}


def test_visits_bring_a_kind_more_often_in_one_pass() -> None:
    kinds = ("truth",) * 6 + ("preference",) * 2
    plan = EpisodePlan(kinds, 12, 0, visits=(("preference", 3),))  # one pass: 6 + 3 * 2 = 12
    counts = Counter(plan.step(0))
    assert [counts[index] for index in range(8)] == [1, 1, 1, 1, 1, 1, 3, 3]


@given(st.integers(2, 12), st.integers(2, 12), SEEDS)
def test_a_pass_asks_no_group_twice_and_leaves_out_fewer_than_a_step_holds(groups: int, some: int, seed: int) -> None:
    plan = GroupPlan(groups, min(some, groups), seed)
    steps = groups // plan.per_step
    for passing in range(3):
        dealt = [plan.step(passing * steps + place) for place in range(steps)]
        assert all(step == tuple(sorted(step)) and len(step) == plan.per_step for step in dealt)
        asked = [group for step in dealt for group in step]
        assert len(set(asked)) == len(asked) == steps * plan.per_step > groups - plan.per_step
        assert set(asked) <= set(range(groups))


@pytest.mark.parametrize("number", [0, 3])
def test_every_set_of_groups_is_equally_likely_in_any_one_step(number: int) -> None:
    """5 groups, 2 a step: 10 sets, 4000 seeds; within four standard errors of 400 each."""
    counts = Counter(GroupPlan(5, 2, seed).step(number) for seed in range(4000))
    assert len(counts) == 10
    assert max(abs(count - 400) for count in counts.values()) < 4 * (4000 * 0.1 * 0.9) ** 0.5


def test_the_groups_of_a_step_follow_the_seed_and_the_number_alone() -> None:
    plan = GroupPlan(100, 8, 3)
    in_order = [plan.step(number) for number in range(30)]
    assert [GroupPlan(100, 8, 3).step(number) for number in (29, 0, 12)] == [in_order[number] for number in (29, 0, 12)]
    assert len(set(in_order)) == 30
    assert GroupPlan(100, 8, 4).step(0) != in_order[0]
