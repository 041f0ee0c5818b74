"""An objective from outside the package: the answer that is wanted leads every other option by a margin.

`custom_objective.yaml` beside this file names the class. In this folder:

    trialign fit --config custom_objective.yaml
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from trialign.objectives.distributions import log_distributions
from trialign.trajectories.choices import Choices, ChoiceUnits
from trialign.trajectories.records import Trajectory
from trialign.updates import Step, Update, UpdateLoss


@dataclass(frozen=True)
class Margin(Choices, Update[ChoiceUnits]):
    """Learns from questions with options, all of which are scored (`Choices`).

    Attributes:
        margin: by which log S_g of the wanted option leads that of the best other one, in nats.
    """

    margin: Annotated[float, Field(ge=0, le=100)] = 1.0
    part: ClassVar[str] = "margins"
    weighted: ClassVar[bool] = False

    def count(self, observations: Sequence[Sequence[Trajectory]]) -> tuple[int, ...]:
        """The answers of all groups to all observations of the step."""
        return (sum(len(rows) for rows in observations),)

    def loss(self, units: ChoiceUnits, scores: Tensor, step: Step) -> UpdateLoss:
        """The mean of max(0, margin - lead)."""
        places, present = units.branches.clamp(min=0), units.branches >= 0  # [observations, groups, options]
        log_shares = log_distributions(step.values[places], present, self.scoring)
        # The gold option of a fact, and the group's favourite of a taste.
        wanted = torch.where(units.gold.unsqueeze(1) >= 0, units.gold.unsqueeze(1), units.targets.argmax(dim=2))
        is_wanted = torch.zeros_like(present).scatter(2, wanted.unsqueeze(2), True)
        best = log_shares.masked_fill(~is_wanted, float("-inf")).amax(dim=2)
        rival = log_shares.masked_fill(is_wanted, float("-inf")).amax(dim=2)
        missing = (self.margin - (best - rival)).clamp(min=0).sum()
        # The scale is above 1 where a step asks some of the groups alone.
        return UpdateLoss(step.scale * missing / max(step.counts.own[0], 1))
