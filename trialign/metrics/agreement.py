"""Agreement between the groups beyond chance."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class AgreementKappa(Metric):
    """Fleiss' (1971) and Randolph's (2005) kappa of the options that the groups choose.

    For Fleiss', chance is the groups' common preference for positions of options, for Randolph's 1 / options.
    Queries that a group left unanswered do not count. Unlike torchmetrics' ``FleissKappa`` it keeps sums, not all
    ratings.

    Args:
        num_groups: G, at least two.
        num_options: K, the same for all queries, at least two.

    Raises:
        ValueError: fewer groups or options.

    Examples:
        >>> metric = AgreementKappa(num_groups=2, num_options=2)
        >>> metric.update(torch.tensor([[0, 0], [0, 1], [1, 1], [1, 1]]))
        >>> {name: round(float(value), 3) for name, value in metric.compute().items()}
        {'fleiss': 0.467, 'randolph': 0.5}
    """

    full_state_update = False
    is_differentiable = False
    queries: Tensor
    agreement: Tensor
    chosen: Tensor

    def __init__(self, num_groups: int, num_options: int) -> None:
        super().__init__()
        if num_groups < 2 or num_options < 2:
            raise ValueError("agreement needs at least two groups and two options")
        self.num_groups, self.num_options = num_groups, num_options
        self.add_state("queries", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("agreement", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("chosen", torch.zeros(num_options, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, positions: Tensor) -> None:
        """Add a batch of queries.

        Args:
            positions: [queries, groups], long; which option was chosen, -1 for no answer.

        Raises:
            ValueError: the shape does not fit, or an option is out of range.
        """
        if positions.dim() != 2 or positions.shape[1] != self.num_groups:
            raise ValueError(f"positions have shape {tuple(positions.shape)}, expected [queries, {self.num_groups}]")
        if len(positions) and int(positions.max()) >= self.num_options:
            raise ValueError(f"position {int(positions.max())} is beyond the expected {self.num_options} options")
        answered = positions[(positions >= 0).all(dim=1)]
        counts = torch.nn.functional.one_hot(answered, self.num_options).sum(dim=1)
        pairs = self.num_groups * (self.num_groups - 1)
        self.queries += len(answered)
        self.agreement += (counts * (counts - 1)).sum().double() / pairs
        self.chosen += counts.sum(dim=0)

    def compute(self) -> dict[str, Tensor]:
        """The kappas over all queries seen.

        Returns:
            Scalars ``fleiss`` and ``randolph``. NaN without an answered query; ``fleiss`` also where all groups
            chose the same position on all of them.
        """
        agreement = self.agreement / self.queries
        shares = self.chosen.double() / self.chosen.sum()
        return {
            "fleiss": _beyond(agreement, shares.square().sum()),
            "randolph": _beyond(agreement, torch.full_like(agreement, 1 / self.num_options)),
        }


def _beyond(agreement: Tensor, chance: Tensor) -> Tensor:
    return torch.where(chance < 1, (agreement - chance) / (1 - chance), torch.nan)
