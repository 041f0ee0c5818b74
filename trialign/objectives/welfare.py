"""The welfare's gradient as weights: how much each group's truth and preference count in the next step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from trialign.objectives.config import WelfareConfig


def welfare_weights(utilities: Tensor, config: WelfareConfig) -> Tensor:
    """Weights w_gT and w_gP by which the utilities' gradients are summed.

    They are dW/dA_g and dW/dP_g, up to a common factor; for A_g, and for P_g with a_P likewise:

    - ``nash``: W = sum_g a_T log(eps + A_g), the weight a_T / (eps + A_g) (Nash 1950; Kaneko and Nakamura 1979).
    - ``utilitarian``: W = sum_g a_T A_g, the constant a_T.
    - ``p_mean``: W = sum_g a_T (eps + A_g)^p / p, the weight a_T (eps + A_g)^(p - 1) (Atkinson 1970).
    - ``egalitarian``: W = a_T min_g A_g (Rawls 1971): a_T for the group that is worst off, shared where several are.
    - ``generalized_gini``: W = a_T sum_k (2 (G - k) + 1) / G^2 A_(k), A_(k) the k-th smallest (Weymark 1981, with
      Gini's own weights); groups that are equally well off share the weights of their ranks.

    All weights are divided by one common mean, then clipped.

    Args:
        utilities: [groups, 2], A_g and P_g in [0, 1]; NaN where the data has no query of that kind.
        config: the welfare.

    Returns:
        [groups, 2], constants (no gradient); 0 where the utility is NaN or its share is 0.
    """
    shares = utilities.new_tensor([config.truth, config.preference]).expand_as(utilities)
    utilities = utilities.detach()
    present = ~utilities.isnan() & (shares > 0)
    weights = shares * WELFARES[config.kind](utilities, config)
    weights = torch.where(present, weights, torch.zeros_like(weights))
    mean = weights.sum() / present.sum().clamp(min=1)
    clipped = (weights / mean.clamp(min=1e-12)).clamp(config.smallest, config.largest)
    return torch.where(present, clipped, torch.zeros_like(clipped))


def _nash(utilities: Tensor, config: WelfareConfig) -> Tensor:
    return 1 / (config.epsilon + utilities)


def _utilitarian(utilities: Tensor, config: WelfareConfig) -> Tensor:
    return torch.ones_like(utilities)


def _p_mean(utilities: Tensor, config: WelfareConfig) -> Tensor:
    # Relative to the smallest, whose weight is 1: any power stays within what a number holds.
    levels = config.epsilon + utilities
    smallest = levels.nan_to_num(float("inf")).min().clamp(min=config.epsilon)
    return (levels / smallest) ** (config.power - 1)


def _egalitarian(utilities: Tensor, config: WelfareConfig) -> Tensor:
    return _by_rank(utilities, [1.0] + [0.0] * (len(utilities) - 1))


def _generalized_gini(utilities: Tensor, config: WelfareConfig) -> Tensor:
    groups = len(utilities)
    return _by_rank(utilities, [(2 * (groups - rank) - 1) / groups**2 for rank in range(groups)])


def _by_rank(utilities: Tensor, weights: list[float]) -> Tensor:
    """The weight of each utility's rank, from the smallest; equal ones share those of their ranks."""
    weighed = utilities.new_tensor(weights)[utilities.argsort(dim=0).argsort(dim=0)]
    alike = (utilities.unsqueeze(0) == utilities.unsqueeze(1)).to(weighed.dtype)  # [groups, groups, 2]
    return (alike * weighed.unsqueeze(0)).sum(dim=1) / alike.sum(dim=1).clamp(min=1)


# ``objective.welfare.kind`` -> how much the welfare grows with each group's utility: [groups, 2] -> [groups, 2].
WELFARES: dict[str, Callable[[Tensor, WelfareConfig], Tensor]] = {
    "nash": _nash,
    "utilitarian": _utilitarian,
    "egalitarian": _egalitarian,
    "generalized_gini": _generalized_gini,
    "p_mean": _p_mean,
}


def moving_average(
    utilities: Tensor, sums: Tensor, counts: Tensor, decay: float, seats: Tensor | None = None
) -> Tensor:
    """Utilities after one optimizer step.

    Args:
        utilities: [groups, 2] before the step; NaN where nothing was seen yet.
        sums: [groups, 2] the step's rewards, summed over its observations and all ranks.
        counts: [2] observations behind the sums; a kind with none keeps its average.
        decay: weight of the old average.
        seats: places of the groups that the step asked, the others keep their averages; None: it asked all.

    Returns:
        [groups, 2].
    """
    mean = sums / counts.clamp(min=1)
    updated = torch.where(utilities.isnan(), mean, decay * utilities + (1 - decay) * mean)
    moved = torch.where(counts > 0, updated, utilities)
    return moved if seats is None else utilities.index_copy(0, seats, moved[seats])
