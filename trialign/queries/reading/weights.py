"""How firmly a reply stands behind each answer that it names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from trialign.queries.reading.clauses import Mention

#: Share of the question's words in a clause from which on it answers the question wherever it stands.
CLOSE = 0.3


class Weight(IntEnum):
    """How firmly a reply stands behind an answer that it names."""

    DENIED = -1
    MENTIONED = 0  # asked, supposed, reported, part of a refusal
    GUESSED = 1
    SAID = 2
    FOLLOWS = 3  # "so", "therefore"
    ALONE = 4  # stands alone, opens the reply, or is called right
    ANSWER = 5  # "the answer is", "I choose"
    FINAL = 6


@dataclass(slots=True)
class Judged:
    """A mention and what its clause makes of it.

    Attributes:
        overlap: share of the question's words that its clause repeats.
        sentence: number of its sentence.
        partly: it is called partly right.
        behind: what denies it stands behind it, as its predicate.
        contrasts: its clause begins with "but".
    """

    mention: Mention
    weight: Weight
    overlap: float = 0.0
    sentence: int = 0
    partly: bool = False
    contrasts: bool = False
    behind: bool = False

    @property
    def value(self) -> int:
        """Which answer is named."""
        return self.mention.value
