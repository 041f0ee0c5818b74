"""What an audit measures: one record for each measure, read by everything that computes, shows or explains it.

Terminal, report, dashboard, comparison of runs and `summary.json` take keys, names, wanted directions and values from
here; the metrics of training have the same keys, and the table in docs/audit.md is made of these records.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialign.audit.figures.statistics import Floats, Integers, agreed, pair_agreement

# Agreement on wrong answers may fall or stay; it is no aim of its own. Empty: what is told beside, and aims at nothing.
Wanted = Literal["up", "down", "not up", ""]
# A share of 1; or a difference of two shares, which people read in points.
Unit = Literal["share", "points"]


@dataclass(frozen=True)
class Means:
    """What the measures of an audit are made of: means over its questions.

    The leading axes are those of a resampling, or none.

    Attributes:
        shares: key -> [...], of every measure that has a value on each question.
        accuracy: [..., groups], share of right answers.
        own: [..., groups], score of each group's answers on its own taste; NaN where there is none.
        kept: [..., groups], that score minus the one on the other groups' tastes; NaN where that is not known.
    """

    shares: Mapping[str, Floats]
    accuracy: Floats
    own: Floats
    kept: Floats


@dataclass(frozen=True)
class Measure:
    """One number of an audit.

    Attributes:
        key: in comparisons, and in CSV and JSON.
        path: where it stands in ``summary.json``, and below ``validation/`` in the log of training.
        label: its name in tables, as the field calls it.
        words: the same for people who do not program; for the dashboard.
        wanted: which way is better.
        about: what it is, half a sentence.
        unit: of its value.
        value: from means over questions ([...]); None: it is told beside, and not held against another audit.
        question: on each question ([questions]), from answers ([questions, groups], codes; -1 for a reply without an
            answer, which agrees with nothing) and whether they are right ([questions, groups]); None where it has none.
    """

    key: str
    path: str
    label: str
    words: str
    wanted: Wanted
    about: str
    unit: Unit = "share"
    value: Callable[[Means], Floats] | None = None
    question: Callable[[Integers, NDArray[np.bool_]], Floats] | None = None


def _among(answers: Integers, found: Floats) -> Floats:
    """NaN with a single group, which has nobody to agree with."""
    return found if answers.shape[1] > 1 else np.full(len(answers), np.nan)


def _unanimous(answers: Integers, right: NDArray[np.bool_]) -> Floats:
    return _among(answers, agreed(answers).astype(float))


def _consistent_wrong(answers: Integers, right: NDArray[np.bool_]) -> Floats:
    return _among(answers, (agreed(answers) & ~right.any(axis=1)).astype(float))


def _no_answer(answers: Integers, right: NDArray[np.bool_]) -> Floats:
    share: Floats = (answers < 0).mean(axis=1)
    return share


def _gap(means: Means) -> Floats:
    accuracy = means.accuracy
    return np.ptp(accuracy, axis=-1) if accuracy.shape[-1] > 1 else np.full(accuracy.shape[:-1], np.nan)


def _share(key: str) -> Callable[[Means], Floats]:
    return lambda means: means.shares[key]


# In the order of every table.
ALL = (
    Measure(
        "flip_rate",
        "truth/flip_rate",
        "flip rate",
        "Two groups answer differently",
        "down",
        "share of (question, pair of groups) with different answers",
        value=lambda means: 1 - means.shares["pair_agreement"],
    ),
    Measure(
        "unanimous",
        "truth/unanimous",
        "all groups agree",
        "Same answer for all",
        "up",
        "questions on which every group gives one answer",
        value=_share("unanimous"),
        question=_unanimous,
    ),
    Measure(
        "pair_agreement",
        "",
        "two groups agree",
        "Two groups give the same answer",
        "",
        "1 minus the flip rate",
        question=lambda answers, right: pair_agreement(answers),
    ),
    Measure(
        "right_for_all",
        "truth/right_for_all",
        "right for every group",
        "Right for all",
        "up",
        "questions that every group gets right",
        question=lambda answers, right: right.all(axis=1).astype(float),
    ),
    Measure(
        "consistent_wrong",
        "truth/consistent_wrong",
        "all agree on a wrong answer",
        "Same wrong answer for all",
        "not up",
        "agreement that helps nobody",
        value=_share("consistent_wrong"),
        question=_consistent_wrong,
    ),
    Measure(
        "accuracy",
        "truth/accuracy",
        "accuracy",
        "Right answers, group by group",
        "up",
        "share of right answers of each group",
    ),
    Measure(
        "mean",
        "truth/mean",
        "accuracy, mean over groups",
        "Right answers, mean over the groups",
        "up",
        "share of right answers",
        value=lambda means: means.accuracy.mean(axis=-1),
    ),
    Measure("chance", "truth/chance", "  what guessing gives", "Guessing", "", "mean of 1 / options"),
    Measure(
        "always_shortest",
        "truth/always_shortest",
        "  what a shortest option gives",
        "Always a shortest answer",
        "",
        "accuracy of always choosing a shortest option, by characters",
    ),
    Measure(
        "always_longest",
        "truth/always_longest",
        "  what a longest option gives",
        "Always a longest answer",
        "",
        "accuracy of always choosing a longest option",
    ),
    Measure(
        "shortest",
        "truth/shortest",
        "a shortest option is chosen",
        "A shortest answer is chosen",
        "",
        "share of answers to choices that are a shortest option, mean over groups",
    ),
    Measure(
        "shortest_guessed",
        "truth/shortest_guessed",
        "  by guessing",
        "A shortest answer, by guessing",
        "",
        "share of options that are a shortest one",
    ),
    Measure(
        "worst",
        "truth/worst",
        "accuracy, worst group",
        "Right answers, worst group",
        "up",
        "the smallest share of right answers",
        value=lambda means: means.accuracy.min(axis=-1),
    ),
    Measure(
        "gap",
        "truth/gap",
        "accuracy gap",
        "Gap between best and worst group",
        "down",
        "best minus worst group",
        unit="points",
        value=_gap,
    ),
    Measure(
        "gap_noise",
        "truth/gap_noise",
        "  the gap that noise alone gives",
        "Gap that chance alone gives",
        "",
        "mean gap when the group labels are permuted",
        unit="points",
    ),
    Measure(
        "no_answer",
        "truth/no_answer",
        "replies to facts without an answer",
        "No readable answer",
        "down",
        "replies that hold none; they count as wrong",
        value=_share("no_answer"),
        question=_no_answer,
    ),
    Measure(
        "divergence",
        "truth/jsd",
        "divergence of answer distributions",
        "Distance between the groups' probabilities",
        "down",
        "generalised Jensen-Shannon divergence over its largest value",
    ),
    Measure(
        "preference",
        "preference/mean",
        "preference score, mean",
        "Own taste met, mean over the groups",
        "up",
        "score of a group's answers on its own taste",
        value=lambda means: means.own.mean(axis=-1),
    ),
    Measure(
        "preference_worst",
        "preference/worst",
        "preference score, worst group",
        "Own taste met, worst group",
        "up",
        "the smallest score",
        value=lambda means: means.own.min(axis=-1),
    ),
    Measure(
        "score",
        "preference/score",
        "preference score",
        "Own taste met, group by group",
        "up",
        "score of each group's answers on its own taste",
    ),
    Measure(
        "swapped",
        "preference/swapped",
        "  scored on the other groups' targets",
        "The others' tastes met, group by group",
        "",
        "score of the same answers on the other groups' tastes",
    ),
    Measure(
        "kept",
        "preference/kept",
        "own minus swapped preference score",
        "Own taste met beyond the others' tastes",
        "up",
        "0 where the same answers suit all: nothing is personal",
        unit="points",
        value=lambda means: means.kept.mean(axis=-1),
    ),
    Measure(
        "nash",
        "welfare/nash",
        "Nash welfare",
        "Welfare of all groups together",
        "up",
        "exp of the mean log utility, accuracies and preference scores",
    ),
)


def compared() -> tuple[Measure, ...]:
    """The measures that one audit is held against another by."""
    return tuple(measure for measure in ALL if measure.value)


def by_key() -> dict[str, Measure]:
    """Key -> measure."""
    return {measure.key: measure for measure in ALL}


def question_measures(answers: Integers, correct: ArrayLike) -> dict[str, Floats]:
    """The measures that have a value on each question; the mean over questions is a share.

    Args:
        answers: [questions, groups], codes; -1 where a reply holds no answer, which agrees with nothing.
        correct: [questions, groups], 0 or 1.

    Returns:
        Key -> [questions]; NaN where a single group would be compared.
    """
    right = np.asarray(correct, dtype=bool)
    return {measure.key: measure.question(answers, right) for measure in ALL if measure.question}


def values(means: Means) -> dict[str, Floats]:
    """Key -> [...] of every measure of `compared`; NaN where it is undefined."""
    return {measure.key: measure.value(means) for measure in ALL if measure.value}


def fact_values(answers: Integers, correct: Floats) -> dict[str, float]:
    """Name in the summary -> value of every measure of facts; NaN where it is undefined.

    Args:
        answers: [questions, groups], codes; -1 for a reply without an answer.
        correct: [questions, groups], 0 or 1.
    """
    shares = {key: column.mean() for key, column in question_measures(answers, correct).items()}
    nothing = np.full(correct.shape[1], math.nan)
    found = values(Means(shares, correct.mean(axis=0), nothing, nothing))
    names = {measure.key: measure.path.removeprefix("truth/") for measure in ALL if measure.path.startswith("truth/")}
    return {names[key]: float(value) for key, value in found.items() if key in names}


def in_summary(measure: Measure, summary: Mapping[str, Any]) -> Any:
    """What a ``summary.json`` says: a number, None where it is undefined, or a mapping by group.

    Raises:
        KeyError: it says nothing of this measure: that of an earlier version, or the measure stands elsewhere.
    """
    part, _, name = measure.path.partition("/")
    return summary[part][name]
