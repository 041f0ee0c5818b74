"""TrajectoryDataModule: the offline data as Lightning sees it, position included."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from trialign import distributed
from trialign.policy.basis import Draws
from trialign.queries import Kind
from trialign.trajectories.batches import EpisodeBatch, Reading, Unseen, build_episode_batch
from trialign.trajectories.choices import Choices
from trialign.trajectories.episodes import Episode
from trialign.trajectories.plan import EpisodePlan, GroupPlan, PanelEpisodes, PanelPlan, micro_batch


@dataclass(frozen=True)
class StepBatch:
    """One micro-batch and the whole optimizer step that it belongs to.

    Attributes:
        batch: what this rank computes now.
        step: all episodes of the optimizer step, over all ranks and micro-batches, with all groups, to count them.
        draws: z of nobody, which the step has beside the groups'; None: none.
        seats: places of the groups that the step asks; None: all of them.
    """

    batch: EpisodeBatch
    step: tuple[Episode, ...]
    draws: Draws | None = None
    seats: tuple[int, ...] | None = None

    def to(self, device: torch.device | str) -> StepBatch:
        """The same on another device."""
        return replace(self, batch=self.batch.to(device), draws=self.draws and self.draws.to(device))


class StepLoader:
    """Micro-batches of a plan, in order, from wherever training stands.

    Its state is one number; Lightning stores it in the checkpoint and sets it again on resume.
    """

    def __init__(
        self,
        episodes: Sequence[Episode],
        adapters: Sequence[int],
        plan: EpisodePlan | PanelEpisodes,
        readings: Sequence[Reading],
        steps: int,
        micro_batches: int,
        invocation: Sequence[int],
        pack: bool,
        instructions: Sequence[Episode] = (),
        beside: EpisodePlan | PanelEpisodes | None = None,
        draw: Callable[[int], Draws] | None = None,
        groups: GroupPlan | PanelPlan | None = None,
    ) -> None:
        self.draw, self.groups = draw, groups
        self.instructions, self.beside = instructions, beside
        self.invocation, self.pack = tuple(invocation), pack
        self.episodes, self.adapters, self.plan, self.readings = episodes, adapters, plan, tuple(readings)
        self.steps, self.micro_batches = steps, micro_batches
        self.position = 0

    def __len__(self) -> int:
        """Micro-batches in the whole training."""
        return self.steps * self.micro_batches

    def __iter__(self) -> Iterator[StepBatch]:
        """Yields the micro-batches that are left."""
        while self.position < len(self):
            step, part = divmod(self.position, self.micro_batches)
            chosen = self._step(step)
            mine = micro_batch(chosen, distributed.rank(), distributed.world_size(), part, self.micro_batches)
            draws = self.draw(step) if self.draw else None
            unseen = self._unseen(draws) if draws else None
            seats = self.groups.step(step) if self.groups else None
            batch = build_episode_batch(
                mine, self.adapters, self.readings, self.invocation, pack=self.pack, unseen=unseen, seats=seats
            )
            self.position += 1
            yield StepBatch(batch, chosen, draws, seats)

    def _unseen(self, draws: Draws) -> Unseen | None:
        """Where the draws are asked; None: no reading enumerates answers."""
        first = max(self.adapters) + 2  # behind the groups and the base weights
        reading = next((place for place, one in enumerate(self.readings) if isinstance(one, Choices)), None)
        if reading is None:
            return None
        return Unseen(tuple(range(first, first + len(draws.prompts))), draws.prompts, reading)

    def _step(self, number: int) -> tuple[Episode, ...]:
        """The questions of a step, then the instructions beside them: every micro-batch has its share of each."""
        questions = [self.episodes[index] for index in self.plan.step(number)]
        beside = self.beside.step(number) if self.beside else []
        chosen = (*questions, *(self.instructions[index] for index in beside))
        return tuple(one.for_all(len(self.adapters)) for one in chosen)

    def state_dict(self) -> dict[str, int]:
        """Micro-batches handed out so far."""
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Goes on after the micro-batches that a checkpoint has seen."""
        self.position = state["position"]


class TrajectoryDataModule(LightningDataModule):
    """Training and validation episodes of one collection.

    Args:
        training: episodes to train on, at least one.
        validation: episodes to validate on; may be empty.
        adapters: adapter index of each group.
        readings: which answers are branches of the trees in training; validation scores options.
        queries_per_step: episodes in one optimizer step, over all ranks and micro-batches; a multiple of their product.
        micro_batches: forward and backward passes in one optimizer step on each rank.
        steps: optimizer steps in all.
        seed: of the order.
        visits: how often one pass visits every episode of a kind; once where not named.
        invocation: token ids from which on activated adapters act; empty: they always act.
        pack: lay short rows of a training step side by side.
        instructions: ordinary instructions, which the text term alone learns from.
        instructions_per_step: of them, in one optimizer step beside the questions, over all ranks and micro-batches.
        draw: step -> z of nobody, which are asked the facts beside the groups; None: none are.
        groups: which groups each step asks, and validation; None: all of them. With panels a step has the episodes of
            its panel alone.
    """

    def __init__(
        self,
        training: Sequence[Episode],
        validation: Sequence[Episode],
        adapters: Sequence[int],
        readings: Sequence[Reading],
        queries_per_step: int,
        micro_batches: int,
        steps: int,
        seed: int,
        visits: Mapping[Kind, int],
        invocation: Sequence[int] = (),
        pack: bool = True,
        instructions: Sequence[Episode] = (),
        instructions_per_step: int = 0,
        draw: Callable[[int], Draws] | None = None,
        groups: GroupPlan | PanelPlan | None = None,
    ) -> None:
        super().__init__()
        self.draw, self.groups = draw, groups
        self.instructions, self.beside = tuple(instructions), None
        if instructions and instructions_per_step:
            self.beside = _plan(instructions, instructions_per_step, seed, (), groups)
        self.training, self.validation = training, validation
        self.adapters, self.readings, self.invocation = tuple(adapters), tuple(readings), tuple(invocation)
        self.micro_batches, self.steps, self.pack = micro_batches, steps, pack
        self.plan = _plan(training, queries_per_step, seed, tuple(sorted(visits.items())), groups)

    def train_dataloader(self) -> Any:
        """All micro-batches of the training."""
        return StepLoader(
            self.training,
            self.adapters,
            self.plan,
            self.readings,
            self.steps,
            self.micro_batches,
            self.invocation,
            self.pack,
            self.instructions,
            self.beside,
            self.draw,
            self.groups,
        )

    def val_dataloader(self) -> DataLoader[EpisodeBatch]:
        """This rank's share of the validation episodes, as many a batch as a training step has; turn 0 only.

        Every rank has as many batches as the others: with shared weights, a forward pass takes all ranks.
        """
        of_all = [episode.for_all(len(self.adapters)) for episode in self.validation]
        first_turns = [replace(episode, turns=episode.turns[:1]) for episode in of_all]
        ranks, size = distributed.world_size(), self.plan.per_step
        mine = first_turns[distributed.rank() :: ranks]
        longest = -(-len(first_turns) // ranks)
        batches = [
            self._validation_batch(mine[begin : begin + size], first_turns[0]) for begin in range(0, longest, size)
        ]
        return DataLoader(batches, batch_size=None)  # type: ignore[arg-type] # a list is a dataset

    def _validation_batch(self, episodes: Sequence[Episode], filler: Episode) -> EpisodeBatch:
        """The episodes as a batch; without any, one of which nothing is counted."""
        seats = self.groups.validated if self.groups else None
        batch = build_episode_batch(episodes or [filler], self.adapters, (Choices(),), self.invocation, seats=seats)
        return batch if episodes else replace(batch, units=(None,))


def _plan(
    episodes: Sequence[Episode],
    per_step: int,
    seed: int,
    visits: tuple[tuple[str, int], ...],
    groups: GroupPlan | PanelPlan | None,
) -> EpisodePlan | PanelEpisodes:
    """Which of the episodes each step has."""
    kinds = tuple(episode.kind for episode in episodes)
    if not isinstance(groups, PanelPlan):
        return EpisodePlan(kinds, per_step, seed, visits)
    numbers: dict[object, int] = {groups.panels.places(panel): panel for panel in range(groups.panels.count)}
    panel_of = tuple(numbers[episode.seats] for episode in episodes)
    return PanelEpisodes(kinds, panel_of, per_step, seed, groups, visits)
