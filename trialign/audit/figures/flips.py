"""Is it the group, or the wording? Flips between groups against flips between wordings of one group's profile."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialign.audit.figures import statistics
from trialign.audit.figures.rows import FACTS, aligned, clusters, codes, own_answers, shared
from trialign.audit.figures.statistics import Floats, Integers
from trialign.errors import UserError
from trialign.groups import Exposure
from trialign.queries.types import Kind

_REGROUPINGS = 5000
_CHUNK = 2_000_000  # answers that are compared at once


@dataclass(frozen=True)
class ExcessFlips:
    """Flips across groups beyond those that another wording of the same profile makes.

    A flip is a pair of answers to one question that differ; an answer that cannot be read differs from all.
    ``excess`` is ``across - wordings``, or ``across - repeats`` where each profile was asked in one wording but
    several times. For one pair of groups and one question its expectation is half the squared distance between
    the distributions of their answers over wordings, so it is zero exactly where the group makes no difference
    (the energy distance of Szekely and Rizzo, 2013, for answers that are equal or not). Flips between wordings
    already contain those between repeats: both are not taken off together.

    Attributes:
        across: share of flips between two groups, in different wordings where there are several.
        wordings: share of flips between two wordings of one group; None with one wording.
        repeats: share of flips between two askings of the same agent in the same words; None if asked once.
        excess: see above; None with one wording, asked once.
        low: lower end of its interval, by bootstrap over clusters, for the wordings as they are; None with one cluster,
            or where all clusters are alike: then no spread can be told.
        high: upper end.
        p_value: share of the ways to deal the wordings to the groups anew that give as large an excess (one text
            of each wording number to each group); None with one wording.
        smallest_p_value: the smallest that so many wordings can give.
        n_questions: questions compared.
        n_clusters: clusters that they form.
        n_wordings: wordings that every group was asked in.
        n_repeats: how often every agent was asked in the same words.
        note: what could not be told, and why; empty where all could.
    """

    across: float
    wordings: float | None
    repeats: float | None
    excess: float | None
    low: float | None
    high: float | None
    p_value: float | None
    smallest_p_value: float | None
    n_questions: int
    n_clusters: int
    n_wordings: int
    n_repeats: int
    note: str


def excess_flips(
    items: pd.DataFrame,
    groups: Sequence[str],
    *,
    exposure: Exposure = "explicit",
    kinds: Sequence[Kind] = FACTS,
    confidence: float = 0.95,
    seed: int = 0,
) -> ExcessFlips:
    """Compares flips across groups with flips across wordings, and across repeats, of one group.

    Args:
        items: of one audit, as ``read_items`` gives them; answers given alone (turn 0) are used, with the wordings
            and repeats that every group has.
        groups: at least two, in any order.
        exposure: how the profile reached the agents.
        kinds: of questions; facts by default. Where tastes differ, flips are wanted.
        confidence: of the interval.
        seed: of the resampling and regrouping.

    Raises:
        UserError: fewer than two groups, no such answers, or a group lacks a question.
    """
    if len(groups) < 2:
        raise UserError("Flips across groups need at least two groups", "Name two groups or more")
    rows = own_answers(items, kinds, exposure)
    rows = rows[rows["group"].isin(groups)]
    if rows.empty:
        raise UserError(
            f"The audit has no {exposure} answers of {', '.join(groups)} to {' or '.join(kinds)} questions",
            "Audit these groups, questions and this exposure first",
        )
    wordings, repeats = shared(rows, "wording"), shared(rows, "repeat")
    width = len(groups) * wordings * repeats
    table = aligned(rows, groups, wordings=wordings, repeats=repeats)
    answers = codes(table, width).reshape(-1, len(groups), wordings, repeats)
    return flips_of(answers, clusters(table, width), confidence=confidence, seed=seed)


def flips_of(answers: Integers, cluster: Integers, *, confidence: float = 0.95, seed: int = 0) -> ExcessFlips:
    """`excess_flips` of answers on plain arrays.

    Args:
        answers: [questions, groups, wordings, repeats], codes; -1 where a reply holds no answer.
        cluster: [questions].
        confidence: of the interval.
        seed: of the resampling and regrouping.
    """
    questions, _, wordings, repeats = answers.shape
    across, within, pairs = _pair_flips(answers)
    again = _repeat_flips(answers) if repeats > 1 else None
    baseline = within if wordings > 1 else again
    excess, low, high = None, None, None
    if baseline is not None:
        difference = across - baseline
        excess = float(difference.mean())
        low, high = _ends(difference, cluster, confidence, seed)
    p_value, smallest = _regroup(pairs, seed) if wordings > 1 else (None, None)
    return ExcessFlips(
        across=float(across.mean()),
        wordings=None if within is None else float(within.mean()),
        repeats=None if again is None else float(again.mean()),
        excess=excess,
        low=low,
        high=high,
        p_value=p_value,
        smallest_p_value=smallest,
        n_questions=questions,
        n_clusters=len(np.unique(cluster)),
        n_wordings=wordings,
        n_repeats=repeats,
        note=_note(wordings, repeats, smallest, 1 - confidence),
    )


def _pair_flips(answers: Integers) -> tuple[Floats, Floats | None, Floats]:
    """Flips across groups and within them per question ([questions] each), and per pair of profile texts.

    Returns:
        Shares across groups; shares within a group, None with one wording; and [wordings, wordings, groups,
        groups], the share of questions on which two texts flip, filled for pairs of different wordings.
    """
    questions, groups, wordings, _ = answers.shape
    across, within = np.zeros(questions), np.zeros(questions)
    share = np.zeros((wordings, wordings, groups, groups))
    n_across, n_within = 0, 0
    for one, other in _wording_pairs(wordings):
        every, own, share[one, other] = _flips(answers[:, :, one], answers[:, :, other])
        if one == other:
            across += (every - own) / 2  # each pair of groups once; a text against itself is no pair
            n_across += groups * (groups - 1) // 2
        else:
            across += every - own
            within += own
            n_across += groups * (groups - 1)
            n_within += groups
    return across / n_across, within / n_within if n_within else None, share


def _wording_pairs(wordings: int) -> Iterator[tuple[int, int]]:
    """Pairs of different wordings: two texts of the same number may be alike but for the group's name."""
    return combinations(range(wordings), 2) if wordings > 1 else iter([(0, 0)])


def _flips(first: Integers, second: Integers) -> tuple[Floats, Floats, Floats]:
    """Shares of (repeat, repeat) whose answers differ, between the groups' texts of two wordings.

    Args:
        first: [questions, groups, repeats], of one wording.
        second: of the other.

    Returns:
        Their sum over all pairs of groups ([questions]), over each group with itself ([questions]), and the mean over
        questions of every pair ([groups, groups]).
    """
    questions, groups, repeats = first.shape
    every, own, pairs = np.zeros(questions), np.zeros(questions), np.zeros((groups, groups))
    step = max(1, _CHUNK // groups**2)
    for start in range(0, questions, step):
        chosen = slice(start, start + step)
        differ = np.zeros((len(first[chosen]), groups, groups), dtype=np.int16)
        for i, j in product(range(repeats), repeat=2):
            one, other = first[chosen, :, None, i], second[chosen, None, :, j]
            differ += (one != other) | (one < 0)
        every[chosen] = differ.sum(axis=(1, 2))
        own[chosen] = differ.diagonal(axis1=1, axis2=2).sum(axis=1)
        pairs += differ.sum(axis=0)
    return every / repeats**2, own / repeats**2, pairs / (questions * repeats**2)


def _repeat_flips(answers: Integers) -> Floats:
    """Share of pairs of repeats of one text that differ ([questions])."""
    pairs = combinations(range(answers.shape[3]), 2)
    same = [(answers[..., i] == answers[..., j]) & (answers[..., i] >= 0) for i, j in pairs]
    flips: Floats = 1 - np.mean(same, axis=(0, 2, 3))
    return flips


def _ends(difference: Floats, cluster: Integers, confidence: float, seed: int) -> tuple[float | None, float | None]:
    """Ends of the interval; None where one cluster, or no spread at all, leaves nothing to tell them from."""
    low, high = statistics.mean_intervals(difference[:, None], cluster, confidence=confidence, seed=seed)[0]
    return (None, None) if math.isnan(low) or low == high else (float(low), float(high))


def _regroup(share: Floats, seed: int) -> tuple[float, float]:
    """Deals the texts of each wording number to the groups anew.

    All flips between texts of different number are fixed, so the excess is the larger, the fewer flips fall
    within the groups. The first number keeps its groups, since only who goes together matters.

    Args:
        share: [wordings, wordings, groups, groups], filled above the diagonal of the first two.
        seed: of the drawing, where there are too many ways to go through all.

    Returns:
        The share of ways with as few flips within groups as observed, and the smallest share possible.
    """
    wordings, groups = share.shape[0], share.shape[2]
    ways = math.factorial(groups) ** (wordings - 1)
    dealt = _all_deals(wordings, groups) if ways <= _REGROUPINGS else _some_deals(wordings, groups, seed)
    within = sum(share[i, j][dealt[:, i], dealt[:, j]].sum(axis=1) for i, j in combinations(range(wordings), 2))
    observed = share.diagonal(axis1=2, axis2=3).sum()
    fewer = np.asarray(within) <= observed + 1e-9
    return float(fewer.mean()), 1 / len(dealt)


def _all_deals(wordings: int, groups: int) -> NDArray[np.int64]:
    """[ways, wordings, groups]: which text each group gets."""
    fixed = (tuple(range(groups)),)
    return np.array([fixed + way for way in product(permutations(range(groups)), repeat=wordings - 1)])


def _some_deals(wordings: int, groups: int, seed: int) -> NDArray[np.int64]:
    """As `_all_deals`, drawn; the first one is the observed one, so that no p-value is zero."""
    straight = np.broadcast_to(np.arange(groups), (_REGROUPINGS, wordings, groups))
    drawn = np.random.default_rng(seed).permuted(straight, axis=2)
    drawn[0] = np.arange(groups)
    return drawn


def _note(wordings: int, repeats: int, smallest: float | None, alpha: float) -> str:
    if wordings == 1 and repeats == 1:
        return (
            "Every profile was asked in one wording, once: whether flips come from the group or from the wording "
            "cannot be told. Audit with audit.wordings=2 or more."
        )
    if wordings == 1:
        return "Every profile was asked in one wording: the excess is over asking the same agent again."
    if smallest is not None and smallest > alpha:
        return f"With {wordings} wordings no p-value can be below {smallest:.2g}: audit with more wordings."
    return ""
