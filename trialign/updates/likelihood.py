"""``likelihood``: supervised fine-tuning on one answer to each observation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from trialign.trajectories.answers import answers_of, best_answer
from trialign.trajectories.batches import Observed, Units
from trialign.trajectories.records import Trajectory
from trialign.updates.update import Step, Update, UpdateLoss


@dataclass(frozen=True)
class LikelihoodUnits(Units):
    """One answer to each of N observations of one group.

    Attributes:
        branches: [N] branch of the answer.
    """

    branches: Tensor


@dataclass(frozen=True)
class Likelihood(Update[LikelihoodUnits]):
    """Learns the best known answer of an observation; one whose answers are all wrong is scored and not learned."""

    part: ClassVar[str] = "likelihoods"
    weighted: ClassVar[bool] = False
    shares: ClassVar[bool] = False

    def answers(self, trajectory: Trajectory) -> tuple[tuple[int, ...], ...]:
        """The best one; the first where none is right, so that there is one."""
        return (answers_of(trajectory)[best_answer(trajectory) or 0],)

    def units(self, observed: Sequence[Observed]) -> LikelihoodUnits:
        """The learned answers."""
        found = [
            branches[0]
            for one in observed
            for row, branches in zip(one.rows, one.branches, strict=True)
            if best_answer(row) is not None
        ]
        return LikelihoodUnits(torch.tensor(found, dtype=torch.long))

    def count(self, observations: Sequence[Sequence[Trajectory]]) -> tuple[int, ...]:
        """The tokens of the learned answers."""
        best = [(row, best_answer(row)) for rows in observations for row in rows]
        return (sum(len(answers_of(row)[place]) for row, place in best if place is not None),)

    def loss(self, units: LikelihoodUnits, scores: Tensor, step: Step) -> UpdateLoss:
        """See `likelihood_loss`."""
        return UpdateLoss(step.scale * likelihood_loss(scores[units.branches], step.counts.own[0]))


def likelihood_loss(log_probabilities: Tensor, action_tokens: int) -> Tensor:
    """The mean negative log-likelihood of the answers' tokens.

    Args:
        log_probabilities: [N] log pi of each answer, summed over its tokens, in nats.
        action_tokens: tokens of all answers of the optimizer step, over all ranks and micro-batches.

    Returns:
        Scalar, in nats per token.
    """
    return -log_probabilities.sum() / max(action_tokens, 1)
