"""``awr``: advantage-weighted regression on the stored samples."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from trialign.updates.sampled import Sampled


@dataclass(frozen=True)
class Awr(Sampled):
    """loss = - sum min(exp(A / temperature), w_max) log pi(sample) / action tokens of the step.

    Advantage-weighted regression (Peng et al. 2019, arXiv 1910.00177). The welfare weights stand inside the exponent.
    """

    def strength(self, advantage: Tensor, ratio: Tensor) -> Tensor:
        """min(exp(A / temperature), w_max)."""
        config = self.objective.awr
        return (advantage / config.temperature).exp().clamp(max=config.largest)
