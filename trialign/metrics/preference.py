"""How well each group's own preferences are met."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class PreferenceAlignment(Metric):
    """One minus the total variation between an agent's answer distribution and a target, in [0, 1].

    Every agent is scored on its own group's target, and (``swapped``) on the others': where the two scores
    are alike, the agents are not personal.

    Args:
        num_groups: G, the number of groups.
    """

    full_state_update = False
    is_differentiable = False
    queries: Tensor
    alignment: Tensor

    def __init__(self, num_groups: int) -> None:
        super().__init__()
        self.num_groups = num_groups
        self.add_state("queries", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("alignment", torch.zeros(num_groups, num_groups, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, probabilities: Tensor, targets: Tensor) -> None:
        """Add a batch of queries.

        Args:
            probabilities: [queries, groups, options], S_g of each agent; zero beyond a query's own options.
            targets: [queries, groups, options], each group's target; zero there as well.

        Raises:
            ValueError: the shapes do not fit.
        """
        if probabilities.shape != targets.shape or probabilities.shape[1] != self.num_groups:
            shapes = f"{tuple(probabilities.shape)} and {tuple(targets.shape)}"
            raise ValueError(f"expected [queries, {self.num_groups}, options] twice, got {shapes}")
        distance = (probabilities.double()[:, :, None] - targets.double()[:, None]).abs().sum(dim=-1)
        self.queries += len(targets)
        self.alignment += (1 - distance / 2).sum(dim=0)

    def compute(self) -> dict[str, Tensor]:
        """The scores over all queries seen.

        Returns:
            ``score`` [groups], its ``mean`` and ``worst``, ``swapped`` [groups]: agent g's answers on the
            other groups' targets, averaged, and ``kept`` [groups]: score minus swapped. NaN without a query;
            ``swapped`` and ``kept`` also with a single group (whose [groups] torchmetrics makes a scalar).
        """
        alignment = self.alignment / self.queries
        score = alignment.diagonal()
        swapped = (alignment.sum(dim=1) - score) / (self.num_groups - 1 or torch.nan)
        return {
            "score": score,
            "mean": score.mean(),
            "worst": score.min(),
            "swapped": swapped,
            "kept": score - swapped,
        }
