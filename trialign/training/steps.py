"""What one optimizer step holds, and where the utilities stand before the first one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

import torch
from torch import Tensor

from trialign.objectives.updates import StepCounts
from trialign.rewards import preference_reward_of_distribution
from trialign.scoring import Scoring
from trialign.trajectories.answers import answers_of, best_answer, pairs_of
from trialign.trajectories.batches import Episode, Update, enumerates
from trialign.trajectories.records import Trajectory


def step_counts(episodes: Sequence[Episode], update: Update, penalty: float) -> StepCounts:
    """Counts the observations and tokens of an optimizer step; every rank counts the whole step.

    Args:
        episodes: all episodes of the step.
        update: which observations are enumerated.
        penalty: lambda; with 0, samples that differ in disagreement alone earn the same.
    """
    observations = [turn for episode in episodes for turn in episode.turns]
    return StepCounts(
        truth=sum(_has_truth(turn[0]) for turn in observations),
        preference=sum(_has_preference(turn[0]) for turn in observations),
        choice=sum(enumerates(turn[0], update) for turn in observations),
        action_tokens=sum(_learned_tokens(row, update, penalty) for turn in observations for row in turn),
        pairs=tuple(sum(len(pairs_of(row)) for row in rows) for rows in zip(*observations, strict=True))
        if update == "pairs"
        else (),
    )


def reference_utilities(episodes: Sequence[Episode], scoring: Scoring, update: Update) -> Tensor:
    """A_g and P_g of the base model, from the rewards and scores that were stored when the data was collected.

    Returns:
        [groups, 2]; NaN where the data has no query of that kind.
    """
    groups = len(episodes[0].turns[0])
    rewards: list[tuple[list[float], list[float]]] = [([], []) for _ in range(groups)]
    for episode in episodes:
        for turn in episode.turns:
            for group, trajectory in enumerate(turn):
                truth, preference = _expected_rewards(trajectory, scoring, update)
                rewards[group][0].extend(truth)
                rewards[group][1].extend(preference)
    return torch.tensor([[fmean(part) if part else math.nan for part in parts] for parts in rewards])


def _expected_rewards(trajectory: Trajectory, scoring: Scoring, update: Update) -> tuple[list[float], list[float]]:
    if not enumerates(trajectory, update):
        samples = trajectory.samples
        return (
            [sample.reward_truth for sample in samples if sample.reward_truth is not None],
            [sample.reward_preference for sample in samples if sample.reward_preference is not None],
        )
    lengths = [len(option) for option in trajectory.options]
    shares = scoring.distribution(trajectory.option_log_probabilities, lengths)
    truth = [] if trajectory.gold is None else [shares[trajectory.gold]]
    target = trajectory.target
    return truth, [] if target is None else [preference_reward_of_distribution(target, shares)]


def _learned_tokens(trajectory: Trajectory, update: Update, penalty: float) -> int:
    if update == "likelihood":
        best = best_answer(trajectory)
        return 0 if best is None else len(answers_of(trajectory)[best])
    if update == "pairs" or enumerates(trajectory, update) or not _earns_differently(trajectory, penalty):
        return 0
    return sum(len(sample.token_ids) for sample in trajectory.samples)


def _has_truth(trajectory: Trajectory) -> bool:
    return trajectory.gold is not None or any(s.reward_truth is not None for s in trajectory.samples)


def _has_preference(trajectory: Trajectory) -> bool:
    return trajectory.target is not None or any(s.reward_preference is not None for s in trajectory.samples)


def _earns_differently(trajectory: Trajectory, penalty: float) -> bool:
    names = ["reward_truth", "reward_preference", *(["disagreement"] if penalty > 0 else [])]
    return any(len({getattr(sample, name) for sample in trajectory.samples}) > 1 for name in names)
