"""What one optimizer step holds, and where the utilities stand before the first one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from trialign.trajectories.batches import taker
from trialign.trajectories.episodes import Episode
from trialign.trajectories.records import Trajectory
from trialign.updates.update import StepCounts, Update


def step_counts(episodes: Sequence[Episode], updates: Sequence[Update[Any]]) -> tuple[StepCounts, ...]:
    """Counts what an optimizer step holds, for each update; every rank counts the whole step.

    Args:
        episodes: all episodes of the step.
        updates: the first of them that takes an observation learns from it.
    """
    observations = [turn for episode in episodes for turn in episode.turns]
    truth = sum(_has_truth(turn[0]) for turn in observations)
    preference = sum(_has_preference(turn[0]) for turn in observations)
    takers = [taker(turn, updates) for turn in observations]
    return tuple(
        StepCounts(
            truth,
            preference,
            update.count([turn for turn, mine in zip(observations, takers, strict=True) if mine == index]),
        )
        for index, update in enumerate(updates)
    )


def reference_utilities(
    episodes: Sequence[Episode], updates: Sequence[Update[Any]], groups: int | None = None
) -> Tensor:
    """A_g and P_g of the base model, from the rewards and scores that were stored when the data was collected.

    Every observation counts once, as in the averages of a step, however many samples it has.

    Args:
        episodes: of the training.
        updates: the first of them that takes an observation learns from it.
        groups: how many there are; None: as many as an episode has.

    Returns:
        [groups, 2]; NaN where a group was asked no query of that kind.

    Raises:
        UserError: it is not known how probable the samples were that an update would learn from.
    """
    groups = groups or len(episodes[0].turns[0])
    rewards: list[tuple[list[float], list[float]]] = [([], []) for _ in range(groups)]
    for turn, seats in ((turn, episode.seats) for episode in episodes for turn in episode.turns):
        index = taker(turn, updates)
        if index is None:
            continue
        for group, trajectory in zip(seats or range(groups), turn, strict=True):
            for known, reward in zip(rewards[group], updates[index].rewards(trajectory), strict=True):
                known.extend([] if reward is None else [reward])
    return torch.tensor([[fmean(part) if part else math.nan for part in parts] for parts in rewards])


def _has_truth(trajectory: Trajectory) -> bool:
    return trajectory.gold is not None or any(s.reward_truth is not None for s in trajectory.samples)


def _has_preference(trajectory: Trajectory) -> bool:
    return trajectory.target is not None or any(s.reward_preference is not None for s in trajectory.samples)
