"""From the scores of a question's options to S_g, the distribution that agents are trained on and audited by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

ScoringKind = Literal["sum", "mean", "letter"]


@dataclass(frozen=True)
class Scoring:
    """How options become a distribution.

    Attributes:
        kind: an option's score: ``sum`` or ``mean`` of the log-probabilities of its tokens (the end token is one of
            them), or that of its ``letter``.
        temperature: divides every score before the softmax, above 0. It changes no answer, as the likeliest option
            stays the likeliest. Above 1 it undoes the overconfidence of summed scores (Guo et al., 2017, "On
            calibration of modern neural networks"), so that an option that is all but excluded still has a gradient.
    """

    kind: ScoringKind = "sum"
    temperature: Annotated[float, Field(ge=1e-6, le=1e6)] = 1.0

    def distribution(self, scores: Sequence[float], lengths: Sequence[int]) -> tuple[float, ...]:
        """S_g: the softmax over options of their scores.

        Args:
            scores: [K] log-probability sums, in nats.
            lengths: [K] tokens behind each sum.

        Returns:
            [K] probabilities.

        Raises:
            ValueError: a score is not a number.
        """
        values = [s / n for s, n in zip(scores, lengths, strict=True)] if self.kind == "mean" else list(scores)
        if not all(map(math.isfinite, values)):
            raise ValueError(f"no distribution follows from the scores {values}")
        largest = max(values)
        shares = [math.exp((value - largest) / self.temperature) for value in values]
        return tuple(share / sum(shares) for share in shares)


def likeliest(shares: Sequence[float]) -> int:
    """Index of the option that is the answer: the likeliest, of equal ones the first."""
    return max(range(len(shares)), key=shares.__getitem__)
