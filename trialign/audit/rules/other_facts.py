"""Replies in words that say another fact, as a comparer counts them, corrected for its errors, against a bound."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scipy.stats import norm

from trialign.audit.figures.checks import MOST_FACTS, Check, Levels, Outcome
from trialign.audit.figures.corrected import corrected_share
from trialign.audit.figures.pairs import POWER
from trialign.comparing.calibration import Calibration, Share
from trialign.errors import UserError

_NAME = "pairs of groups' replies that say another fact, corrected for the comparer's errors"
_LEAVE_OUT = "or leave gate.other_facts out"


@dataclass(frozen=True)
class Compared:
    """What a comparer counted in an audit, and how often it is right.

    Attributes:
        share: of pairs of replies of two groups that it did not call the same.
        trials: how many independent trials ``share`` is worth.
        facts: that were compared.
        calibration: of the comparer.
    """

    share: float
    trials: float
    facts: int
    calibration: Calibration


def compared_of(section: Mapping[str, Any] | None, quality: float) -> Compared:
    """What a summary holds of compared replies, where the comparer is good enough to be judged by.

    Args:
        section: ``replies.compared`` of the summary.
        quality: smallest lower end of the 95 % intervals of sensitivity and specificity.

    Raises:
        UserError: nothing was compared, the audit kept no counts, or the comparer is not good enough.
    """
    if section is None or (section.get("counted") and section["flips"] is None):
        raise UserError(
            "The rule other_facts is about replies of two groups that a comparer held against each other, and the "
            "audit has none",
            f"Audit two groups or more in words, {_LEAVE_OUT}",
        )
    if not section.get("counted"):
        raise UserError(
            "The audit does not say from how many labelled pairs its comparer is known: an earlier version made it",
            f"Audit again, {_LEAVE_OUT}",
        )
    sensitivity, specificity = (Share(**section["counted"][name]) for name in ("sensitivity", "specificity"))
    lowest = [share.interval()[0] for share in (sensitivity, specificity)]
    if min(lowest) < quality:
        raise UserError(
            f"The comparer {section['comparer']!r} is not good enough for the rule other_facts: sensitivity and "
            f"specificity are at least {lowest[0]:.2f} and {lowest[1]:.2f} (lower ends of 95 % intervals), and "
            f"gate.comparer_quality asks for {quality:g}",
            f"Use a better one (audit.comparer), label more pairs, {_LEAVE_OUT}",
        )
    known = Calibration(section["comparer"], "", sensitivity, specificity, Share(1, 1), {})
    return Compared(section["flips"]["raw"][0], section["trials"], section["n_clusters"], known)


def other_facts_check(compared: Compared, bound: float, levels: Levels) -> Check:
    """The corrected share against its bound; its interval has the samples of the audit and of both labels in it.

    Args:
        compared: what was counted.
        bound: largest share.
        levels: the chances to err.
    """
    seen = _at(compared, compared.trials, 1 - levels.holds)
    wide = _at(compared, compared.trials, 1 - levels.fails)
    outcome: Outcome = "holds" if seen[2] < bound else "fails" if wide[1] > bound else "unknown"
    return Check(
        name=_NAME,
        figure=seen[0],
        low=seen[1],
        high=seen[2],
        bound=bound,
        side="at most",
        outcome=outcome,
        facts_needed=_needed(compared, bound, levels.holds) if outcome == "unknown" else None,
    )


def _at(compared: Compared, trials: float, certainty: float) -> tuple[float, float, float]:
    """The corrected share and both ends of its interval, each of which holds with this certainty."""
    found = corrected_share(compared.share, trials, compared.calibration, 2 * certainty - 1)
    assert found.value is not None  # what is good enough is better than chance
    assert found.low is not None
    assert found.high is not None
    return found.value, found.low, found.high


def _needed(compared: Compared, bound: float, alpha: float) -> int | None:
    """With how many facts a share as seen would be told from its bound four times out of five.

    None where no audit would be large enough, since too little is known of the comparer.
    """
    certainty = float(norm.cdf(norm.ppf(1 - alpha) + norm.ppf(POWER)))

    def told(facts: int) -> bool:
        _, low, high = _at(compared, compared.trials * facts / compared.facts, certainty)
        return high < bound or low > bound

    if not told(MOST_FACTS):
        return None
    return bisect_left(range(MOST_FACTS), True, lo=compared.facts + 1, key=told)
