"""Flips between answers: across groups and wordings, and from turn to turn."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class ExcessFlips(Metric):
    """Flips across groups beyond those across wordings, or repeats, of one group; see ``trialign.audit.figures.flips``.

    A flip is a pair of answers to one query that differ; -1, no answer, differs from all.

    Args:
        num_groups: G, at least two.
        num_wordings: W, the wordings of each profile.
        num_repeats: R, how often an agent is asked in the same words.

    Raises:
        ValueError: there is a single group.

    Examples:
        Both groups in two wordings: on the first question each keeps its own answer, on the second one of them wavers.

        >>> metric = ExcessFlips(num_groups=2, num_wordings=2)
        >>> metric.update(torch.tensor([[[[0], [0]], [[1], [1]]], [[[0], [0]], [[1], [0]]]]))
        >>> shares = metric.compute()
        >>> [float(shares[name]) for name in ("across", "wordings", "excess")]
        [0.75, 0.25, 0.5]
    """

    full_state_update = False
    is_differentiable = False
    queries: Tensor
    across: Tensor
    wordings: Tensor
    repeats: Tensor

    def __init__(self, num_groups: int, num_wordings: int = 1, num_repeats: int = 1) -> None:
        super().__init__()
        if num_groups < 2:
            raise ValueError("flips across groups need at least two groups")
        self.shape = (num_groups, num_wordings, num_repeats)
        self.add_state("queries", torch.tensor(0), dist_reduce_fx="sum")
        for name in ("across", "wordings", "repeats"):
            self.add_state(name, torch.tensor(0), dist_reduce_fx="sum")

    def update(self, answers: Tensor) -> None:
        """Add a batch of queries.

        Args:
            answers: [queries, groups, wordings, repeats], long; equal where the answers are, -1 for no answer.

        Raises:
            ValueError: the shape does not fit.
        """
        if answers.shape[1:] != self.shape:
            raise ValueError(f"answers have shape {tuple(answers.shape)}, expected [queries, {self.shape}]")
        flat = answers.flatten(1)
        differ = (flat[:, :, None] != flat[:, None]) | (flat < 0)[:, :, None]
        self.queries += len(answers)
        for name, pairs in self._pairs(answers.device).items():
            state = getattr(self, name)
            state += (differ & pairs).sum()

    def compute(self) -> dict[str, Tensor]:
        """The shares over all queries seen.

        Returns:
            ``across`` (between groups, in different wordings where there are several), ``wordings`` (between two
            wordings of one group), ``repeats`` and ``excess`` (``across`` minus ``wordings``, or minus ``repeats``
            where there is one wording): scalars, NaN where undefined.
        """
        shares = {
            name: getattr(self, name).double() / (self.queries * pairs.sum())
            for name, pairs in self._pairs(self.queries.device).items()
        }
        baseline = shares["wordings" if self.shape[1] > 1 else "repeats"]
        return shares | {"excess": shares["across"] - baseline}

    def _pairs(self, device: torch.device) -> dict[str, Tensor]:
        """Which pairs of answers each share is about: [G x W x R, G x W x R] each."""
        indices = torch.cartesian_prod(*(torch.arange(size, device=device) for size in self.shape))
        group, wording, repeat = (part[:, None] == part[None] for part in indices.unbind(dim=1))
        reworded = ~wording if self.shape[1] > 1 else wording
        return {"across": ~group & reworded, "wordings": group & ~wording, "repeats": group & wording & ~repeat}


class TurnFlips(Metric):
    """What hearing the other groups does: right answers that become wrong, and the other way.

    Args:
        num_groups: G, the number of groups.

    Examples:
        Of two questions, the first group learns the second one, and the second group is talked out of the first.

        >>> metric = TurnFlips(num_groups=2)
        >>> metric.update(torch.tensor([[True, True], [False, True]]), torch.tensor([[True, False], [True, True]]))
        >>> {name: values.tolist() for name, values in metric.compute().items()}
        {'right_before': [0.5, 1.0], 'right_to_wrong': [0.0, 0.5], 'wrong_to_right': [0.5, 0.0]}
    """

    full_state_update = False
    is_differentiable = False
    queries: Tensor
    right_before: Tensor
    right_to_wrong: Tensor
    wrong_to_right: Tensor

    def __init__(self, num_groups: int) -> None:
        super().__init__()
        self.num_groups = num_groups
        self.add_state("queries", torch.tensor(0), dist_reduce_fx="sum")
        for name in ("right_before", "right_to_wrong", "wrong_to_right"):
            self.add_state(name, torch.zeros(num_groups, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, before: Tensor, after: Tensor) -> None:
        """Add a batch of queries.

        Args:
            before: [queries, groups], bool; whether the answer of one turn is right.
            after: [queries, groups], bool; whether that of the next turn is.

        Raises:
            ValueError: the shapes do not fit.
        """
        if before.shape != after.shape or before.shape[1] != self.num_groups:
            shapes = f"{tuple(before.shape)} and {tuple(after.shape)}"
            raise ValueError(f"expected [queries, {self.num_groups}] twice, got {shapes}")
        self.queries += len(before)
        self.right_before += before.sum(dim=0)
        self.right_to_wrong += (before & ~after).sum(dim=0)
        self.wrong_to_right += (~before & after).sum(dim=0)

    def compute(self) -> dict[str, Tensor]:
        """Shares of all queries seen.

        Returns:
            ``right_before``, ``right_to_wrong`` and ``wrong_to_right`` ([groups]; torchmetrics makes those of a
            single group scalars). NaN without a query.
        """
        names = ("right_before", "right_to_wrong", "wrong_to_right")
        return {name: getattr(self, name) / self.queries for name in names}
