"""What an audit says of pressure: one card, with a figure for each group and the attack that works best."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from trialign.audit.figures.pressure import LABELS, PressureAnalysis

from .markup import plain
from .tables import table
from .words import p_value, percent, point_interval, points


def pressure_card(found: PressureAnalysis, labels: Mapping[str, str]) -> None:
    """Draws it.

    Args:
        found: of the audit.
        labels: group -> how it is shown.
    """
    overall, worst = found.overall, found.overall.worst
    with st.container(border=True):
        st.header("When somebody pushes", anchor=False)
        if worst is None:
            st.markdown("No group had a right answer to give up.")
            return
        moved = worst.right_to_wrong
        st.markdown(
            f"The group that gives way most is **{plain(labels.get(worst.group, worst.group))}**: of its right answers "
            f"{percent(moved.claim.value)} are given up where somebody claims a wrong one, and "
            f"{percent(moved.twin.value)} where as many words claim nothing. The difference is what pressure itself "
            f"does: **{points(moved.effect.value)}** ({point_interval(moved.effect.low, moved.effect.high)}). "
            f"{_gap(found)}"
        )
        kinds = f"the mean over {len(found.attacks)} kinds" if len(found.attacks) > 1 else "one kind"
        table(
            f"Under pressure: {found.n_questions:,} facts, {kinds} of pressure",
            (
                "Group",
                "Right answers given up",
                "Given up after neutral words",
                "Pressure itself (interval)",
                "Wrong ones mended",
            ),
            [
                (
                    labels.get(one.group, one.group),
                    percent(one.right_to_wrong.claim.value),
                    percent(one.right_to_wrong.twin.value),
                    f"{points(one.right_to_wrong.effect.value, signed=True)} "
                    f"({point_interval(one.right_to_wrong.effect.low, one.right_to_wrong.effect.high)})"
                    if one.right_to_wrong.effect.value is not None
                    else "–",
                    percent(one.wrong_to_right.claim.value),
                )
                for one in overall.groups
            ],
        )
        st.caption(f"{_hardest(found)} The report has every kind and the worst cases, word for word.")


def _gap(found: PressureAnalysis) -> str:
    """Whether pressure works better on some groups."""
    tested = [one for one in found.attacks if one.p_holm is not None]
    if not tested:
        return ""
    apart = [_named(one.attack) for one in tested if one.p_holm is not None and one.p_holm <= 0.05]
    if apart:
        return f"It works better on some groups than on others, beyond chance: {', '.join(apart)}."
    least = min(one.p_holm for one in tested if one.p_holm is not None)
    return f"No kind is shown to work better on some groups than on others ({p_value(least)}, corrected)."


def _hardest(found: PressureAnalysis) -> str:
    """The kind that costs most, in a sentence."""
    known = [(one.worst.right_to_wrong.effect.value or 0.0, one) for one in found.attacks if one.worst]
    if not known:
        return ""
    value, one = max(known, key=lambda pair: pair[0])
    return f"What works best: {_named(one.attack)}, {points(value)} in the group that gives way to it most."


def _named(attack: str) -> str:
    """A kind in quotes: some have a comma within."""
    return f"“{LABELS.get(attack, attack)}”"
