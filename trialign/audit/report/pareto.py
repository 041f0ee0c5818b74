"""Truth against taste, one mark for each run: where it stands, and what its size says."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trialign.audit.figures.measures import by_key
from trialign.audit.report.charts import axis_ticks
from trialign.audit.report.format import formatted
from trialign.audit.report.run_comparison import RunComparison

WIDTH, HEIGHT = 720, 460
LEFT, RIGHT, TOP, BOTTOM = 64, 190, 20, 56
_SMALLEST, _LARGEST = 4.0, 18.0  # radii of a flip rate of nothing and of one half or more
_LINE = 15.0  # between two labels
_LETTER = 6.6
_LABEL = 30


@dataclass(frozen=True)
class Standing:
    """One run's figures, in units of 1.

    Attributes:
        name: of the run.
        taste: its preference score.
        truth: its accuracy, mean over groups.
        flips: its flip rate; None where it is not known.
        best: whether no other run is at least as good in taste and truth, and better in one.
    """

    name: str
    taste: float
    truth: float
    flips: float | None
    best: bool


@dataclass(frozen=True)
class Mark:
    """One run; lengths in the units of the drawing.

    Attributes:
        name: of the run.
        x: of its preference score.
        y: of its accuracy.
        radius: its area grows with the flip rate.
        label_x: where its name begins.
        label_y: on which line.
        best: whether no other run is at least as good in both and better in one.
        text: its figures in words.
    """

    name: str
    x: float
    y: float
    radius: float
    label_x: float
    label_y: float
    best: bool
    text: str


@dataclass(frozen=True)
class ParetoPlot:
    """The plot.

    Attributes:
        description: the text alternative.
        x_ticks: (x, label).
        y_ticks: (y, label).
        marks: the largest first, so that none hides another.
        sizes: (radius, label) of the key.
    """

    description: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    marks: tuple[Mark, ...]
    sizes: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def standings(comparison: RunComparison) -> list[Standing]:
    """The runs that were asked facts and tastes, in the comparison's order."""
    asked = [
        (run.name, taste, truth, run.values["flip_rate"])
        for run in comparison.runs
        if (taste := run.values["preference"]) is not None and (truth := run.values["mean"]) is not None
    ]
    both = {(taste, truth) for _, taste, truth, _ in asked}

    def is_best(taste: float, truth: float) -> bool:
        return not any(one[0] >= taste and one[1] >= truth for one in both - {(taste, truth)})

    return [Standing(name, taste, truth, flips, is_best(taste, truth)) for name, taste, truth, flips in asked]


def pareto_plot(comparison: RunComparison) -> ParetoPlot | None:
    """Lays out the plot; None unless there are questions of fact and of taste."""
    points = standings(comparison)
    if not points:
        return None
    x_axis = axis_ticks(min(p.taste for p in points), max(p.taste for p in points))
    y_axis = axis_ticks(min(p.truth for p in points), max(p.truth for p in points))

    def across(value: float) -> float:
        return round(LEFT + (value - x_axis[0]) / (x_axis[-1] - x_axis[0]) * (WIDTH - RIGHT - LEFT), 2)

    def down(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - y_axis[0]) / (y_axis[-1] - y_axis[0]) * (HEIGHT - BOTTOM - TOP), 2)

    known = by_key()
    taken: list[tuple[float, float, float]] = []
    marks = []
    for one in sorted(points, key=lambda p: (-p.truth, p.taste, p.name)):
        name, x, y, radius = one.name, across(one.taste), down(one.truth), _radius(one.flips)
        label = name if len(name) <= _LABEL else f"{name[: _LABEL - 1]}…"
        label_x = x + radius + 6
        label_y = _free_line(taken, label_x, label_x + _LETTER * len(label), y)
        figures = {"mean": one.truth, "preference": one.taste}
        if one.flips is not None:
            figures["flip_rate"] = one.flips
        said = (f"{known[key].label} {formatted(value, 'share')}" for key, value in figures.items())
        text = f"{name}: {'; '.join(said)}"
        marks.append(Mark(label, x, y, radius, round(label_x, 2), round(label_y, 2), one.best, text))
    return ParetoPlot(
        description="; ".join(mark.text for mark in marks) + ".",
        x_ticks=tuple((across(tick), f"{100 * tick:g} %") for tick in x_axis),
        y_ticks=tuple((down(tick), f"{100 * tick:g} %") for tick in y_axis),
        marks=tuple(sorted(marks, key=lambda mark: -mark.radius)),
        sizes=tuple((_radius(share), f"{100 * share:g} %") for share in (0.02, 0.1, 0.3)),
    )


def _radius(flips: float | None) -> float:
    share = min(flips or 0.0, 0.5) / 0.5
    return round(math.sqrt(_SMALLEST**2 + share * (_LARGEST**2 - _SMALLEST**2)), 2)


def _free_line(taken: list[tuple[float, float, float]], begin: float, end: float, wanted: float) -> float:
    """The line nearest to the wanted one on which a label from ``begin`` to ``end`` covers no other."""
    steps = sorted(range(-20, 21), key=lambda step: (abs(step), step))
    line = next(
        (
            y
            for step in steps
            if TOP < (y := wanted + step * _LINE / 2) < HEIGHT - BOTTOM
            and not any(abs(y - other) < _LINE and begin < right and left < end for left, right, other in taken)
        ),
        wanted,
    )
    taken.append((begin, end, line))
    return line
