"""All turns and groups of one query: what a collection is read into, and what batches are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from trialign.groups import Exposure
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
    """

    query_id: str
    exposure: Exposure
    split: str
    kind: str
    turns: tuple[tuple[Trajectory, ...], ...]
    texts: tuple[Taught, ...] = ()

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
