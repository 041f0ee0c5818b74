"""What one answer is worth; pure functions, one for each kind of reward.

Truth and preference rewards share the range 0 to 1 but not the scale: never compare one with the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from trialign.queries.answers import is_correct
from trialign.queries.types import Form, TruthQuery
from trialign.style import met_checks, word_count


def truth_reward(query: TruthQuery, canonical: str | None) -> float:
    """1 for a right answer, 0 for a wrong one and for none at all."""
    return float(is_correct(query, canonical))


def preference_reward_of_choice(target: Sequence[float], index: int | None) -> float:
    """Reward of one sampled option k: ``target[k] / max(target)``, in [0, 1].

    Args:
        target: the group's probabilities, shape (K,), not all zero.
        index: position of the chosen option, from 0 to K-1; None (no option could be read) earns 0.

    Raises:
        ValueError: the index is out of range.
    """
    if index is None:
        return 0.0
    if not 0 <= index < len(target):
        raise ValueError(f"option {index} of {len(target)}")
    return target[index] / max(target)


def preference_reward_of_distribution(target: ArrayLike, probabilities: ArrayLike) -> float:
    """Reward of a whole answer distribution: 1 - total variation distance to the target, in [0, 1].

    Args:
        target: the group's probabilities, shape (K,).
        probabilities: the agent's probabilities, shape (K,).

    Raises:
        ValueError: the shapes differ or are not (K,).
    """
    wanted, given = np.asarray(target, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    if wanted.shape != given.shape or wanted.ndim != 1:
        raise ValueError(f"target of shape {wanted.shape}, probabilities of shape {given.shape}")
    return max(0.0, 1.0 - 0.5 * float(np.abs(wanted - given).sum()))


def form_reward(form: Form, text: str) -> float:
    """Share of the form's checks that the reply holds to, in [0, 1]; 1 when none is set.

    Words are counted without list markers. A reply with an item line (``- x``, ``1. x``) is a list, any other is
    prose. A spelling holds when no word is spelled the other way; units hold when a measure is given in the wanted
    system and none in the other. An empty reply holds to nothing, or silence would earn the brief form.
    """
    met = met_checks(form, text)
    if not met:
        return 1.0
    return sum(met) / len(met) if word_count(text) else 0.0


def disagreement(answers: Sequence[str | None], own: str | None) -> float:
    """Reward form of inconsistency: d = 1 - share of the other agents that gave one's own answer.

    Args:
        answers: canonical answers of the other agents, None where unparsable; without one's own.
        own: one's own canonical answer; None matches nothing.

    Returns:
        A value in [0, 1]; 0 when there are no other agents.
    """
    if not answers:
        return 0.0
    agreeing = 0 if own is None else sum(answer == own for answer in answers)
    return 1.0 - agreeing / len(answers)
