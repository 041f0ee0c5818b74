"""Simulated audits whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from trialign.audit.statistics import Floats, Integers

Simulated = Callable[..., tuple[Floats, Integers]]


@pytest.fixture(scope="session")
def simulated() -> Simulated:
    """Right and wrong answers to facts in several paraphrases."""
    return _simulated


def _simulated(
    generator: np.random.Generator,
    accuracies: Sequence[float],
    *,
    clusters: int,
    paraphrases: int = 2,
    correlation: float = 0.0,
    shared: float = 0.8,
) -> tuple[Floats, Integers]:
    """Every answer is right where a uniform number is below the group's accuracy, so that accuracies are exact.

    Args:
        generator: of the randomness.
        accuracies: one a group.
        clusters: facts.
        paraphrases: questions a fact.
        correlation: between the answers of one group to two paraphrases of a fact.
        shared: chance that a group's number is the one common to all groups.

    Returns:
        correct [questions, groups] and clusters [questions].
    """
    groups = len(accuracies)
    alike = generator.random((clusters, 1, 1)) < correlation  # one number for all paraphrases of the fact

    def numbers(width: int) -> Floats:
        drawn = generator.random((clusters, paraphrases, width))
        return np.where(alike, drawn[:, :1], drawn)

    common = numbers(groups) < shared
    uniform = np.where(common, numbers(1), numbers(groups))
    correct = (uniform < np.asarray(accuracies)).astype(float)
    return correct.reshape(-1, groups), np.repeat(np.arange(clusters), paraphrases)
