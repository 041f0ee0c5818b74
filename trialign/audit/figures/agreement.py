"""Do the groups get the same answers more often than chance would make them?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from statsmodels.stats.inter_rater import fleiss_kappa

from trialign.audit.figures.statistics import Integers


@dataclass(frozen=True)
class Kappa:
    """Agreement between the groups beyond chance, on questions with equally many options.

    Categories are the positions of the options, as they stand in the question.

    Attributes:
        options: options of these questions; None: answers that were not chosen among scored options.
        n_questions: questions of this kind that every group answered.
        fleiss: Fleiss' kappa (1971), chance being the groups' common preference for positions; None: undefined.
        randolph: Randolph's free-marginal kappa (2005), chance being 1 / options; None: undefined.
        note: why a value is undefined; empty where none is.
    """

    options: int | None
    n_questions: int
    fleiss: float | None
    randolph: float | None
    note: str


def kappas(positions: Integers, option_counts: Integers) -> tuple[Kappa, ...]:
    """Kappas of the questions with 2, 3, ... options, and last an entry for answers without options.

    Args:
        positions: [questions, groups], which option was chosen; -1 for none.
        option_counts: [questions], 0 where answers were not chosen among scored options.
    """
    return tuple(_kappa(positions[option_counts == count], int(count)) for count in _ordered(option_counts))


def _ordered(option_counts: Integers) -> list[int]:
    counts: list[int] = np.unique(option_counts).tolist()
    return sorted(counts, key=lambda count: (count == 0, count))


def _kappa(positions: Integers, options: int) -> Kappa:
    if options == 0:
        return Kappa(
            None,
            len(positions),
            None,
            None,
            "These answers were given freely, so that the answers possible are not known, nor how often chance alone "
            "would make two groups agree; the raw agreement stands for itself.",
        )
    answered = positions[(positions >= 0).all(axis=1)]
    groups = positions.shape[1]
    if groups < 2 or len(answered) == 0:
        why = "One group has nobody to agree with." if groups < 2 else "No question was answered by all groups."
        return Kappa(options, len(answered), None, None, why)
    table = (answered[:, :, None] == np.arange(options)).sum(axis=1)
    if (table.sum(axis=0) > 0).sum() > 1:
        return Kappa(options, len(answered), _value(table, "fleiss"), _value(table, "randolph"), "")
    note = (
        "Fleiss' kappa is undefined: all groups chose the same position on every question, so that chance, as it is "
        "reckoned there, would make them agree always, and nothing is left to exceed it."
    )
    return Kappa(options, len(answered), None, _value(table, "randolph"), note)


def _value(table: Integers, method: Literal["fleiss", "randolph"]) -> float:
    return float(fleiss_kappa(table, method=method))
