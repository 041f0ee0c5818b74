"""All turns and groups of one query: what a collection is read into, and what batches are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from trialign.groups import Exposure
from trialign.trajectories.panels import Panels
from trialign.trajectories.records import Trajectory
from trialign.trajectories.texts import Text


@dataclass(frozen=True)
class Taught:
    """A teacher's reply, and the prompt after which an agent is to say it: without what the teacher was told."""

    prompt: tuple[int, ...]
    text: Text


@dataclass(frozen=True)
class Episode:
    """All turns and groups of one query under one exposure: the unit of a batch, never split.

    Attributes:
        turns: [turn][group] trajectories, the groups in the group set's order; empty for an ordinary instruction.
        texts: [group] what a teacher said to the question asked openly; empty: the text term has none of it.
        seats: places of the groups that were asked, ascending; None: all were.
    """

    query_id: str
    exposure: Exposure
    split: str
    kind: str
    turns: tuple[tuple[Trajectory, ...], ...]
    texts: tuple[Taught, ...] = ()
    seats: tuple[int, ...] | None = None

    @property
    def text_tokens(self) -> int:
        """Tokens of the teacher's replies."""
        return sum(len(taught.text.token_ids) for taught in self.texts)

    @property
    def observations(self) -> int:
        """Number of turns."""
        return len(self.turns)

    def of_groups(self, places: Sequence[int]) -> Episode:
        """The same of some groups alone, in this order."""
        turns = tuple(tuple(turn[place] for place in places) for turn in self.turns)
        return replace(self, turns=turns, texts=tuple(self.texts[place] for place in places if self.texts))

    def for_all(self, groups: int) -> Episode:
        """The same with the rows of the groups that were asked standing for all others too, each for as many.

        So a step is counted as one of all groups, and the rows of those that were asked stand in their own places.

        Args:
            groups: how many there are, a multiple of those that were asked.
        """
        if self.seats is None:
            return self
        own = {place: index for index, place in enumerate(self.seats)}
        others = (place for place in range(groups) if place not in own)
        standing = {place: index % len(own) for index, place in enumerate(others)}
        rows = [own.get(place, standing.get(place, 0)) for place in range(groups)]
        return replace(self.of_groups(rows), seats=None)


def episodes_of(
    trajectories: Sequence[Trajectory], groups: Sequence[str], turns: int | None, panels: Panels | None = None
) -> tuple[Episode, ...]:
    """Joins trajectories into episodes.

    Args:
        trajectories: rows of a collection.
        groups: the groups, in order; every observation has one row for each that is asked.
        turns: how many turns to keep; None keeps all.
        panels: whom each question is asked of, an episode for each of its panels; None: all groups.
    """
    everyone = tuple(range(len(groups)))
    seats: dict[tuple[str, Exposure], dict[int, dict[str, Trajectory]]] = defaultdict(lambda: defaultdict(dict))
    for row in trajectories:
        if turns is None or row.turn < turns:
            seats[row.query_id, row.exposure][row.turn][row.group] = row
    return tuple(
        Episode(
            query_id,
            exposure,
            by_turn[0][groups[places[0]]].split,
            by_turn[0][groups[places[0]]].kind,
            tuple(tuple(by_turn[turn][groups[place]] for place in places) for turn in sorted(by_turn)),
            seats=None if panels is None else places,
        )
        for (query_id, exposure), by_turn in seats.items()
        for places in ([everyone] if panels is None else map(panels.places, panels.of(query_id)))
    )
