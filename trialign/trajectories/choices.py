"""Observations whose answers are enumerated, as tensors: what ``expected`` learns from and validation measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from trialign.trajectories.batches import Observed, Units
from trialign.trajectories.records import Trajectory


@dataclass(frozen=True)
class ChoiceUnits(Units):
    """Observations with enumerated answers; U turns of queries, G groups, K options (padded).

    Attributes:
        branches: [U, G, K] branch of each option; -1 pads.
        reference: [U, G, K] what the options count by under the reference (see `trialign.scoring.option_values`).
        gold: [U] gold option; -1 without one.
        targets: [U, G, K]; 0 without one.
        has_target: [U] bool.
    """

    branches: Tensor
    reference: Tensor
    gold: Tensor
    targets: Tensor
    has_target: Tensor


class Choices:
    """Reads observations with options; all of them are branches."""

    shares: ClassVar[bool] = True

    def takes(self, trajectory: Trajectory) -> bool:
        """Whether the answers can be enumerated."""
        return bool(trajectory.options)

    def answers(self, trajectory: Trajectory) -> tuple[tuple[int, ...], ...]:
        """All options."""
        return trajectory.options

    def units(self, observed: Sequence[Observed]) -> ChoiceUnits:
        """The options, what they were worth to the reference, gold and targets."""
        width = max(len(row.options) for one in observed for row in one.rows)

        def padded(values: Sequence[float], fill: float) -> list[float]:
            return [*values, *[fill] * (width - len(values))]

        def of_rows(name: str) -> Tensor:
            return torch.tensor([[padded(getattr(row, name) or (), 0.0) for row in one.rows] for one in observed])

        gold = [one.rows[0].gold for one in observed]
        return ChoiceUnits(
            branches=torch.tensor([[padded(row, -1) for row in one.branches] for one in observed], dtype=torch.long),
            reference=of_rows("option_values"),
            gold=torch.tensor([-1 if place is None else place for place in gold]),
            targets=of_rows("target"),
            has_target=torch.tensor([one.rows[0].target is not None for one in observed]),
        )
