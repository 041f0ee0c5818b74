"""What an audit says along its groups' attributes, and of very many groups, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping

from trialign.audit.figures.along import AlongAttribute, Trend
from trialign.audit.figures.analysis import AuditAnalysis
from trialign.audit.figures.group_spread import GroupRank, GroupSpread

_NAMED = 3


def along_lines(analysis: AuditAnalysis, names: Mapping[str, str] | None = None) -> list[str]:
    """A sentence or two for each attribute, and of many groups how far they are apart; none where nothing is stated.

    Args:
        analysis: of an audit.
        names: group -> how it is called; None: by its name.
    """
    alpha = analysis.bounds.alpha
    lines = [attribute_line(one, alpha) for one in analysis.attributes]
    if analysis.group_spread is not None:
        lines.append(spread_line(analysis.group_spread, len(analysis.groups), alpha, names or {}))
    return lines


def attribute_line(one: AlongAttribute, alpha: float) -> str:
    """What is seen along one attribute."""
    first, last = one.curve[0], one.curve[-1]
    if one.trend is None:
        low, high = (pick(one.curve, key=lambda point: point.accuracy) for pick in (min, max))
        tested = "" if one.p_any is None else f"; whether values differ beyond chance: {_p(one.p_any)}"
        return (
            f"By {one.label}: right answers from {_share(low.accuracy)} ({low.label}) to {_share(high.accuracy)} "
            f"({high.label}){tested}."
        )
    words = (
        f"Along {one.label}: {_share(first.accuracy)} right answers at {first.label}, {_share(last.accuracy)} at "
        f"{last.label}. {_trend(one.trend, alpha)}."
    )
    if one.flips:
        near, far = one.flips[0], one.flips[-1]
        words += (
            f" Two groups {near.distance:.3g} apart answer {_share(near.flips.value)} of the questions differently, "
            f"two {far.distance:.3g} apart {_share(far.flips.value)}{_farther(one.p_flips, alpha)}."
        )
    return words


def _farther(p_flips: float | None, alpha: float) -> str:
    """Whether groups that are farther apart are told different things more often."""
    if p_flips is None:
        return ""
    if p_flips <= alpha:
        return f": the farther apart, the more often, beyond chance ({_p(p_flips)})"
    return f"; that it grows with the distance is not shown ({_p(p_flips)})"


def _trend(trend: Trend, alpha: float) -> str:
    ends = "" if trend.low is None or trend.high is None else f" ({_points(trend.low)} to {_points(trend.high)})"
    line = f"A straight line through all groups {_moves(trend.change)} from end to end{ends}"
    if trend.p_groups is None:
        seen = "a trend beyond chance" if trend.p_value <= alpha else "no trend is shown"
        return f"{line}: {seen} ({_p(trend.p_value)})"
    seen = "a trend beyond how groups differ anyway" if trend.p_groups <= alpha else "no trend is shown"
    return f"{line}: {seen} ({_p(trend.p_groups)} over whole groups, {_p(trend.p_value)} within facts)"


def _moves(change: float) -> str:
    size = f"{100 * abs(change):.1f}"
    return "stays level" if size == "0.0" else f"{'rises' if change > 0 else 'falls'} by {size} points"


def spread_line(spread: GroupSpread, groups: int, alpha: float, names: Mapping[str, str]) -> str:
    """How far many groups are apart beyond noise, and which are low."""
    ends = "" if spread.low is None or spread.high is None else f" ({_sd(spread.low)} to {_sd(spread.high)})"
    low = [one for one in spread.lowest if one.p_holm <= alpha and one.difference < 0]
    words = (
        f"The right answers of {groups:,} groups lie {_sd(spread.seen)} points around their mean (standard deviation). "
        f"Groups that are all alike would lie {_sd(spread.noise)} around it by chance; {_sd(spread.between)}{ends} are "
        f"left as differences between the groups ({_p(spread.p_value)})."
    )
    if not low:
        return f"{words} No group is shown to be below the mean of all."
    more = f" and {len(low) - _NAMED} more" if len(low) > _NAMED else ""
    named = ", ".join(_named(one, names) for one in low[:_NAMED])
    return f"{words} Below the mean of all: {named}{more}."


def _named(one: GroupRank, names: Mapping[str, str]) -> str:
    return f"{names.get(one.group, one.group)} by {_sd(-one.difference)}"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _sd(share: float) -> str:
    return f"{100 * share:.1f}"


def _p(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
