"""Audits of the same questions against each other: what differs, paired by question, with intervals and tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialign.audit.figures import measures, statistics
from trialign.audit.figures.opinions import opinion_panel
from trialign.audit.figures.pairs import holm
from trialign.audit.figures.panel import Panel, fact_panel
from trialign.audit.figures.rows import FACTS, OPINIONS, first_asked, own_answers
from trialign.audit.figures.statistics import Floats, Integers
from trialign.errors import UserError
from trialign.groups import Exposure

_ROUNDING = 1e-12
Change = tuple[float, float, float]
Reading = Literal["as wanted", "not as wanted", "within chance", "cannot be judged", "not known"]


@dataclass(frozen=True)
class Difference:
    """One measure of two audits; None where it is undefined or its spread cannot be told.

    Attributes:
        measure: its key.
        first: its value in the first audit.
        second: in the second.
        change: second minus first.
        low: lower end of the interval of the change, by bootstrap over clusters.
        high: upper end.
        p_value: of the hypothesis that it does not matter which audit an answer comes from, see `differences`.
        p_holm: the same, corrected for all differences that are shown together (Holm, 1979).
        unread_decide: whether the interval would say something else were every reply without an answer right, in both
            audits: then nothing is known of the change. As counted, they are wrong.
    """

    measure: str
    first: float | None
    second: float | None
    change: float | None
    low: float | None
    high: float | None
    p_value: float | None
    p_holm: float | None = None
    unread_decide: bool = False


@dataclass(frozen=True)
class AuditMeasures:
    """What an audit, or the average of several, says question by question.

    Attributes:
        groups: the members.
        asked: (query_id, cluster) of every question.
        facts: [facts, shares + groups]: the measures that have a value on each question, in the order of
            ``measures.ALL``, and whether each group is right.
        if_right: the same were every reply without an answer right; None where every reply was read.
        fact_clusters: [facts].
        tastes: [tastes, 2 groups]: each group's score, and that score minus the one on the other groups' targets,
            NaN where the latter is not known.
        taste_clusters: [tastes].
    """

    groups: tuple[str, ...]
    asked: frozenset[tuple[str, str]]
    facts: Floats
    if_right: Floats | None
    fact_clusters: Integers
    tastes: Floats
    taste_clusters: Integers


def measure_audit(items: pd.DataFrame, groups: Sequence[str], exposure: Exposure = "explicit") -> AuditMeasures:
    """The members' answers given alone, with the first wording, asked once.

    Args:
        items: of one audit, as ``read_items`` gives them.
        groups: the members.
        exposure: how the profile reached them.

    Raises:
        UserError: a group lacks an answer, or has it twice.
    """
    facts, tastes = fact_panel(items, groups, exposure), opinion_panel(items, groups, exposure)
    rows = first_asked(own_answers(items, (*FACTS, *OPINIONS), exposure))
    rows = rows[rows["group"].isin(groups)]
    nobody = np.empty(0, dtype=np.int64)
    unread = facts is not None and (facts.replies[:, :, 0, 0] > 0).any()
    taste_values = np.empty((0, 2 * len(groups)))
    if tastes:
        kept = np.full_like(tastes.own, np.nan) if tastes.swapped is None else tastes.own - tastes.swapped
        taste_values = np.column_stack([tastes.own, kept])
    return AuditMeasures(
        groups=tuple(groups),
        asked=frozenset(zip(rows["query_id"], rows["cluster"], strict=True)),
        facts=_fact_values(facts) if facts else np.empty((0, len(_shares()) + len(groups))),
        if_right=_fact_values(facts.unread_as_right()) if facts and unread else None,
        fact_clusters=facts.clusters if facts else nobody,
        tastes=taste_values,
        taste_clusters=tastes.clusters if tastes else nobody,
    )


def _fact_values(panel: Panel) -> Floats:
    """The columns of `AuditMeasures.facts`."""
    shares = measures.question_measures(panel.answers[:, :, 0, 0], panel.correct)
    return np.column_stack([*shares.values(), panel.correct])


def pooled(audits: Sequence[AuditMeasures]) -> AuditMeasures:
    """The average of several audits of the same questions, such as runs that differ in their seed only.

    Raises:
        UserError: the audits asked different questions or groups.
    """
    for audit in audits[1:]:
        _check_comparable(audits[0], audit)
    read = all(audit.if_right is None for audit in audits)
    return replace(
        audits[0],
        facts=np.mean([audit.facts for audit in audits], axis=0),
        if_right=None if read else np.mean([_best(audit) for audit in audits], axis=0),
        tastes=np.mean([audit.tastes for audit in audits], axis=0),
    )


def values(audit: AuditMeasures) -> dict[str, float | None]:
    """Key -> value of every measure; None where it is undefined."""
    found = _measures(_mean(audit.facts), _mean(audit.tastes))
    return {measure.key: _known(value) for measure, value in zip(measures.compared(), found, strict=True)}


def differences(
    first: AuditMeasures,
    second: AuditMeasures,
    *,
    confidence: float = 0.95,
    resamples: int = 4000,
    swaps: int = 9999,
    seed: int = 0,
) -> tuple[Difference, ...]:
    """Every measure of the second audit against the first.

    Intervals: percentile bootstrap; whole clusters are drawn, the same for both audits. Tests: if it does not matter
    which audit an answer comes from, then exchanging the two audits' answers to a cluster changes nothing in law. They
    are exchanged at random, each cluster for itself, and p = (1 + as large) / (1 + swaps) (Phipson and Smyth, 2010).

    Args:
        first: one audit, or runs pooled.
        second: another, of the same questions.
        confidence: of the intervals.
        resamples: bootstrap resamples.
        swaps: random exchanges.
        seed: of both.

    Returns:
        One entry for each of ``measures.compared()``, in their order.

    Raises:
        UserError: the audits asked different questions or groups.
    """
    _check_comparable(first, second)
    sides = [(first.facts, second.facts, first.fact_clusters), (first.tastes, second.tastes, first.taste_clusters)]
    drawn = [_resampled(*side, resamples, seed) for side in sides]
    swapped = [_exchanged(*side, swaps, seed) for side in sides]
    observed = [_measures(_mean(audit.facts), _mean(audit.tastes)) for audit in (first, second)]
    change = observed[1] - observed[0]
    tail = (1 - confidence) / 2
    spread = _measures(drawn[0][1], drawn[1][1]) - _measures(drawn[0][0], drawn[1][0])
    low, high = np.quantile(spread, [tail, 1 - tail], axis=0)
    null = _measures(swapped[0][1], swapped[1][1]) - _measures(swapped[0][0], swapped[1][0])
    as_large = (np.abs(null) >= np.abs(change) - _ROUNDING).sum(axis=0)
    p_values = np.where(np.isnan(low), np.nan, (1 + as_large) / (1 + swaps))
    table = np.stack([*observed, change, low, high, p_values], axis=1)
    decide = _unread_decide(first, second, low, high, resamples, seed, tail)
    names = ("first", "second", "change", "low", "high", "p_value")
    return corrected(
        [
            Difference(
                measure=measure.key,
                **{name: _known(value) for name, value in zip(names, row, strict=True)},
                unread_decide=bool(open_),
            )
            for measure, row, open_ in zip(measures.compared(), table, decide, strict=True)
        ]
    )


def _unread_decide(
    first: AuditMeasures, second: AuditMeasures, low: Floats, high: Floats, resamples: int, seed: int, tail: float
) -> NDArray[np.bool_]:
    """Of which measures ([measures]) the interval would lie otherwise about zero, were unread replies right.

    Their own rate, and what does not rest on facts, is known either way.
    """
    if first.if_right is None and second.if_right is None:
        return np.zeros(len(measures.compared()), dtype=bool)
    facts = _resampled(_best(first), _best(second), first.fact_clusters, resamples, seed)
    nothing = np.full((resamples, first.tastes.shape[1]), np.nan)
    spread = _measures(facts[1], nothing) - _measures(facts[0], nothing)
    other_low, other_high = np.quantile(spread, [tail, 1 - tail], axis=0)
    aside = np.array([measure.key == "no_answer" for measure in measures.compared()])
    known = ~np.isnan(low) & ~np.isnan(other_low) & ~aside
    decided: NDArray[np.bool_] = known & (_side(low, high) != _side(other_low, other_high))
    return decided


def _side(low: Floats, high: Floats) -> Floats:
    """On which side of zero intervals lie: 1 above, -1 below, 0 on both."""
    return (low > 0).astype(float) - (high < 0)


def _best(audit: AuditMeasures) -> Floats:
    return audit.facts if audit.if_right is None else audit.if_right


def corrected(found: Sequence[Difference]) -> tuple[Difference, ...]:
    """Differences that are shown together, with Holm's correction for their number."""
    known = [entry.p_value for entry in found if entry.p_value is not None]
    adjusted = iter(holm(known).tolist() if known else [])
    return tuple(replace(entry, p_holm=None if entry.p_value is None else float(next(adjusted))) for entry in found)


def paired(
    before: pd.DataFrame,
    after: pd.DataFrame,
    groups: Sequence[str],
    exposure: Exposure = "explicit",
    *,
    confidence: float = 0.95,
) -> tuple[Difference, ...]:
    """Every measure of two audits of the same questions, see `differences`.

    Args:
        before: items of the first audit, as ``read_items`` gives them.
        after: items of the second.
        groups: the members.
        exposure: how the profile reached them.
        confidence: of the intervals.

    Raises:
        UserError: the audits asked different questions.
    """
    return differences(*(measure_audit(items, groups, exposure) for items in (before, after)), confidence=confidence)


def changes(
    before: pd.DataFrame, after: pd.DataFrame, groups: Sequence[str], exposure: Exposure = "explicit"
) -> dict[str, Change]:
    """What changed between two audits of the same questions; arguments as `paired` takes them.

    Returns:
        Key of each measure that is defined -> (change, lower and upper end of its 95 % interval).

    Raises:
        UserError: the audits asked different questions.
    """
    return intervals(paired(before, after, groups, exposure))


def intervals(found: Sequence[Difference]) -> dict[str, Change]:
    """Key of each measure that is defined -> (change, lower and upper end of its interval)."""
    return {
        entry.measure: (entry.change, entry.low, entry.high)
        for entry in found
        if entry.change is not None and entry.low is not None and entry.high is not None
    }


def reading(found: Difference, alpha: float) -> Reading:
    """Whether a change is as wanted.

    It counts where its interval and its test agree: the percentile interval of a smallest or largest group lies off
    zero too easily, and a test alone says nothing of how much.

    Args:
        found: the change.
        alpha: level of the test; the interval has the confidence 1 - alpha.
    """
    if found.unread_decide:
        return "cannot be judged"
    if found.low is None or found.high is None or found.p_value is None:
        return "not known"
    if found.low <= 0 <= found.high or found.p_value > alpha:
        return "within chance"
    wanted = measures.by_key()[found.measure].wanted
    return "as wanted" if (found.low > 0) == (wanted == "up") else "not as wanted"


def not_known(found: Sequence[Difference]) -> str:
    """A sentence on the changes that replies without an answer decide; empty where they decide none."""
    known = measures.by_key()
    named = [known[entry.measure].label for entry in found if entry.unread_decide]
    if not named:
        return ""
    return (
        "Cannot be judged, since replies that hold no answer decide (were they right, the interval would say "
        f"otherwise): {'; '.join(named)}."
    )


def _check_comparable(first: AuditMeasures, second: AuditMeasures) -> None:
    if first.groups != second.groups or first.asked != second.asked:
        raise UserError(
            "The two audits asked different questions or groups", "Compare audits of the same data, split and groups"
        )


def _shares() -> tuple[str, ...]:
    """Keys of the columns of `AuditMeasures.facts` before those of the groups."""
    return tuple(measure.key for measure in measures.ALL if measure.question)


def _measures(facts: Floats, tastes: Floats) -> Floats:
    """[..., measures] from means of the columns of `AuditMeasures`: [..., shares + groups] and [..., 2 groups]."""
    keys = _shares()
    own, kept = np.split(tastes, 2, axis=-1)
    shares = {key: facts[..., place] for place, key in enumerate(keys)}
    means = measures.Means(shares, facts[..., len(keys) :], own, kept)
    return np.stack(list(measures.values(means).values()), axis=-1)


def _mean(rows: Floats) -> Floats:
    """Means of columns ([columns]); NaN without rows."""
    return rows.mean(axis=0) if len(rows) else np.full(rows.shape[1], np.nan)


def _resampled(first: Floats, second: Floats, clusters: Integers, resamples: int, seed: int) -> tuple[Floats, Floats]:
    """Column means ([resamples, columns]) of both audits under the same draws; NaN where no spread can be told."""
    width = first.shape[1]
    if len(np.unique(clusters)) < 2:
        unknown = np.full((resamples, width), np.nan)
        return unknown, unknown
    sums, counts = statistics.cluster_sums(np.concatenate([first, second], axis=1), clusters)
    drawn = statistics.bootstrap_means(sums, counts, resamples, seed)
    return drawn[:, :width], drawn[:, width:]


def _exchanged(first: Floats, second: Floats, clusters: Integers, swaps: int, seed: int) -> tuple[Floats, Floats]:
    """Column means ([swaps, columns]) of both audits after their answers to random clusters were exchanged."""
    middle = _mean((first + second) / 2)
    if not len(first):
        nothing = np.full((swaps, len(middle)), np.nan)
        return nothing, nothing
    generator = np.random.default_rng(seed)
    halves, counts = statistics.cluster_sums((second - first) / 2, clusters)
    halves, counts = statistics.in_blocks(halves, counts, generator)

    def swings(count: int) -> Floats:
        signs = generator.choice([-1.0, 1.0], size=(count, len(counts)))
        found: Floats = signs @ halves / counts.sum()
        return found

    swing = statistics.in_chunks(swings, swaps, len(counts))
    return middle - swing, middle + swing


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
