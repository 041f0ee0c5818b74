"""Episodes -> training batches: one prefix tree a (query, group), with the tensors that the updates read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Protocol, Self

import torch

from trialign.policy import ROOT, Segment, TreeBatch, TreeRow, build_tree_batch
from trialign.policy.tree import JoinedRow, pack_rows, rows_alone
from trialign.trajectories.episodes import Episode
from trialign.trajectories.records import Trajectory
from trialign.trajectories.texts import Text


@dataclass(frozen=True)
class Observed:
    """One observation of all groups, and where their answers stand in the trees.

    Attributes:
        rows: [G] trajectories.
        branches: [G][answers] branch of each answer, in the order in which the reading names them.
    """

    rows: tuple[Trajectory, ...]
    branches: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Units:
    """Tensors of some observations; subclasses are frozen dataclasses that have tensors alone."""

    def to(self, device: torch.device | str) -> Self:
        """The same on another device."""
        return replace(self, **{one.name: getattr(self, one.name).to(device) for one in fields(self)})


@dataclass(frozen=True)
class TextUnits(Units):
    """The teachers' replies in a batch, N tokens in all.

    Attributes:
        places: [N] their indices among the tree's action tokens, ascending.
        tokens: [N, k] the tokens that the teacher finds likeliest there.
        log_probabilities: [N, k] theirs, in nats.
        rest: [N] probability of all other tokens together.
    """

    places: torch.Tensor
    tokens: torch.Tensor
    log_probabilities: torch.Tensor
    rest: torch.Tensor


@dataclass(frozen=True)
class Unseen:
    """Agents of no group, beside those of the groups: they are asked the facts' first turn.

    Attributes:
        adapters: index of each, as rows hold it.
        prompts: index of the group as which each is told who it is.
        reading: index of the reading whose observations they join.
    """

    adapters: tuple[int, ...]
    prompts: tuple[int, ...]
    reading: int

    def of(self, episode: Episode) -> Episode:
        """What they are asked of an episode."""
        return replace(episode, turns=(tuple(episode.turns[0][place] for place in self.prompts),), texts=())

    def join(self, found: _Found) -> bool:
        """Whether they join an observation: one of a fact."""
        return found[0] == self.reading and found[1][0].gold is not None


class Reading(Protocol):
    """Which answers of an observation are branches of the trees, and which tensors are made of them.

    Attributes:
        shares: whether it reads S_g, for which options may need branches after the empty question.
    """

    shares: ClassVar[bool]

    def takes(self, trajectory: Trajectory) -> bool:
        """Whether it reads such an observation; of several readings, the first that takes it does."""

    def answers(self, trajectory: Trajectory) -> tuple[tuple[int, ...], ...]:
        """The branches, as token ids; at least one."""

    def units(self, observed: Sequence[Observed]) -> Units:
        """The tensors; at least one observation."""


@dataclass(frozen=True)
class EpisodeBatch:
    """Some episodes as tensors.

    Attributes:
        query_ids: the queries inside, to name them in an error.
        tree: one tree per (query, exposure, group), short ones packed into one row.
        units: of each reading, in their order; None where it takes none of the observations.
        sizes: [branches] what an option's score is divided by; 1 for every other branch.
        unasked: [branches] the branch of the same option after the empty question; -1: nothing is taken away.
        texts: the teachers' replies, branches of the same trees; None: there are none.
        unseen: of facts, the first turn of all groups and then of agents of no group; None: there is none.
    """

    query_ids: tuple[str, ...]
    tree: TreeBatch
    units: tuple[Units | None, ...]
    sizes: torch.Tensor
    unasked: torch.Tensor
    texts: TextUnits | None = None
    unseen: Units | None = None

    def values(self, scores: torch.Tensor) -> torch.Tensor:
        """What the branches count by in S_g, as `trialign.scoring.option_values` has it of one question.

        The gradient goes through both scores: without the question, an option is as likely as the agent finds it now.

        Args:
            scores: [branches] log-probability sums, in nats.
        """
        against = torch.where(self.unasked >= 0, scores[self.unasked.clamp(min=0)], 0.0)
        return (scores - against) / self.sizes

    def to(self, device: torch.device | str) -> EpisodeBatch:
        """The same on another device."""
        units = tuple(one and one.to(device) for one in self.units)
        texts, unseen = self.texts and self.texts.to(device), self.unseen and self.unseen.to(device)
        moved = {name: getattr(self, name).to(device) for name in ("tree", "sizes", "unasked")}
        return replace(self, units=units, texts=texts, unseen=unseen, **moved)


def taker(observation: Sequence[Trajectory], readings: Sequence[Reading]) -> int | None:
    """Index of the reading that takes an observation of all groups; None: none does."""
    return next((index for index, one in enumerate(readings) if one.takes(observation[0])), None)


def build_episode_batch(
    episodes: Sequence[Episode],
    adapters: Sequence[int],
    readings: Sequence[Reading],
    invocation: Sequence[int] = (),
    *,
    pack: bool = True,
    unseen: Unseen | None = None,
    seats: Sequence[int] | None = None,
) -> EpisodeBatch:
    """Packs episodes into one batch.

    Args:
        episodes: at least one.
        adapters: adapter index of each group, in the group set's order.
        readings: which answers are branches of the trees; one of them takes every observation.
        invocation: token ids from which on activated adapters act, on rows that are not packed; empty: they always act.
        pack: lay short rows side by side, so that what a row holds depends on its neighbours.
        unseen: agents of no group that are asked too; None: none are.
        seats: places of the groups that are asked; None: all are.

    Raises:
        LookupError: no reading takes an observation.
    """
    asked = adapters if seats is None else [adapters[place] for place in seats]
    packer = _Numbering()
    found: list[_Found] = []
    beside: list[_Found] = []
    taught: dict[int, Text] = {}
    for episode in episodes:
        first = len(found)
        seated = episode if seats is None else episode.of_groups(seats)
        branches = _lay(packer, seated, asked, readings, found)
        taught.update({of_group[-1][0]: one.text for of_group, one in zip(branches, seated.texts, strict=False)})
        if unseen and episode.turns and unseen.join(found[first]):
            beside.append(_with_unseen(packer, episode, unseen, readings, found[first]))
    packed = pack_rows(packer.rows) if pack and not invocation else rows_alone(packer.rows)
    moved = _renumbered(packer.rows, packed)
    observed: list[list[Observed]] = [[] for _ in readings]
    for one in found:
        observed[one[0]].append(_moved(one, moved))
    tree = build_tree_batch([one.row for one in packed], invocation)
    sizes, unasked = packer.terms(moved)
    return EpisodeBatch(
        tuple(episode.query_id for episode in episodes),
        tree,
        tuple(reading.units(mine) if mine else None for reading, mine in zip(readings, observed, strict=True)),
        sizes,
        unasked,
        _text_units(tree, {moved[branch]: text for branch, text in taught.items()}) if taught else None,
        readings[unseen.reading].units([_moved(one, moved) for one in beside]) if unseen and beside else None,
    )


# The reading that takes an observation, its rows, and the branches of each group's answers.
_Found = tuple[int, tuple[Trajectory, ...], list[list[int]]]


def _moved(found: _Found, moved: Sequence[int]) -> Observed:
    """What was found, with its branches where they stand once the rows are packed."""
    _, rows, of_groups = found
    return Observed(rows, tuple(tuple(moved[one] for one in of_group) for of_group in of_groups))


def _with_unseen(
    packer: _Numbering, episode: Episode, unseen: Unseen, readings: Sequence[Reading], of_groups: _Found
) -> _Found:
    """Adds the rows of agents of no group; returns the observation of the groups and of them."""
    drawn: list[_Found] = []
    _lay(packer, unseen.of(episode), unseen.adapters, readings, drawn)
    return of_groups[0], (*of_groups[1], *drawn[0][1]), [*of_groups[2], *drawn[0][2]]


def _lay(
    packer: _Numbering, episode: Episode, adapters: Sequence[int], readings: Sequence[Reading], found: list[_Found]
) -> list[list[list[int]]]:
    """Adds the rows of one episode and what was found of it; returns each group's and turn's branches of answers."""
    takers = [taker(turn, readings) for turn in episode.turns]
    taken = [index for index in takers if index is not None]
    if len(taken) < len(takers):
        raise LookupError(f"no update takes the answers to {episode.query_id}")
    branches = [
        packer.add_row(
            adapter,
            [
                (turn[group].prompt, readings[index].answers(turn[group]))
                for turn, index in zip(episode.turns, taken, strict=True)
            ]
            + [(one.prompt, (one.text.token_ids,)) for one in episode.texts[group : group + 1]],
        )
        for group, adapter in enumerate(adapters)
    ]
    for place, (turn, index) in enumerate(zip(episode.turns, taken, strict=True)):
        of_groups = [of_group[place] for of_group in branches]
        found.append((index, turn, of_groups))
        for adapter, row, numbers in zip(adapters, turn, of_groups, strict=True) if readings[index].shares else ():
            packer.weigh(adapter, row, dict(zip(readings[index].answers(row), numbers, strict=True)))
    packer.unasked_rows.clear()
    return branches


def _text_units(tree: TreeBatch, taught: Mapping[int, Text]) -> TextUnits:
    """The tensors of the replies that are branches of a tree, in the order of the branches."""
    ends = tree.branch_lengths.cumsum(0).tolist()
    texts = [(branch, taught[branch]) for branch in sorted(taught)]
    return TextUnits(
        torch.cat([torch.arange(ends[branch] - len(text.token_ids), ends[branch]) for branch, text in texts]),
        torch.tensor([place for _, text in texts for place in text.top_ids]),
        torch.tensor([place for _, text in texts for place in text.top_log_probabilities]),
        torch.tensor([place for _, text in texts for place in text.rest]),
    )


class _Numbering:
    """Lays the turns of one agent into one row and numbers the branches."""

    def __init__(self) -> None:
        self.rows: list[TreeRow] = []
        self.branches = 0
        # Of branches that are options, by their numbers; of the episode at hand, the rows with an empty question.
        self.sizes: dict[int, int] = {}
        self.unasked: dict[int, int] = {}
        self.unasked_rows: dict[tuple[int, tuple[int, ...]], list[int]] = {}

    def add_row(
        self, adapter: int, turns: Sequence[tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]]
    ) -> list[list[int]]:
        """Adds one row of (prompt, answers) a turn; returns, for each turn, the branch of each answer."""
        segments: list[Segment] = []
        prompts: list[tuple[tuple[int, ...], int]] = []
        result = []
        for prompt, answers in turns:
            here = next((segment for known, segment in prompts if known == prompt), -1)
            if here < 0:
                parent, rest = _longest_prefix(prompt, prompts)
                segments.append(Segment(rest, parent))
                here = len(segments) - 1
                prompts.append((prompt, here))
            numbers: dict[tuple[int, ...], int] = {}
            for answer in answers:
                # Equal samples are one branch: computed once, counted as often as they were drawn.
                if answer not in numbers:
                    numbers[answer] = self.branches
                    self.branches += 1
                    segments.append(Segment(tuple(answer), here, action=True))
            result.append([numbers[answer] for answer in answers])
        self.rows.append(TreeRow(adapter, tuple(segments)))
        return result

    def weigh(self, adapter: int, row: Trajectory, numbers: Mapping[tuple[int, ...], int]) -> None:
        """Notes what the options of an observation are divided by and held against; adds the row for the latter.

        It is a row of its own: activated adapters begin in each row at one place. All turns share it.

        Args:
            adapter: of the group.
            row: the observation.
            numbers: token ids of its scored answers -> their branches.
        """
        against = self.unasked_rows.get((adapter, row.unasked), [])
        if row.unasked and not against:
            (against,) = self.add_row(adapter, [(row.unasked, row.options)])
            self.unasked_rows[adapter, row.unasked] = against
        for place, option in enumerate(row.options):
            if option in numbers:
                self.sizes[numbers[option]] = row.option_sizes[place] if row.option_sizes else 1
                if against:
                    self.unasked[numbers[option]] = against[place]

    def terms(self, moved: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """`EpisodeBatch.sizes` and `unasked`, once the branches stand where they were moved."""
        sizes = torch.ones(self.branches, dtype=torch.long)
        unasked = torch.full((self.branches,), -1)
        for branch, size in self.sizes.items():
            sizes[moved[branch]] = size
        for branch, other in self.unasked.items():
            unasked[moved[branch]] = moved[other]
        return sizes, unasked


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
