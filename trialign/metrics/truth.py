"""Whether all groups get the same facts."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class TruthDisparity(Metric):
    """Accuracy per group, and agreement between the groups, on truth queries.

    An answer is the index of a query's option, -1 where the reply holds none; such a reply is wrong, and
    agrees with nothing.

    Args:
        num_groups: G, the number of groups, in the order of the columns.
    """

    full_state_update = False
    is_differentiable = False
    queries: Tensor
    correct: Tensor
    unanimous: Tensor
    flips: Tensor
    right_together: Tensor
    wrong_together: Tensor
    unanswered: Tensor

    def __init__(self, num_groups: int) -> None:
        super().__init__()
        self.num_groups = num_groups
        self.add_state("correct", torch.zeros(num_groups, dtype=torch.long), dist_reduce_fx="sum")
        for name in ("queries", "unanimous", "flips", "right_together", "wrong_together", "unanswered"):
            self.add_state(name, torch.tensor(0), dist_reduce_fx="sum")

    def update(self, answers: Tensor, gold: Tensor) -> None:
        """Add a batch of queries.

        Args:
            answers: [queries, groups], long; option indices or -1.
            gold: [queries], long; the right option's index.

        Raises:
            ValueError: the shapes do not fit.
        """
        if answers.shape != (len(gold), self.num_groups):
            raise ValueError(f"answers have shape {tuple(answers.shape)}, expected {(len(gold), self.num_groups)}")
        correct = answers == gold[:, None]
        same = (answers[:, :, None] == answers[:, None, :]) & (answers >= 0)[:, :, None]
        unanimous = same.flatten(1).all(dim=1)
        self.queries += len(gold)
        self.correct += correct.sum(dim=0)
        self.unanimous += unanimous.sum()
        self.flips += (~same).triu(diagonal=1).sum()
        self.right_together += correct.all(dim=1).sum()
        self.wrong_together += (unanimous & ~correct.any(dim=1)).sum()
        self.unanswered += (answers < 0).sum()

    def compute(self) -> dict[str, Tensor]:
        """The quantities over all queries seen.

        Returns:
            ``accuracy`` [groups], and scalars ``mean``, ``worst``, ``gap`` (largest minus smallest accuracy),
            ``unanimous``, ``flip_rate`` (share of (query, pair of groups) whose answers differ),
            ``right_for_all``, ``consistent_wrong`` and ``no_answer``. What is undefined is NaN: all without a
            query, and the comparisons between groups with a single group (whose [groups] torchmetrics makes a
            scalar).
        """
        accuracy = self.correct / self.queries
        compared = self.queries if self.num_groups > 1 else torch.zeros_like(self.queries)
        pairs = self.num_groups * (self.num_groups - 1) // 2
        gap = accuracy.max() - accuracy.min()
        return {
            "accuracy": accuracy,
            "mean": accuracy.mean(),
            "worst": accuracy.min(),
            "gap": gap if self.num_groups > 1 else torch.full_like(gap, torch.nan),
            "unanimous": _share(self.unanimous, compared),
            "flip_rate": self.flips / (compared * pairs),
            "right_for_all": _share(self.right_together, self.queries),
            "consistent_wrong": _share(self.wrong_together, compared),
            "no_answer": self.unanswered / (self.queries * self.num_groups),
        }


def _share(count: Tensor, total: Tensor) -> Tensor:
    """NaN rather than infinity where the total is zero."""
    return torch.where(total > 0, count / total, torch.nan)
