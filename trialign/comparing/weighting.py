"""How often a comparer is right, where labelled pairs were drawn with different chances.

Pairs that canonical answers call the same, and those that they do not, are two strata, which a sample may take in equal
parts while one of them is much the larger. The comparer's own first step told which is which: a share that is counted
over such a sample as it stands is wrong (verification bias; Begg and Greenes, 1983, Biometrics 39, 207-215), and one in
which every pair counts as often as there are pairs that it stands for is right.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Added to every count before its variance is taken, so that what was not seen is not taken to be impossible.
_PSEUDO = 0.5


def weighted_share(stand_for: Sequence[float], chosen: Sequence[bool], right: Sequence[bool]) -> tuple[float, float]:
    """Of the pairs with one label, the share about which the comparer was right, as so many trials of so many.

    With W the number of pairs that a stratum stands for, r and w its shares of pairs that have the label and about
    which the comparer was right and wrong, the share is R = sum W r / sum W (r + w). It is worth R (1 - R) / Var(R)
    trials, with the variance of the ratio by its linearisation (Cochran, 1977, Sampling Techniques, section 6.11).

    Args:
        stand_for: [pairs], how many pairs each stands for; those with the same number are one stratum.
        chosen: [pairs], whether it has the label; at least one has.
        right: [pairs], whether the comparer was right about it.

    Returns:
        The trials that went right, and all of them; neither need be whole.
    """
    weights, picked = np.asarray(stand_for, dtype=float), np.asarray(chosen, dtype=bool)
    hits = picked & np.asarray(right, dtype=bool)
    seen = float(weights[hits].sum() / weights[picked].sum())
    strata, place = np.unique(weights, return_inverse=True)
    sizes = np.bincount(place).astype(float)
    size = strata * sizes
    good, bad = (
        (np.bincount(place[mask], minlength=len(strata)) + _PSEUDO) / (sizes + 3 * _PSEUDO)
        for mask in (hits, picked & ~hits)
    )
    whole = float((size * (good + bad)).sum())
    share = float((size * good).sum()) / whole
    mean = good * (1 - share) - bad * share
    spread = good * (1 - share) ** 2 + bad * share**2 - mean**2
    variance = float((size**2 * spread / sizes).sum()) / whole**2
    trials = share * (1 - share) / variance
    return seen * trials, trials
