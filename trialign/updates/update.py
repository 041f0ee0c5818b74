"""What an update is: which answers it learns from, what it counts, and what its loss is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar, Generic, TypeVar

from torch import Tensor

from trialign.objectives.config import ObjectiveConfig
from trialign.scoring import Scoring
from trialign.trajectories.batches import Observed, Units
from trialign.trajectories.records import Trajectory

U = TypeVar("U", bound=Units)


@dataclass(frozen=True)
class StepCounts:
    """What one whole optimizer step holds, over all ranks and micro-batches.

    Attributes:
        truth: observations (query, exposure, turn) with a gold answer, whichever update takes them.
        preference: observations with targets, or with answers of a preferred form.
        own: what the update counted of the observations that it takes.
    """

    truth: int
    preference: int
    own: tuple[int, ...] = ()


@dataclass(frozen=True)
class Step:
    """What a loss may know of the optimizer step beside its units.

    Attributes:
        weights: [groups at hand, 2] welfare weights of truth and preference, by the utilities as of the step before.
        counts: of the whole step.
        past_losses: [groups] the groups' mean losses, summed over the steps before; zeros unless the update
            ``remembers``.
        values: [branches] what each branch counts by in S_g, with gradient (see `trialign.scoring.option_values`); of a
            branch that is no option, its score.
        seats: places among all groups of those at hand, which ``weights`` are of; None: all are at hand. Counts and
            past losses are of all groups.
        penalty: lambda as it stands; None: as it is configured.
        scale: all groups / groups at hand. What is summed over the groups at hand is multiplied by it, and so estimates
            the sum over all: without bias, where all sets of so many groups are equally likely.
    """

    weights: Tensor
    counts: StepCounts
    past_losses: Tensor
    values: Tensor
    seats: Tensor | None = None
    scale: float = 1.0
    penalty: float | None = None

    def at_hand(self, values: Tensor) -> Tensor:
        """Of a tensor with an entry for each of all groups, those at hand."""
        return values if self.seats is None else values[self.seats]


@dataclass(frozen=True)
class UpdateLoss:
    """A loss and what it was made of; what is None was not computed.

    Attributes:
        loss: scalar with gradient. It divides by counts of the whole step, so that it does not depend on how the step
            was cut into ranks and micro-batches. A sum over the groups at hand is multiplied by `Step.scale`.
        rewards: [groups at hand, 2] sums of the truth and preference rewards under the current policy.
        counts: [2] observations behind the sums.
        inconsistency: sum of D, or of the samples' mean d, over truth observations.
        kl: KL(pi_g || pi_ref) summed over groups, this part's share of its mean over the step, in nats.
        group_losses: [groups at hand] sums of losses, one summand for each that the update counts of the group.
        unseen: sum of D among the groups and agents of no group, over truth observations.
        text: KL(teacher || agent) along stored replies, this part's share of its mean over the step's tokens, in nats.
        flips: [2] of the truth observations' pairs of groups, those whose likeliest answers differ, and all.
    """

    loss: Tensor
    rewards: Tensor | None = None
    counts: Tensor | None = None
    inconsistency: Tensor | None = None
    kl: Tensor | None = None
    group_losses: Tensor | None = None
    text: Tensor | None = None
    unseen: Tensor | None = None
    flips: Tensor | None = None


@dataclass(frozen=True)
class Update(ABC, Generic[U]):
    """One way to learn from the stored answers.

    Fields that a subclass adds are its settings: ``objective.settings`` gives their values.

    Attributes:
        objective: the configuration of the objective.
        scoring: how the scores of options become S_g.
        part: what its loss is called in a message.
        weighted: whether the loss reads the welfare weights; they are logged where it does.
        shares: whether it reads S_g (``step.values``); where it does not, no option is scored without the question.
    """

    objective: ObjectiveConfig
    scoring: Scoring
    part: ClassVar[str] = "answers"
    weighted: ClassVar[bool] = True
    shares: ClassVar[bool] = True

    @property
    def remembers(self) -> bool:
        """Whether the loss reads the groups' past losses; they are then kept, in resumable states too."""
        return False

    def takes(self, trajectory: Trajectory) -> bool:
        """Whether it learns from an observation; of several updates, the first that takes it does.

        It is asked of the first group's trajectory, and holds for those of all groups.
        """
        return True

    @abstractmethod
    def answers(self, trajectory: Trajectory) -> tuple[tuple[int, ...], ...]:
        """The answers that are scored, as token ids; at least one."""

    @abstractmethod
    def units(self, observed: Sequence[Observed]) -> U:
        """The tensors that the loss reads, of the observations in one micro-batch that it takes."""

    @abstractmethod
    def count(self, observations: Sequence[Sequence[Trajectory]]) -> tuple[int, ...]:
        """What the loss divides by, of all observations of the step that it takes; each has a trajectory a group."""

    @abstractmethod
    def loss(self, units: U, scores: Tensor, step: Step) -> UpdateLoss:
        """The loss of one micro-batch.

        Args:
            units: as ``units`` made them.
            scores: [branches] log-probability sums over the tokens of every answer, in nats, with gradient.
            step: the whole optimizer step.
        """

    def rewards(self, trajectory: Trajectory) -> tuple[float | None, float | None]:
        """Truth and preference reward that the base model earns in an observation; None where there is none.

        The mean of its samples, unless the update knows better.
        """
        truth, preference = (
            [value for sample in trajectory.samples if (value := getattr(sample, name)) is not None]
            for name in ("reward_truth", "reward_preference")
        )
        return fmean(truth) if truth else None, fmean(preference) if preference else None
