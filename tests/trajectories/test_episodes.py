from __future__ import annotations

from dataclasses import replace

import pytest

from trialign.groups import GroupSet
from trialign.trajectories.episodes import Episode, Taught, episodes_of
from trialign.trajectories.records import Trajectory
from trialign.trajectories.texts import Text

pytestmark = pytest.mark.unit

Rows = tuple[Trajectory, ...]


@pytest.fixture(scope="module")
def episodes(collected: Rows, groups: GroupSet) -> tuple[Episode, ...]:
    return episodes_of(collected, groups.names, None)


def test_episodes_hold_all_turns_and_groups_in_order(episodes: tuple[Episode, ...], groups: GroupSet) -> None:
    assert len(episodes) == 12
    for episode in episodes:
        assert episode.observations == 2
        for turn, rows in enumerate(episode.turns):
            assert tuple(row.group for row in rows) == groups.names
            assert {(row.query_id, row.exposure, row.turn, row.kind, row.split) for row in rows} == {
                (episode.query_id, episode.exposure, turn, episode.kind, episode.split)
            }


def test_rows_in_any_order_make_the_same_episodes(
    collected: Rows, episodes: tuple[Episode, ...], groups: GroupSet
) -> None:
    shuffled = episodes_of(collected[::-1], groups.names, None)
    assert sorted(shuffled, key=str) == sorted(episodes, key=str)


def test_later_turns_can_be_left_out(collected: Rows, episodes: tuple[Episode, ...], groups: GroupSet) -> None:
    first = episodes_of(collected, groups.names, 1)
    assert first == tuple(replace(episode, turns=episode.turns[:1]) for episode in episodes)


def test_some_groups_of_an_episode(episodes: tuple[Episode, ...]) -> None:
    told = tuple(Taught((n,), Text("q", f"g{n}", None, True, "a", (7,) * n, (), (), ())) for n in (1, 2, 3))
    episode = replace(episodes[0], texts=told)
    some = episode.of_groups((0, 2))
    assert [[row.group for row in turn] for turn in some.turns] == [["north", "island"]] * 2
    assert some.texts == (told[0], told[2])
    assert (some.text_tokens, episode.text_tokens) == (4, 6)
    assert replace(some, turns=episode.turns, texts=told) == episode
    assert episodes[0].of_groups((1,)).texts == ()
