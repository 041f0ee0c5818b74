"""Which episodes, and which groups, make up an optimizer step: a pure function of the seed and the step's number."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from trialign.environment import stable_seed
from trialign.trajectories.panels import Panels

E = TypeVar("E")


@dataclass(frozen=True)
class EpisodePlan:
    """An endless, reproducible order of the episodes.

    Every pass shuffles each kind of query and then interleaves the kinds evenly, so that every step has its
    share of facts and of preferences. Any step can be had without those before it: resuming needs no state
    but its number.

    Attributes:
        kinds: the kind of each episode.
        per_step: episodes in one optimizer step, over all ranks and micro-batches.
        seed: of the order.
        visits: (kind, times) pairs: how often one pass visits every episode of a kind; once where not named.
    """

    kinds: tuple[str, ...]
    per_step: int
    seed: int
    visits: tuple[tuple[str, int], ...] = ()

    def step(self, number: int) -> list[int]:
        """Indices of the episodes of one optimizer step."""
        first = number * self.per_step
        times = dict(self.visits)
        size = sum(times.get(kind, 1) for kind in self.kinds)
        return [
            _shuffled(self.kinds, self.seed, self.visits, place // size)[place % size]
            for place in range(first, first + self.per_step)
        ]


@dataclass(frozen=True)
class GroupPlan:
    """Which groups each optimizer step asks, where it does not ask all of them.

    Every pass shuffles the groups and deals them out, a step's at a time; those that are left over wait for the next
    pass. So the groups of any one step are a simple random sample: every set of so many is equally likely.

    Attributes:
        groups: how many there are.
        per_step: of them, in one optimizer step; at most all.
        seed: of the order.
    """

    groups: int
    per_step: int
    seed: int

    @property
    def validated(self) -> tuple[int, ...]:
        """Places of the groups that validation asks."""
        return self.step(0)

    def step(self, number: int) -> tuple[int, ...]:
        """Places of the groups of one optimizer step, ascending."""
        passing, place = divmod(number, self.groups // self.per_step)
        order = random.Random(stable_seed(f"groups:{self.seed}:{passing}")).sample(range(self.groups), self.groups)
        return tuple(sorted(order[place * self.per_step : (place + 1) * self.per_step]))


@dataclass(frozen=True)
class PanelPlan:
    """Which panel each optimizer step asks, where each question is asked of a few panels of groups alone.

    Every pass shuffles the panels and takes one a step. As groups were dealt into panels at random, those of any one
    step are a simple random sample, as `GroupPlan`'s are.

    Attributes:
        panels: of the groups.
        among: those that have something to learn, ascending.
        seed: of the order.
    """

    panels: Panels
    among: tuple[int, ...]
    seed: int

    @property
    def validated(self) -> tuple[int, ...]:
        """Places of the groups that validation asks: those of the first panel."""
        return self.panels.places(0)

    def turn(self, number: int) -> tuple[int, int]:
        """The panel of one optimizer step, and how often it was asked before."""
        passing, place = divmod(number, len(self.among))
        order = random.Random(stable_seed(f"panels:{self.seed}:{passing}")).sample(self.among, len(self.among))
        return order[place], passing

    def step(self, number: int) -> tuple[int, ...]:
        """Places of the groups of one optimizer step, ascending."""
        return self.panels.places(self.turn(number)[0])


@dataclass(frozen=True)
class PanelEpisodes:
    """The episodes of each step's panel, in an order of their own: `EpisodePlan` within every panel.

    Attributes:
        kinds: the kind of each episode.
        panel_of: the panel of each episode.
        per_step: as in `EpisodePlan`, like ``seed`` and ``visits``; a panel without episodes has none in its steps.
        turns: which panel's turn it is.
    """

    kinds: tuple[str, ...]
    panel_of: tuple[int, ...]
    per_step: int
    seed: int
    turns: PanelPlan
    visits: tuple[tuple[str, int], ...] = ()

    def step(self, number: int) -> list[int]:
        """Indices of the episodes of one optimizer step."""
        panel, passing = self.turns.turn(number)
        mine = [index for index, of in enumerate(self.panel_of) if of == panel]
        if not mine:
            return []
        plan = EpisodePlan(tuple(self.kinds[index] for index in mine), self.per_step, self.seed, self.visits)
        return [mine[index] for index in plan.step(passing)]


@lru_cache(maxsize=4)
def _shuffled(kinds: tuple[str, ...], seed: int, visits: tuple[tuple[str, int], ...], passing: int) -> tuple[int, ...]:
    generator = random.Random(stable_seed(f"order:{seed}:{passing}"))
    members: dict[str, list[int]] = defaultdict(list)
    for index, kind in enumerate(kinds):
        members[kind].append(index)
    placed: list[tuple[float, int]] = []
    for kind in sorted(members):
        indices: list[int] = []
        for _ in range(dict(visits).get(kind, 1)):
            # Every episode of a kind comes before any of them comes again.
            indices.extend(generator.sample(members[kind], len(members[kind])))
        placed.extend(((place + generator.random()) / len(indices), index) for place, index in enumerate(indices))
    return tuple(index for _, index in sorted(placed))


def micro_batch(episodes: Sequence[E], rank: int, ranks: int, index: int, micro_batches: int) -> list[E]:
    """The part of a step's episodes that one rank computes in one of its micro-batches."""
    return list(episodes[rank * micro_batches + index :: ranks * micro_batches])
