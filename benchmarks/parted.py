"""What an audit says of some groups held against others, question by question, with intervals.

Used by the studies of groups that nobody trained for: newcomer.py, ages.py and people.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trialign.audit.figures.opinions import opinion_panel
from trialign.audit.figures.panel import fact_panel
from trialign.audit.figures.statistics import mean_intervals
from trialign.audit.files.items import read_items
from trialign.runs import ITEMS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """A measure of some groups, question by question.

    Attributes:
        values: [questions] means over the groups, or over their pairs with others.
        clusters: [questions] number of the fact or taste that paraphrases share.
    """

    values: Floats
    clusters: NDArray[np.int64]

    @property
    def mean(self) -> float:
        """Over the questions."""
        return float(self.values.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, by bootstrap over clusters."""
        [[low, high]] = mean_intervals(self.values[:, None], self.clusters)
        return float(low), float(high)

    def minus(self, other: Figure) -> Figure:
        """The difference, paired by question."""
        assert np.array_equal(self.clusters, other.clusters), "both are of the same questions"
        return Figure(self.values - other.values, self.clusters)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.mean:.3f} [{low:.3f}, {high:.3f}]"


def averaged(figures: Sequence[Figure]) -> Figure:
    """The mean of several, such as of seeds, of the same questions."""
    first = figures[0]
    assert all(np.array_equal(first.clusters, one.clusters) for one in figures), "all are of the same questions"
    return Figure(np.mean([one.values for one in figures], axis=0), first.clusters)


def figures(audit: Path, of: Sequence[str], against: Sequence[str]) -> dict[str, Figure]:
    """Accuracy, flips, own taste met and own minus swapped of some groups of an audit, in scores.

    Args:
        audit: its folder.
        of: the groups.
        against: those with whom their answers to facts are compared, each pair once; may hold some of ``of``.
    """
    groups = tuple(dict.fromkeys((*of, *against)))
    items = read_items(audit / ITEMS)
    facts, tastes = fact_panel(items, groups, "explicit"), opinion_panel(items, groups, "explicit")
    place = {group: index for index, group in enumerate(groups)}
    own = [place[group] for group in of]
    found: dict[str, Figure] = {}
    if facts is not None:
        found["accuracy"] = Figure(facts.correct[:, own].mean(axis=1), facts.clusters)
        answers = facts.answers[:, :, 0, 0]
        pairs = sorted({(min(a, b), max(a, b)) for a in own for b in (place[group] for group in against) if a != b})
        if pairs:
            differ = np.mean([(answers[:, a] != answers[:, b]) | (answers[:, a] < 0) for a, b in pairs], axis=0)
            found["flips"] = Figure(differ, facts.clusters)
    if tastes is not None:
        found["own"] = Figure(tastes.own[:, own].mean(axis=1), tastes.clusters)
        if tastes.swapped is not None:
            kept = (tastes.own - tastes.swapped)[:, own].mean(axis=1)
            found["kept"] = Figure(kept, tastes.clusters)
    return found


LABELS = {
    "accuracy": "accuracy",
    "flips": "flips",
    "own": "own taste met",
    "kept": "own minus swapped",
}


def table(head: str, rows: Mapping[str, Sequence[Mapping[str, Figure]]]) -> str:
    """Markdown: a row for each label, its figures averaged over what it holds (seeds, groups), with intervals."""
    lines = [f"| {head} | " + " | ".join(LABELS.values()) + " |", "|---" * (len(LABELS) + 1) + "|"]
    for label, found in rows.items():
        cells = [str(averaged([one[key] for one in found])) if key in found[0] else "-" for key in LABELS]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
