"""Right answers against taste, a point for each run: which of them is beaten in both by none."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from trialign.audit.figures import measures
from trialign.audit.figures.words import lowered
from trialign.audit.report.pareto import standings
from trialign.audit.report.run_comparison import RunComparison

from . import charts
from .words import percent

_KEYS = ("preference", "mean", "flip_rate")


def truth_against_taste(comparison: RunComparison) -> None:
    """Draws it, in scores; nothing where fewer than two runs were asked facts and tastes."""
    found = standings(comparison)
    if len(found) < 2:
        return
    st.header("Right answers against taste", anchor=False)
    taste, truth, flips = (measures.by_key()[key].words for key in _KEYS)
    here: dict[tuple[float, float], list[str]] = {}  # runs that stand in one place have one label
    for one in found:
        here.setdefault((one.taste, one.truth), []).append(one.name)
    frame = pd.DataFrame(
        [
            {
                "name": one.name,
                "label": ", ".join(names) if (names := here[one.taste, one.truth])[0] == one.name else "",
                "x": one.taste,
                "y": one.truth,
                "size": one.flips,
                "best": one.best,
            }
            for one in found
        ]
    )
    best = [one.name for one in found if one.best]
    charts.draw(
        charts.against(frame, taste, truth, flips),
        f"{truth} against {lowered(taste)}, in scores; a larger point: {lowered(flips)} more often. "
        f"Filled, as no other run is at least as good in both and better in one: {', '.join(best)}.",
        ("Run", truth, taste, flips, "No other is better in both"),
        [(one.name, *map(percent, (one.truth, one.taste, one.flips)), "yes" if one.best else "no") for one in found],
    )
