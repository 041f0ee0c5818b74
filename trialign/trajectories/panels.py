"""Panels: the groups that a question is asked of, where there are too many to ask them all."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from trialign.environment import stable_seed


@dataclass(frozen=True)
class Panels:
    """Groups dealt out into panels of one size, and which panels are asked which question.

    Attributes:
        size: groups of a panel.
        order: places of all groups; those of panel p begin at p * size.
        asked: query id -> its panels, each another one; who is not named (validation) is asked of the first panel.
    """

    size: int
    order: tuple[int, ...]
    asked: Mapping[str, tuple[int, ...]]

    @classmethod
    def dealt(cls, groups: int, size: int, each: int, queries: Sequence[tuple[str, str]], seed: int) -> Self:
        """Deals groups into panels and the questions of each kind to the panels, as evenly as it goes.

        Args:
            groups: how many there are, a multiple of ``size``.
            size: of a panel.
            each: panels that a question is asked of; at most all.
            queries: id and kind of each question.
            seed: of both.
        """
        order = random.Random(stable_seed(f"panels:{seed}")).sample(range(groups), groups)
        of_kind: dict[str, list[str]] = defaultdict(list)
        for query_id, kind in queries:
            of_kind[kind].append(query_id)
        asked: dict[str, tuple[int, ...]] = {}
        for kind, ids in of_kind.items():
            generator = random.Random(stable_seed(f"panels:{seed}:{kind}"))
            hands = _hands(groups // size, each, generator)
            asked |= {query_id: next(hands) for query_id in generator.sample(sorted(ids), len(ids))}
        return cls(size, tuple(order), asked)

    @property
    def count(self) -> int:
        """Number of panels."""
        return len(self.order) // self.size

    def of(self, query_id: str) -> tuple[int, ...]:
        """The panels that a question is asked of."""
        return self.asked.get(query_id, (0,))

    def places(self, panel: int) -> tuple[int, ...]:
        """Places of a panel's groups, ascending."""
        return tuple(sorted(self.order[panel * self.size : (panel + 1) * self.size]))


def _hands(panels: int, each: int, generator: random.Random) -> Iterator[tuple[int, ...]]:
    """Panels from a shuffled deck, so many at a time and no one twice; a new deck when it is used up."""
    deck: list[int] = []
    while True:
        hand, deck = deck[:each], deck[each:]
        if len(hand) < each:
            fresh = generator.sample(range(panels), panels)
            taken = [one for one in fresh if one not in hand][: each - len(hand)]
            hand, deck = hand + taken, [one for one in fresh if one not in taken]
        yield tuple(hand)
