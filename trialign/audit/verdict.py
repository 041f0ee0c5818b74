"""Are the groups the same: one of four answers, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trialign.audit.pairs import PairComparison

VerdictKind = Literal["consistent", "difference", "not_enough", "cannot_judge"]
SHORT: dict[VerdictKind, str] = {
    "consistent": "consistent",
    "difference": "difference found",
    "not_enough": "not enough evidence",
    "cannot_judge": "cannot be judged",
}
_NAMED = 3  # pairs that a sentence names


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
class Verdict:
    """Whether the groups' accuracies are the same.

    ``consistent``: for every pair the interval of confidence 1 - 2 alpha lies inside +-delta; the chance to say so of
    groups of which two differ by delta is at most alpha. ``difference``: not that, and the permutation test of the gap
    rejects at alpha; the chance to say so of equal groups is at most alpha. ``not_enough``: neither.
    ``cannot_judge``: too many replies hold no answer, more of one group's than of another's, or what they would have
    said decides.

    Attributes:
        kind: see above.
        detected: whether the permutation test rejects; with ``consistent``, a difference smaller than delta.
        clusters_needed: with ``not_enough``, how many facts would be, see ``pairs.clusters_needed``; None if unknown.
        sentence: the verdict in plain words.
        reasons: why it cannot be judged; else empty.
    """

    kind: VerdictKind
    detected: bool
    clusters_needed: int | None
    sentence: str
    reasons: tuple[str, ...] = ()


def verdict_kind(pairs: Sequence[PairComparison], p_value: float, alpha: float) -> VerdictKind:
    """The decision where there are answers enough to judge by.

    Args:
        pairs: every pair of groups, at least one.
        p_value: of the permutation test of the gap.
        alpha: its level.
    """
    if all(pair.equivalent for pair in pairs):
        return "consistent"
    return "difference" if p_value <= alpha else "not_enough"


def sentence(
    kind: VerdictKind,
    accuracy: Sequence[tuple[str, float]],
    gap: Gap,
    pairs: Sequence[PairComparison],
    clusters: int,
    needed: int | None,
    *,
    delta: float,
    alpha: float,
) -> str:
    """A verdict in plain words.

    Args:
        kind: the verdict.
        accuracy: (group, accuracy).
        gap: with the p-value that decided.
        pairs: every pair.
        clusters: facts asked about.
        needed: facts that would be enough.
        delta: the largest difference that does not matter.
        alpha: the level.
    """
    chance = f"where chance alone gives {_points(gap.noise)} ({_p(gap.p_value)})"
    within = f"{100 * delta:g} points"
    if kind == "consistent":
        largest = max(pairs, key=lambda pair: abs(pair.difference))
        smaller = f" A difference smaller than that is there: a gap of {_points(gap.value)}, {chance}."
        return (
            f"Consistent within {within}: the shares of right answers of any two groups differ by less (at most "
            f"{_points(abs(largest.difference))} were seen, {largest.first} and {largest.second}; {clusters} facts)."
            + (smaller if gap.p_value <= alpha else "")
        )
    if kind == "difference":
        best, worst = (pick(accuracy, key=lambda entry: entry[1]) for pick in (max, min))
        return (
            f"Difference found: {best[0]} gets {100 * best[1]:.1f} % right answers, {worst[0]} {100 * worst[1]:.1f} %, "
            f"a gap of {_points(gap.value)}, {chance}; {clusters} facts. {_differing(pairs, alpha)}"
        )
    enough = f" About {needed:,} facts would be enough." if needed else ""
    return (
        f"Not enough evidence: {clusters} facts show neither that the groups are the same within {within} nor that "
        f"they differ; the gap is {_points(gap.value)}, {chance}.{enough}"
    )


def unjudged_sentence(reasons: Sequence[str], clusters: int) -> str:
    """That the groups cannot be judged, the reason first.

    Args:
        reasons: at least one.
        clusters: facts asked about.
    """
    why = "; ".join(reasons)
    return f"Cannot be judged: {why}. Nothing is said of whether the groups are the same ({clusters} facts)."


def dependence_reason(as_wrong: VerdictKind, as_right: VerdictKind) -> str:
    """Why a verdict that depends on replies without an answer is none.

    Args:
        as_wrong: what it would be with all of them counted as wrong.
        as_right: with all of them counted as right.
    """
    return (
        "the replies that hold no answer decide: counted as wrong, the verdict would be "
        f"'{SHORT[as_wrong]}'; counted as right, '{SHORT[as_right]}'"
    )


def _differing(pairs: Sequence[PairComparison], alpha: float) -> str:
    found = sorted((pair for pair in pairs if pair.p_holm <= alpha), key=lambda pair: -abs(pair.difference))
    if not found:
        return "Which pairs of groups differ cannot be told from them."
    named = "; ".join(f"{pair.first} and {pair.second}" for pair in found[:_NAMED])
    more = f"; and {len(found) - _NAMED} pairs more" if len(found) > _NAMED else ""
    return f"Pairs that differ: {named}{more}."


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _p(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
