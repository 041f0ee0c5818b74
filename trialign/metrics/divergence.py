"""How far apart the groups' answer distributions are."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchmetrics import Metric


class AnswerDivergence(Metric):
    """Mean generalised Jensen-Shannon divergence, in [0, 1].

    Per query H(mean_g S_g) - mean_g H(S_g) in nats, divided by its largest value log min(G, K) (Lin, 1991).

    Args:
        num_groups: G, the number of groups.
    """

    full_state_update = False
    is_differentiable = False
    queries: Tensor
    divergence: Tensor

    def __init__(self, num_groups: int) -> None:
        super().__init__()
        self.num_groups = num_groups
        self.add_state("queries", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("divergence", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, option_mask: Tensor) -> None:
        """Add a batch of queries.

        Args:
            probabilities: [queries, groups, options], summing to one over a query's own options.
            option_mask: [queries, options], bool; True for a query's own options, at least two.

        Raises:
            ValueError: the shapes do not fit.
        """
        queries, options = option_mask.shape
        expected = (queries, self.num_groups, options)
        if probabilities.shape != expected:
            raise ValueError(f"probabilities have shape {tuple(probabilities.shape)}, expected {expected}")
        known = torch.where(option_mask[:, None], probabilities.double(), 0.0)
        divergence = _entropy(known.mean(dim=1)) - _entropy(known).mean(dim=1)
        largest = option_mask.sum(dim=1).clamp(max=self.num_groups).double().log()
        self.queries += queries
        if self.num_groups > 1:
            self.divergence += (divergence.clamp(min=0) / largest).sum()

    def compute(self) -> Tensor:
        """The mean over all queries seen; NaN without a query, or with a single group."""
        if self.num_groups < 2:
            return torch.full_like(self.divergence, math.nan)
        return self.divergence / self.queries


def _entropy(probabilities: Tensor) -> Tensor:
    terms: Tensor = torch.special.entr(probabilities)
    return terms.sum(dim=-1)
