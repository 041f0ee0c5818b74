"""The welfare's gradient as weights: how much each group's truth and preference count in the next step."""

from __future__ import annotations

import torch
from torch import Tensor

from trialign.objectives.config import WelfareConfig


def welfare_weights(utilities: Tensor, config: WelfareConfig) -> Tensor:
    """Weights w_gT and w_gP by which the utilities' gradients are summed.

    For W = sum_g a_T log(eps + A_g) + a_P log(eps + P_g), dW/dA_g = a_T / (eps + A_g), and P_g likewise: the
    Nash social welfare (Nash 1950; Kaneko and Nakamura 1979) as adaptive weights. ``utilitarian`` has the
    constants a_T and a_P. All weights are divided by one common mean, then clipped.

    Args:
        utilities: [groups, 2], A_g and P_g in [0, 1]; NaN where the data has no query of that kind.
        config: the welfare.

    Returns:
        [groups, 2], constants (no gradient); 0 where the utility is NaN or its share is 0.
    """
    shares = utilities.new_tensor([config.truth, config.preference]).expand_as(utilities)
    utilities = utilities.detach()
    present = ~utilities.isnan() & (shares > 0)
    weights = shares / (config.epsilon + utilities) if config.kind == "nash" else shares
    weights = torch.where(present, weights, torch.zeros_like(weights))
    mean = weights.sum() / present.sum().clamp(min=1)
    clipped = (weights / mean.clamp(min=1e-12)).clamp(config.smallest, config.largest)
    return torch.where(present, clipped, torch.zeros_like(clipped))


def moving_average(utilities: Tensor, sums: Tensor, counts: Tensor, decay: float) -> Tensor:
    """Utilities after one optimizer step.

    Args:
        utilities: [groups, 2] before the step; NaN where nothing was seen yet.
        sums: [groups, 2] the step's rewards, summed over its observations and all ranks.
        counts: [2] observations behind the sums; a kind with none keeps its average.
        decay: weight of the old average.

    Returns:
        [groups, 2].
    """
    mean = sums / counts.clamp(min=1)
    updated = torch.where(utilities.isnan(), mean, decay * utilities + (1 - decay) * mean)
    return torch.where(counts > 0, updated, utilities)
