"""Which answer of an observation is the best one known: what the baselines without welfare learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from trialign.rewards import preference_reward_of_choice
from trialign.trajectories.records import Trajectory


def answers_of(trajectory: Trajectory) -> tuple[tuple[int, ...], ...]:
    """Token ids of every option, or of every sample where the answers cannot be enumerated."""
    return trajectory.options or tuple(sample.token_ids for sample in trajectory.samples)


def reference_of(trajectory: Trajectory) -> tuple[float, ...]:
    """Log-probability of each answer under the reference, summed over its tokens, in nats."""
    if trajectory.options:
        return trajectory.option_log_probabilities
    return tuple(sample.log_probability for sample in trajectory.samples)


def worths(trajectory: Trajectory) -> tuple[float, ...]:
    """What each answer is worth: its truth and preference rewards added, as far as they are known."""
    if not trajectory.options:
        return tuple((s.reward_truth or 0.0) + (s.reward_preference or 0.0) for s in trajectory.samples)
    if trajectory.gold is not None:
        return tuple(float(option == trajectory.gold) for option in range(len(trajectory.options)))
    target = trajectory.target or ()
    return tuple(preference_reward_of_choice(target, option) for option in range(len(target)))


def best_answer(trajectory: Trajectory) -> int | None:
    """Index of the answer that is worth most, of several a right one, then the first; None where that one is wrong."""
    right = [0.0] * len(trajectory.options) or [sample.reward_truth or 0.0 for sample in trajectory.samples]
    ranked = list(zip(worths(trajectory), right, strict=True))
    best = ranked.index(max(ranked))
    wrong = not trajectory.options and trajectory.samples[best].reward_truth == 0
    return None if wrong else best


def with_unprofiled_answers(rows: Sequence[Trajectory], unprofiled: Mapping[str, Trajectory]) -> list[Trajectory]:
    """The observations with one answer each: that of the base model to the same question without a profile.

    Args:
        rows: of queries that all stand in ``unprofiled``.
        unprofiled: query id -> the base model's trajectory; its first sample is the answer.
    """
    return [
        replace(
            row,
            options=(),
            option_log_probabilities=(),
            gold=None,
            target=None,
            # It is learned whether it is right or wrong, so nothing is known of its worth.
            samples=(
                replace(
                    unprofiled[row.query_id].samples[0], reward_truth=None, reward_preference=None, disagreement=None
                ),
            ),
        )
        for row in rows
    ]
