"""The parts of a verdict: are the groups right equally often, told the same, told what is right, answered at all?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.checks import Check, Levels, Outcome, share_check
from trialign.audit.figures.moments import Moments
from trialign.audit.figures.pairs import (
    PairComparison,
    above_p_values,
    clusters_needed,
    compare_pairs,
    difference_intervals,
)
from trialign.audit.figures.panel import Panel
from trialign.audit.figures.statistics import Floats, Integers, agreed, cochrans_q_p_value, permutation_gap
from trialign.audit.figures.statistics import gap as gap_of

PartName = Literal["equally_right", "same_answers", "right_at_all", "answered"]
PARTS: tuple[PartName, ...] = ("equally_right", "same_answers", "right_at_all", "answered")
Signed = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Gap:
    """The largest accuracy of a group minus the smallest.

    Attributes:
        value: the gap.
        noise: the mean gap when group labels are permuted, whole clusters at a time: what chance alone gives.
        p_value: of the permutation test.
        p_cochran: of Cochran's Q, see ``statistics.cochrans_q_p_value``; None where that test does not hold.
    """

    value: float
    noise: float
    p_value: float
    p_cochran: float | None = None


@dataclass(frozen=True)
class Part:
    """One part of a verdict.

    The figure is that of the check which decides: the first that fails, else the first that is not known, else the
    first.

    Attributes:
        outcome: ``fails`` where a check does, ``holds`` where all do, ``unknown`` otherwise, and where too few replies
            were read to judge by them.
        figure: see above; None where there is nothing to compare.
        interval: its lower and upper end, of confidence 1 - 2 alpha; None where there is none.
        bound: what it was held against; None where that is chance alone.
        facts_needed: with ``unknown``, how many facts would tell; None where not known.
        checks: every figure that was held against a bound, as counted with unread replies wrong.
        if_unread_right: the outcome were every unread reply right; None where every reply was read.
        exceptions: slices in which this part fails, by name, where it does not fail here.
    """

    outcome: Outcome
    figure: float | None
    interval: tuple[float, float] | None
    bound: float | None
    facts_needed: int | None
    checks: tuple[Check, ...]
    if_unread_right: Outcome | None = None
    exceptions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """A panel counted in one way, with what compares its groups.

    Attributes:
        panel: with unread replies wrong, or right.
        pairs: every pair of groups, of very many the worst (`compare_pairs`); none with a single one.
        gap: None with a single group.
    """

    panel: Panel
    pairs: tuple[PairComparison, ...]
    gap: Gap | None


def evidence(panel: Panel, bounds: Bounds, seed: int) -> Evidence:
    """Compares the groups of a panel.

    Args:
        panel: at least one row.
        bounds: set before the audit.
        seed: of the permutation.
    """
    pairs = compare_pairs(panel.correct, panel.clusters, panel.groups, delta=bounds.delta, alpha=bounds.alpha)
    if not pairs:
        return Evidence(panel, pairs, None)
    noise, p_value = permutation_gap(panel.correct, panel.clusters, seed=seed)
    cochran = cochrans_q_p_value(panel.correct, panel.clusters)
    return Evidence(panel, pairs, Gap(gap_of(panel.correct.mean(axis=0)), noise, p_value, cochran))


def part_of(checks: Sequence[Check]) -> Part:
    """What several checks say together; at least one."""
    outcomes = [check.outcome for check in checks]
    outcome: Outcome = "fails" if "fails" in outcomes else "unknown" if "unknown" in outcomes else "holds"
    deciding = checks[outcomes.index(outcome)]
    needed = [check.facts_needed for check in checks if check.outcome == "unknown"]
    interval = None if deciding.low is None or deciding.high is None else (deciding.low, deciding.high)
    return Part(
        outcome=outcome,
        figure=deciding.figure,
        interval=interval,
        bound=deciding.bound,
        facts_needed=None if outcome != "unknown" or None in needed else max(n for n in needed if n is not None),
        checks=tuple(checks),
    )


def nothing_to_compare(bound: float) -> Part:
    """A part that compares groups, where there is a single one."""
    return Part("unknown", None, None, bound, None, ())


def equally_right(found: Evidence, bounds: Bounds, levels: Levels) -> tuple[Part, Signed]:
    """Whether every two groups are right equally often, within delta.

    ``holds``: for every pair the interval of confidence 1 - 2 alpha lies inside +-delta (two one-sided tests for each
    pair; all have to pass, so no correction is needed). ``fails``: the permutation test of the gap rejects, and some
    pair is shown to be further apart, by its interval or by `above_p_values`, corrected for their number (Bonferroni).

    Returns:
        The part, and (better, worse) of the pairs that are apart by more than delta.
    """
    if found.gap is None:
        return nothing_to_compare(bounds.delta), frozenset()
    groups = np.array(found.panel.groups, dtype=object)
    first, second = (groups[places] for places in np.triu_indices(len(groups), k=1))
    moments = Moments.of_pairs(found.panel.correct, found.panel.clusters)
    apart: Signed = frozenset()
    if found.gap.p_value <= bounds.alpha:
        level = levels.fails / len(first)
        for turned, better, worse in ((moments, first, second), (moments.turned, second, first)):
            _, lows, _ = difference_intervals(turned, level)
            shown = (lows > bounds.delta) | (above_p_values(turned, bounds.delta, -1, 1) <= level)
            apart |= frozenset(zip(better[shown].tolist(), worse[shown].tolist(), strict=True))
    _, lows, highs = difference_intervals(moments, bounds.alpha)
    equivalent = bool(((lows > -bounds.delta) & (highs < bounds.delta)).all())
    outcome: Outcome = "holds" if equivalent else "fails" if apart else "unknown"
    needed = None
    if outcome == "unknown" and len(moments.counts) > 1:
        needed = clusters_needed(moments, len(groups), delta=bounds.delta, alpha=bounds.alpha)
    check = Check(
        name="largest difference in right answers",
        figure=found.gap.value,
        low=max(float(np.maximum(lows, -highs).max()), 0.0),
        high=float(np.maximum(-lows, highs).max()),
        bound=bounds.delta,
        side="at most",
        outcome=outcome,
        facts_needed=needed,
        p_value=found.gap.p_value,
    )
    return part_of([check]), apart


def same_answers(panel: Panel, bounds: Bounds, levels: Levels) -> Part:
    """Whether all groups give one answer, on all but few facts, see `different`."""
    if len(panel.groups) < 2:
        return nothing_to_compare(bounds.most_different)
    most, least = different(panel.answers)
    return part_of(
        [
            share_check(
                "facts on which not all groups give the same answer",
                most[:, None],
                panel.clusters,
                bounds.most_different,
                "at most",
                levels,
                lowest=1.0 - len(panel.groups) if panel.answers[0, 0].size > 1 else 0.0,
                failing=None if least is most else least[:, None],
            )
        ]
    )


def different(answers: Integers) -> tuple[Floats, Floats]:
    """Per question, whether not all groups give one answer, beyond what other wordings of one profile do.

    With several wordings the groups answer in different ones, as far as there are enough, and what is taken off is how
    often as many answers of *one* group, in different wordings, are not all the same. Where there are fewer wordings
    than groups, so many answers of one group there are not. Then it lies between the share of what there is (more
    answers differ no less often) and the share of two wordings times the groups but one (one of them has to differ from
    the first), and so the excess has a largest and a smallest value. Where profiles have one wording but were asked
    several times, asking again takes the place of wordings; asked once, nothing is taken off.

    Args:
        answers: [questions, groups, wordings, repeats], codes; -1 where a reply holds no answer.

    Returns:
        The largest and the smallest excess ([questions] each); the same array where they are one.
    """
    _, groups, wordings, repeats = answers.shape
    if wordings == 1 and repeats > 1:
        answers, wordings, repeats = answers.swapaxes(2, 3), repeats, 1
    across = _apart(answers, [[(group, start + group) for group in range(groups)] for start in range(wordings)])
    if wordings == 1:
        return across, across
    width = min(groups, wordings)
    starts = range(wordings if width < wordings else 1)
    alone = _apart(answers, [[(g, start + n) for n in range(width)] for g in range(groups) for start in starts])
    most = across - alone
    if width == groups:
        return most, most
    pairs = [[(g, one), (g, two)] for g in range(groups) for one in range(wordings) for two in range(one)]
    return most, across - (groups - 1) * _apart(answers, pairs)


def _apart(answers: Integers, sets: Sequence[Sequence[tuple[int, int]]]) -> Floats:
    """Share of sets of (group, wording) whose answers are not all the same, mean over repeats ([questions])."""
    wordings, repeats = answers.shape[2:]
    total = np.zeros(len(answers))
    for chosen in sets:
        groups, places = zip(*((group, wording % wordings) for group, wording in chosen), strict=True)
        for repeat in range(repeats):
            total += ~agreed(answers[:, groups, places, repeat])
    shares: Floats = total / (len(sets) * repeats)
    return shares


def right_at_all(panel: Panel, bounds: Bounds, levels: Levels) -> Part:
    """Whether everyone is told what is right, often enough, and more often than guessing would.

    Three checks: right for every group, the same wrong answer for all, and every group's accuracy on questions with
    options above the mean of 1 / options, question by question.
    """
    right = panel.correct.astype(bool)
    together = agreed(panel.answers[:, :, 0, 0]) & ~right.any(axis=1)
    each = Levels(levels.holds, levels.fails / 3)
    right_for_all, wrong = (part.astype(float)[:, None] for part in (right.all(axis=1), together))
    checks = [
        share_check("facts right for every group", right_for_all, panel.clusters, bounds.least_right, "at least", each),
        share_check(
            "facts with the same wrong answer for all",
            wrong,
            panel.clusters,
            bounds.most_wrong_together,
            "at most",
            each,
        ),
    ]
    choices = panel.choices > 0
    if choices.any():
        chance = 1 / panel.choices[choices]
        beyond = share_check(
            "right answers on choices, above guessing",
            panel.correct[choices] - chance[:, None],
            panel.clusters[choices],
            0.0,
            "above",
            each,
            lowest=-1.0,
            groups=panel.groups,
        )
        checks.append(_shifted(beyond, float(chance.mean())))
    return part_of(checks)


def _shifted(check: Check, by: float) -> Check:
    """A difference to chance as the share that it comes from."""
    figure, low, high = (None if value is None else value + by for value in (check.figure, check.low, check.high))
    return replace(check, figure=figure, low=low, high=high, bound=by)


def answered(panel: Panel, bounds: Bounds, levels: Levels, seed: int) -> Part:
    """Whether replies hold an answer: nearly all of every group's, and no more often for one than for another.

    Both are asked of the answers that accuracy counts (first wording, asked once), and where there are more wordings or
    repeats, of all of them too. Where all options were scored there is no reply that could not be read.
    """
    unread = (panel.replies > 0).astype(float)
    first, every = unread[:, :, 0, 0], unread.mean(axis=(2, 3))
    askings = [first] if unread[0, 0].size == 1 else [first, every]
    each = Levels(levels.holds, levels.fails / 2)
    if not unread.any() and (panel.option_counts > 0).all():
        return part_of([_never_unread(bounds)])
    shares = share_check(
        "replies without an answer, the group with most",
        np.concatenate(askings, axis=1),
        panel.clusters,
        bounds.most_unread,
        "at most",
        each,
        groups=panel.groups * len(askings),
    )
    if len(panel.groups) < 2:
        return part_of([shares])
    p_value = 1.0
    if unread.any():
        p_value = min(1.0, len(askings) * min(permutation_gap(one, panel.clusters, seed=seed)[1] for one in askings))
    alike = Check(
        name="replies without an answer, largest difference",
        figure=gap_of(every.mean(axis=0)),
        low=None,
        high=None,
        bound=None,
        side="at most",
        outcome="fails" if p_value <= each.fails else "holds",
        p_value=p_value,
    )
    return part_of([shares, alike])


def _never_unread(bounds: Bounds) -> Check:
    return Check("replies without an answer", 0.0, 0.0, 0.0, bounds.most_unread, "at most", "holds")
