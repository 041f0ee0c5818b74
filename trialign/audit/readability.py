"""Is there enough that can be read to judge by: replies without an answer, by group and reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialign.audit.estimates import Estimate, share_estimates
from trialign.audit.panel import Panel
from trialign.audit.statistics import Floats, permutation_gap
from trialign.queries.statuses import UNREAD_STATUSES, UnreadStatus

# What became of a reply that holds no answer, as a sentence says it.
WORDS: dict[UnreadStatus, str] = {
    "none": "named no answer",
    "ambiguous": "named several",
    "refused": "refused to answer",
    "cut_off": "were cut off before an answer",
    "filtered": "were withheld by a filter",
    "failed": "never came",
}


@dataclass(frozen=True)
class Readability:
    """How many replies to facts hold no answer; first wording, asked once.

    Attributes:
        unread: group -> share of replies without an answer.
        statuses: group -> status (those of ``statuses.UNREAD_STATUSES``) -> share of all its replies.
        bound: the largest share of a group's replies that may hold none, set before the audit.
        gap: largest minus smallest share of a group.
        gap_noise: the mean gap where chance alone decides whose replies hold none; 0 with a single group.
        p_value: of the permutation test of the gap; 1 with a single group.
        accuracy_if_right: group -> share of right answers if all those replies were right; as counted, they are wrong.
        reasons: why the groups cannot be judged by these replies; empty where they can.
    """

    unread: dict[str, Estimate]
    statuses: dict[str, dict[UnreadStatus, float]]
    bound: float
    gap: float
    gap_noise: float
    p_value: float
    accuracy_if_right: dict[str, float]
    reasons: tuple[str, ...]


def readability_of(panel: Panel, *, bound: float, alpha: float, seed: int) -> Readability:
    """Whether the replies of a panel can be judged by: not too many hold no answer, and no group has more of them.

    Whether a verdict depends on what those replies would have said is another matter, see ``facts.judge``.

    Args:
        panel: at least one row.
        bound: the largest share of a group's replies that may hold no answer.
        alpha: level of the permutation test; intervals have the confidence 1 - alpha.
        seed: of resampling and permutation.
    """
    unread = (panel.statuses > 0).astype(np.float64)
    shares = unread.mean(axis=0)
    several = len(panel.groups) > 1 and bool(unread.any())
    noise, p_value = permutation_gap(unread, panel.clusters, seed=seed) if several else (0.0, 1.0)
    statuses = {
        group: {
            status: float((panel.statuses[:, column] == code).mean())
            for code, status in enumerate(UNREAD_STATUSES, start=1)
        }
        for column, group in enumerate(panel.groups)
    }
    estimates = share_estimates(unread, panel.clusters, 1 - alpha, seed)
    return Readability(
        unread=dict(zip(panel.groups, estimates, strict=True)),
        statuses=statuses,
        bound=bound,
        gap=float(np.ptp(shares)),
        gap_noise=noise,
        p_value=p_value,
        accuracy_if_right=dict(zip(panel.groups, correct_if_right(panel).mean(axis=0).tolist(), strict=True)),
        reasons=_reasons(panel.groups, shares, statuses, bound, p_value if several else 1.0, alpha),
    )


def correct_if_right(panel: Panel) -> Floats:
    """[rows, groups]: 1 where the answer is right, or the reply holds none."""
    return np.maximum(panel.correct, (panel.statuses > 0).astype(np.float64))


def _reasons(
    groups: Sequence[str],
    shares: Floats,
    statuses: dict[str, dict[UnreadStatus, float]],
    bound: float,
    p_value: float,
    alpha: float,
) -> tuple[str, ...]:
    most, least = int(shares.argmax()), int(shares.argmin())
    found = []
    if shares[most] > bound:
        which = _which(statuses[groups[most]])
        found.append(
            f"{100 * shares[most]:.1f} % of the replies of {groups[most]} hold no answer ({which}), more than the "
            f"{100 * bound:g} % allowed"
        )
    if p_value <= alpha:
        found.append(
            f"{100 * shares[most]:.1f} % of the replies of {groups[most]} hold no answer and {100 * shares[least]:.1f} "
            f"% of those of {groups[least]}, which chance hardly gives ({_p(p_value)})"
        )
    return tuple(found)


def _which(shares: dict[UnreadStatus, float]) -> str:
    """The two most frequent reasons."""
    ordered = sorted((share, status) for status, share in shares.items() if share > 0)[::-1][:2]
    return ", ".join(f"{100 * share:.1f} % {WORDS[status]}" for share, status in ordered)


def _p(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
