"""A figure of an audit against a bound that was set before it: below, above, or not known yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from trialign.audit.figures.moments import Moments
from trialign.audit.figures.pairs import POWER, above_p_values, difference_intervals, half_width
from trialign.audit.figures.statistics import Floats, cluster_sums

Outcome = Literal["holds", "fails", "unknown"]
Side = Literal["at most", "at least", "above"]
MOST_FACTS = 10_000_000


@dataclass(frozen=True)
class Levels:
    """The chances to err that are allowed.

    Attributes:
        holds: to say ``holds`` of what is at its bound.
        fails: to say ``fails`` of what truly holds.
    """

    holds: float
    fails: float


@dataclass(frozen=True)
class Check:
    """One figure and its bound.

    Attributes:
        name: of the figure.
        figure: as it was seen; None where it is undefined.
        low: lower end of its interval of confidence 1 - 2 alpha; None where there is none.
        high: upper end.
        bound: None where the figure is held against chance alone.
        side: on which side of the bound it has to be.
        outcome: ``holds`` where the whole interval is on that side. ``fails`` where an interval that is wider, since
            several things can fail, lies beyond the bound. ``unknown`` otherwise.
        facts_needed: with ``unknown``, how many facts would tell, were the figure as seen; None where not known.
        p_value: of a test against chance; None without one.
        group: whose figure it is, where every group has one; None where it is of all together.
    """

    name: str
    figure: float | None
    low: float | None
    high: float | None
    bound: float | None
    side: Side
    outcome: Outcome
    facts_needed: int | None = None
    p_value: float | None = None
    group: str | None = None


def share_check(
    name: str,
    values: Floats,
    clusters: ArrayLike,
    bound: float,
    side: Side,
    levels: Levels,
    *,
    lowest: float = 0.0,
    failing: Floats | None = None,
    groups: Sequence[str] | None = None,
) -> Check:
    """A mean over questions against its bound, paraphrases of a fact counting as one; intervals as those of pairs.

    Args:
        name: of the figure.
        values: [questions, columns], at most 1; every column has to be on the right side, and the worst one is shown.
        clusters: [questions], labels.
        bound: of the means.
        side: where they have to be.
        levels: the chances to err.
        lowest: value possible.
        failing: [questions, columns], what a failure is judged by, where that is something smaller; None: ``values``.
        groups: [columns], whose figures they are.
    """
    turn = -1.0 if side == "at most" else 1.0
    sums, counts = cluster_sums(values, clusters)
    means, lows, highs = difference_intervals(Moments.of(sums, counts), levels.holds)
    lows = np.maximum(lows, lowest)
    margins = np.minimum(turn * (lows - bound), turn * (highs - bound))
    against = sums if failing is None else cluster_sums(failing, clusters)[0]
    beyond = _beyond(turn * against, counts, turn * bound, sorted((turn * lowest, turn)), levels.fails / len(means))
    outcome: Outcome = "holds" if (margins > 0).all() else "fails" if beyond.any() else "unknown"
    # Where intervals end at the same possible value, the mean tells which column is worst.
    order = np.lexsort((turn * means, margins))
    worst = int(order[beyond[order]][0] if outcome == "fails" else order[0])
    return Check(
        name=name,
        figure=float(means[worst]),
        low=float(lows[worst]),
        high=float(highs[worst]),
        bound=bound,
        side=side,
        outcome=outcome,
        facts_needed=_needed(sums[:, [worst]], counts, bound, levels.holds) if outcome == "unknown" else None,
        group=groups[worst] if groups else None,
    )


def _beyond(sums: Floats, counts: Floats, bound: float, ends: Sequence[float], level: float) -> NDArray[np.bool_]:
    """Which means ([columns]) are shown to be below a bound, by their intervals or, with few clusters, by Hoeffding."""
    moments = Moments.of(sums, counts)
    _, _, highs = difference_intervals(moments, level)
    low, high = ends
    above = above_p_values(moments.turned, -bound, -high, -low) <= level
    shown: NDArray[np.bool_] = (highs < bound) | above
    return shown


def _needed(sums: Floats, counts: Floats, bound: float, alpha: float) -> int | None:
    """With how many clusters a mean as seen would be told from its bound four times out of five.

    None with a single cluster, and where the mean is so near its bound that no audit would be large enough.
    """
    if len(counts) < 2:
        return None
    distance = abs(float(sums.sum() / counts.sum()) - bound)
    moments = Moments.of(sums, counts)
    variance, unit = moments.variances, moments.units
    deviate, power = float(norm.ppf(1 - alpha)), float(norm.ppf(POWER))
    clusters = len(counts) + 1
    while clusters < MOST_FACTS:
        margin = power * np.sqrt((variance[0] + 1 / clusters) / clusters)
        if half_width(deviate, variance, unit, clusters)[0] + margin <= distance:
            return clusters
        clusters += max(clusters // 20, 1)
    return None
