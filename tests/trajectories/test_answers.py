"""The answers that the baselines learn from, and the units that batches make of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from trialign.groups import GroupSet
from trialign.objectives.config import ObjectiveConfig
from trialign.policy import GroupPolicy
from trialign.scoring import Scoring
from trialign.trajectories.answers import (
    answers_of,
    best_answer,
    reference_of,
    with_unprofiled_answers,
    worths,
)
from trialign.trajectories.batches import build_episode_batch
from trialign.trajectories.episodes import episodes_of
from trialign.trajectories.records import Sample, Trajectory
from trialign.updates import updates_of
from trialign.updates.likelihood import LikelihoodUnits
from trialign.updates.pairs import PairUnits, pairs_of

pytestmark = pytest.mark.unit

LIKELIHOOD, PAIRS = (updates_of(ObjectiveConfig(update=name), Scoring()) for name in ("likelihood", "pairs"))


def observation(samples: Sequence[tuple[float | None, float | None]] = (), **values: Any) -> Trajectory:
    """One observation; its k-th sample has the k-th rewards (truth, preference) and log-probability -k."""
    given: dict[str, Any] = {
        "options": (),
        "option_log_probabilities": (),
        "gold": None,
        "target": None,
        "samples": tuple(
            Sample((20 + k,), -float(k), "text", None, "text", truth, preference, None)
            for k, (truth, preference) in enumerate(samples)
        ),
    }
    return Trajectory(
        query_id="q",
        cluster="q",
        split="train",
        kind="truth",
        group="north",
        exposure="explicit",
        wording=0,
        turn=0,
        topology="full",
        prompt=(1, 2),
        **{**given, **values},
    )


CHOICE = {"options": ((3,), (4,), (5, 6)), "option_log_probabilities": (-1.0, -2.0, -3.0)}


def test_of_a_fact_the_gold_option_is_best() -> None:
    fact = observation(**CHOICE, gold=2)
    assert worths(fact) == (0.0, 0.0, 1.0)
    assert answers_of(fact)[best_answer(fact) or 0] == (5, 6)
    assert pairs_of(fact) == [(2, 0), (2, 1)]
    assert reference_of(fact) == (-1.0, -2.0, -3.0)


def test_of_a_taste_the_groups_favourite_is_best() -> None:
    taste = observation(**CHOICE, target=(0.4, 0.2, 0.4))
    assert worths(taste) == pytest.approx((1.0, 0.5, 1.0))
    # The first of two favourites; the other one is not worse.
    assert best_answer(taste) == 0
    assert pairs_of(taste) == [(0, 1)]


def test_of_samples_the_one_that_earns_most_is_best() -> None:
    mixed = observation([(0.0, 1.0), (1.0, 0.5), (0.0, 0.0), (1.0, 0.0)])
    assert worths(mixed) == (1.0, 1.5, 0.0, 1.0)
    assert best_answer(mixed) == 1
    assert pairs_of(mixed) == [(1, 0), (1, 2), (1, 3)]
    assert reference_of(mixed) == (0.0, -1.0, -2.0, -3.0)


@pytest.mark.parametrize("samples", [[(0.0, 1.0), (1.0, 0.0)], [(1.0, 0.0), (0.0, 1.0)]])
def test_of_answers_that_earn_alike_the_right_one_teaches(samples: list[tuple[float | None, float | None]]) -> None:
    assert best_answer(observation(samples)) == samples.index((1.0, 0.0))


@pytest.mark.parametrize("samples", [[(0.0, None), (0.0, None)], [(0.0, 0.5), (0.0, 1.0)]])
def test_wrong_answers_alone_teach_nothing(samples: list[tuple[float | None, float | None]]) -> None:
    assert best_answer(observation(samples)) is None
    assert pairs_of(observation(samples)) == []


def test_equal_answers_are_no_pair_but_one_is_learned() -> None:
    right = observation([(1.0, None), (1.0, None)])
    assert best_answer(right) == 0
    assert pairs_of(right) == []


def test_an_answer_without_profile_is_learned_whatever_it_is_worth() -> None:
    wrong = observation([(0.0, None)])
    row = with_unprofiled_answers([observation(**CHOICE, gold=0)], {"q": wrong})[0]
    assert row.prompt == (1, 2)
    assert answers_of(row) == ((20,),)
    assert best_answer(row) == 0


def test_nothing_of_the_options_is_left_where_another_answer_is_learned() -> None:
    said = Sample((20,), -0.5, "text", None, "text", 0.0, 0.3, 1.0)
    asked = [observation(**CHOICE, gold=0), observation(**CHOICE, target=(0.9, 0.1))]
    rows = with_unprofiled_answers(asked, {"q": replace(asked[0], group="control", samples=(said, said))})
    learned = replace(said, reward_truth=None, reward_preference=None, disagreement=None)
    expected = [
        replace(row, options=(), option_log_probabilities=(), gold=None, target=None, samples=(learned,))
        for row in asked
    ]
    assert rows == expected


def test_units_point_at_the_answers(
    collected: tuple[Trajectory, ...], groups: GroupSet, make_policy: Callable[..., GroupPolicy]
) -> None:
    episodes = episodes_of(collected, groups.names, None)
    rows = [row for episode in episodes for turn in episode.turns for row in turn]
    policy = make_policy(untrained=True)  # the reference of the collection
    learned = build_episode_batch(episodes, (0, 1, 2), LIKELIHOOD)
    (units,) = learned.units
    assert isinstance(units, LikelihoodUnits)
    best = [(row, answer) for row in rows if (answer := best_answer(row)) is not None]
    with torch.no_grad():
        scores = policy.score(learned.tree)[units.branches]
    expected = [reference_of(row)[answer] for row, answer in best]
    assert sorted(scores.tolist()) == pytest.approx(sorted(expected), abs=1e-4)
    lengths = learned.tree.branch_lengths[units.branches]
    assert int(lengths.sum()) == sum(len(answers_of(row)[answer]) for row, answer in best)

    paired = build_episode_batch(episodes, (0, 1, 2), PAIRS)
    (pairs,) = paired.units
    assert isinstance(pairs, PairUnits)
    with torch.no_grad():
        scores = policy.score(paired.tree)
    # Under the reference itself, every margin is the stored one.
    margins = scores[pairs.better] - scores[pairs.worse]
    torch.testing.assert_close(margins, pairs.reference, atol=1e-4, rtol=1e-4)
    names = [groups.names[group] for group in pairs.groups]
    assert sorted(names) == sorted(row.group for row in rows for _ in pairs_of(row))


def test_a_batch_with_nothing_to_learn_still_has_a_forward_pass(
    collected: tuple[Trajectory, ...], groups: GroupSet
) -> None:
    wrong = [
        replace(row, samples=tuple(replace(sample, reward_truth=0.0) for sample in row.samples))
        for row in collected
        if not row.options
    ]
    episodes = episodes_of(wrong, groups.names, None)
    learned, paired = (build_episode_batch(episodes, (0, 1, 2), updates) for updates in (LIKELIHOOD, PAIRS))
    assert [tensor.tolist() for batch in (learned, paired) for tensor in vars(batch.units[0]).values()] == [[]] * 6
    assert len(learned.tree.branch_lengths) > 0
