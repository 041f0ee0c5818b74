"""Episodes -> training batches: one prefix tree a (query, group), with the tensors that the updates read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from torch import Tensor

from trialign.groups import Exposure
from trialign.policy import ROOT, Segment, TreeBatch, TreeRow, build_tree_batch
from trialign.policy.tree import JoinedRow, pack_rows, rows_alone
from trialign.trajectories.answers import (
    LikelihoodUnits,
    PairUnits,
    answers_of,
    best_answer,
    likelihood_units,
    pair_units,
)
from trialign.trajectories.records import Trajectory

Update = Literal["auto", "expected", "awr", "topr", "likelihood", "pairs", "none"]


@dataclass(frozen=True)
class Episode:
    """All turns and groups of one query under one exposure: the unit of a batch, never split.

    Attributes:
        turns: [turn][group] trajectories, the groups in the group set's order.
    """

    query_id: str
    exposure: Exposure
    split: str
    kind: str
    turns: tuple[tuple[Trajectory, ...], ...]

    @property
    def observations(self) -> int:
        """Number of turns."""
        return len(self.turns)


@dataclass(frozen=True)
class ChoiceUnits:
    """Observations with enumerated answers; U turns of queries, G groups, K options (padded).

    Attributes:
        branches: [U, G, K] branch of each option; -1 pads.
        reference: [U, G, K] log-probability sums under the reference.
        gold: [U] gold option; -1 without one.
        targets: [U, G, K]; 0 without one.
        has_target: [U] bool.
    """

    branches: Tensor
    reference: Tensor
    gold: Tensor
    targets: Tensor
    has_target: Tensor

    def to(self, device: torch.device | str) -> ChoiceUnits:
        """The same on another device."""
        return ChoiceUnits(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


@dataclass(frozen=True)
class SampleUnits:
    """Observations with sampled answers; U turns of queries, G groups, K samples.

    Attributes:
        branches: [U, G, K] branch of each sample.
        behaviour: [U, G, K] log-probability sums under the behaviour policy.
        truth: [U, G, K] rewards; NaN without a gold answer.
        preference: [U, G, K] rewards; NaN without a target.
        disagreement: [U, G, K]; NaN without a gold answer.
    """

    branches: Tensor
    behaviour: Tensor
    truth: Tensor
    preference: Tensor
    disagreement: Tensor

    def to(self, device: torch.device | str) -> SampleUnits:
        """The same on another device."""
        return SampleUnits(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


@dataclass(frozen=True)
class EpisodeBatch:
    """Some episodes as tensors.

    Attributes:
        query_ids: the queries inside, to name them in an error.
        tree: one tree per (query, exposure, group), short ones packed into one row.
        choice: observations whose answers are enumerated; None when there are none.
        samples: observations whose answers are sampled; None when there are none.
        likelihood: the answers of the ``likelihood`` update; None under the others.
        pairs: the pairs of the ``pairs`` update; None under the others.
    """

    query_ids: tuple[str, ...]
    tree: TreeBatch
    choice: ChoiceUnits | None = None
    samples: SampleUnits | None = None
    likelihood: LikelihoodUnits | None = None
    pairs: PairUnits | None = None

    def to(self, device: torch.device | str) -> EpisodeBatch:
        """The same on another device."""
        return replace(
            self,
            tree=self.tree.to(device),
            choice=self.choice.to(device) if self.choice else None,
            samples=self.samples.to(device) if self.samples else None,
            likelihood=self.likelihood.to(device) if self.likelihood else None,
            pairs=self.pairs.to(device) if self.pairs else None,
        )


def episodes_of(trajectories: Sequence[Trajectory], groups: Sequence[str], turns: int | None) -> tuple[Episode, ...]:
    """Joins trajectories into episodes.

    Args:
        trajectories: rows of a collection.
        groups: the groups, in order; every observation has one row for each.
        turns: how many turns to keep; None keeps all.
    """
    seats: dict[tuple[str, Exposure], dict[int, dict[str, Trajectory]]] = defaultdict(lambda: defaultdict(dict))
    for row in trajectories:
        if turns is None or row.turn < turns:
            seats[row.query_id, row.exposure][row.turn][row.group] = row
    return tuple(
        Episode(
            query_id,
            exposure,
            by_turn[0][groups[0]].split,
            by_turn[0][groups[0]].kind,
            tuple(tuple(by_turn[turn][group] for group in groups) for turn in sorted(by_turn)),
        )
        for (query_id, exposure), by_turn in seats.items()
    )


def enumerates(trajectory: Trajectory, update: Update) -> bool:
    """Whether a trajectory is trained by its options (``expected``) rather than by its samples."""
    return bool(trajectory.options) and update in ("auto", "expected")


def actions_of(trajectory: Trajectory, update: Update) -> tuple[tuple[int, ...], ...]:
    """The answers that are branches of the trajectory's tree, as token ids."""
    if update == "likelihood":
        return (answers_of(trajectory)[best_answer(trajectory) or 0],)
    if update == "pairs" or enumerates(trajectory, update):
        return answers_of(trajectory)
    return tuple(sample.token_ids for sample in trajectory.samples)


def build_episode_batch(
    episodes: Sequence[Episode],
    adapters: Sequence[int],
    update: Update,
    invocation: Sequence[int] = (),
    *,
    pack: bool = True,
) -> EpisodeBatch:
    """Packs episodes into one batch.

    Args:
        episodes: at least one.
        adapters: adapter index of each group, in the group set's order.
        update: which answers are branches of the trees.
        invocation: token ids from which on activated adapters act, on rows that are not packed; empty: they always act.
        pack: lay short rows side by side, so that what a row holds depends on its neighbours.
    """
    packer = _Numbering(update)
    units: dict[bool, list[tuple[tuple[Trajectory, ...], list[list[int]]]]] = {True: [], False: []}
    for episode in episodes:
        branches = [
            packer.add_row(adapter, [turn[index] for turn in episode.turns]) for index, adapter in enumerate(adapters)
        ]
        for turn, trajectories in enumerate(episode.turns):
            actions = [branches[group][turn] for group in range(len(adapters))]
            units[enumerates(trajectories[0], update)].append((trajectories, actions))
    packed = pack_rows(packer.rows) if pack and not invocation else rows_alone(packer.rows)
    moved = _renumbered(packer.rows, packed)
    units = {
        enumerated: [(turn, [[moved[branch] for branch in one] for one in actions]) for turn, actions in of_kind]
        for enumerated, of_kind in units.items()
    }
    query_ids = tuple(episode.query_id for episode in episodes)
    tree = build_tree_batch([one.row for one in packed], invocation)
    if update == "likelihood":
        return EpisodeBatch(query_ids, tree, likelihood=likelihood_units(units[False]))
    if update == "pairs":
        return EpisodeBatch(query_ids, tree, pairs=pair_units(units[False]))
    return EpisodeBatch(
        query_ids,
        tree,
        choice=_choice_units(units[True]) if units[True] else None,
        samples=_sample_units(units[False]) if units[False] else None,
    )


class _Numbering:
    """Lays the turns of one agent into one row and numbers the branches."""

    def __init__(self, update: Update) -> None:
        self.update = update
        self.rows: list[TreeRow] = []
        self.branches = 0

    def add_row(self, adapter: int, turns: Sequence[Trajectory]) -> list[list[int]]:
        """Adds one row; returns, for each turn, the branch of each option or sample."""
        segments: list[Segment] = []
        prompts: list[tuple[tuple[int, ...], int]] = []
        result = []
        for trajectory in turns:
            parent, rest = _longest_prefix(trajectory.prompt, prompts)
            segments.append(Segment(rest, parent))
            here = len(segments) - 1
            prompts.append((trajectory.prompt, here))
            actions = actions_of(trajectory, self.update)
            numbers: dict[tuple[int, ...], int] = {}
            for action in actions:
                # Equal samples are one branch: computed once, counted as often as they were drawn.
                if action not in numbers:
                    numbers[action] = self.branches
                    self.branches += 1
                    segments.append(Segment(tuple(action), here, action=True))
            result.append([numbers[action] for action in actions])
        self.rows.append(TreeRow(adapter, tuple(segments)))
        return result


def _renumbered(rows: Sequence[TreeRow], packed: Sequence[JoinedRow]) -> list[int]:
    """Where each branch, numbered through the rows in order, stands once the rows are packed."""
    counts = [sum(segment.action for segment in row.segments) for row in rows]
    starts: dict[int, int] = {}
    begin = 0
    for index in (member for one in packed for member in one.members):
        starts[index] = begin
        begin += counts[index]
    return [starts[index] + place for index, count in enumerate(counts) for place in range(count)]


def _longest_prefix(
    prompt: tuple[int, ...], earlier: Sequence[tuple[tuple[int, ...], int]]
) -> tuple[int, tuple[int, ...]]:
    """The segment that a prompt continues, and the rest of it: a later turn begins with the one before."""
    for known, segment in reversed(earlier):
        if len(known) < len(prompt) and prompt[: len(known)] == known:
            return segment, prompt[len(known) :]
    return ROOT, prompt


def _choice_units(units: Sequence[tuple[tuple[Trajectory, ...], list[list[int]]]]) -> ChoiceUnits:
    width = max(len(trajectory.options) for trajectories, _ in units for trajectory in trajectories)

    def padded(values: Sequence[float], fill: float) -> list[float]:
        return [*values, *[fill] * (width - len(values))]

    return ChoiceUnits(
        branches=torch.tensor([[padded(row, -1) for row in actions] for _, actions in units], dtype=torch.long),
        reference=torch.tensor([[padded(t.option_log_probabilities, 0.0) for t in row] for row, _ in units]),
        gold=torch.tensor([-1 if row[0].gold is None else row[0].gold for row, _ in units]),
        targets=torch.tensor([[padded(t.target or (), 0.0) for t in row] for row, _ in units]),
        has_target=torch.tensor([row[0].target is not None for row, _ in units]),
    )


def _sample_units(units: Sequence[tuple[tuple[Trajectory, ...], list[list[int]]]]) -> SampleUnits:
    def of(name: str) -> Tensor:
        values = [[[getattr(sample, name) for sample in t.samples] for t in row] for row, _ in units]
        return torch.tensor([[[float("nan") if v is None else v for v in g] for g in u] for u in values])

    return SampleUnits(
        branches=torch.tensor([actions for _, actions in units], dtype=torch.long),
        behaviour=of("log_probability"),
        truth=of("reward_truth"),
        preference=of("reward_preference"),
        disagreement=of("disagreement"),
    )
