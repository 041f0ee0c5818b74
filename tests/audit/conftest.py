"""Simulated audits whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import ArrayLike

from trialign.audit.figures.analysis import AuditAnalysis, analyze
from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.statistics import Floats, Integers
from trialign.audit.files.items import AuditItem, items_frame
from trialign.groups import Exposure

Simulated = Callable[..., tuple[Floats, Integers]]
Audited = Callable[..., AuditAnalysis]


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


@pytest.fixture(scope="session")
def audited() -> Audited:
    """The analysis of an audit whose answers are given as an array."""
    return _audited


def _audited(
    answers: ArrayLike,
    *,
    options: int = 4,
    why: str = "none",
    topics: Sequence[str] | None = None,
    paraphrases: int = 1,
    exposures: Sequence[Exposure] = ("explicit",),
    bounds: Bounds | None = None,
    parts: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> AuditAnalysis:
    """Audits of facts.

    Args:
        answers: [questions, groups] or [questions, groups, wordings]; 0 is right, other numbers are wrong answers, -1
            is a reply that holds none.
        options: of every question; 0: answers are free.
        why: a reply holds no answer.
        topics: [questions].
        paraphrases: questions of a fact.
        exposures: under which the same answers are given.
        bounds: of the verdict.
        parts: of composed groups, whose names are the columns'.
    """
    given = np.asarray(answers).reshape(*np.shape(answers)[:2], -1)
    groups = tuple(parts) if parts else tuple("abcdefghijklmnopqrst"[: given.shape[1]])
    items = [
        AuditItem(
            query_id=f"q{question:05d}",
            cluster=f"c{question // paraphrases:05d}",
            kind="truth",
            split="test",
            topic=topics[question] if topics is not None else "",
            group=groups[group],
            role="member",
            exposure=exposure,
            wording=wording,
            profile_group=groups[group],
            answer="",
            canonical=None if answer < 0 else f"answer {answer}",
            parse_status=why if answer < 0 else "label",
            correct=bool(answer == 0),
            reward_truth=float(answer == 0),
        )
        for exposure in exposures
        for (question, group, wording), answer in np.ndenumerate(given)
    ]
    choices = {f"q{question:05d}": options for question in range(len(given))}
    return analyze(items_frame(items), groups, choices=choices, bounds=bounds or Bounds(), parts=parts)
