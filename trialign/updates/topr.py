"""``topr``: reinforcement of good samples, and of bad ones as far as they are still likely."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trialign.updates.sampled import Sampled


@dataclass(frozen=True)
class Topr(Sampled):
    """loss = - sum A c log pi(sample) / action tokens of the step.

    c = 1 where A > 0, and for the others the importance weight pi / mu truncated at 1: tapered off-policy REINFORCE
    (Le Roux et al. 2025, arXiv 2503.14286).
    """

    def strength(self, advantage: Tensor, ratio: Tensor) -> Tensor:
        """A c."""
        return torch.where(advantage > 0, advantage, advantage * ratio.clamp(max=0.0).exp())
