"""From the scores of a question's options to S_g, the distribution that agents are trained on and audited by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

ScoringKind = Literal["sum", "mean", "bytes", "pmi", "letter"]


@dataclass(frozen=True)
class Scoring:
    """How options become a distribution.

    Attributes:
        kind: what an option counts by. ``sum``: the log-probability of its text and of the token that ends it;
            ``mean``: the same, divided by the number of these tokens; ``bytes``: that of its text alone, divided by
            the text's bytes in UTF-8 (``acc_bytes`` of lm-evaluation-harness 0.4.13); ``pmi``: the sum minus the sum
            where the question is empty (pointwise mutual information; Holtzman et al. 2021, arXiv 2104.08315);
            ``letter``: the log-probability of its letter.
        temperature: divides every score before the softmax, above 0. It changes no answer, as the likeliest option
            stays the likeliest. Above 1 it undoes the overconfidence of summed scores (Guo et al., 2017, "On
            calibration of modern neural networks"), so that an option that is all but excluded still has a gradient.
    """

    kind: ScoringKind = "sum"
    temperature: Annotated[float, Field(ge=1e-6, le=1e6)] = 1.0

    def distribution(self, values: Sequence[float]) -> tuple[float, ...]:
        """S_g: the softmax over options of what they count by.

        Args:
            values: [K] see `option_values`.

        Returns:
            [K] probabilities.

        Raises:
            ValueError: a value is not a number.
        """
        if not all(map(math.isfinite, values)):
            raise ValueError(f"no distribution follows from the scores {[*values]}")
        largest = max(values)
        shares = [math.exp((value - largest) / self.temperature) for value in values]
        return tuple(share / sum(shares) for share in shares)


def option_values(scores: Sequence[float], sizes: Sequence[int], unasked: Sequence[float] = ()) -> tuple[float, ...]:
    """What options count by: (score - score without the question) / size.

    Args:
        scores: [K] log-probability sums, in nats.
        sizes: [K] what each is divided by: tokens, bytes or 1.
        unasked: [K] the sums where the question is empty; empty: nothing is taken away.
    """
    against = unasked or [0.0] * len(scores)
    return tuple((score - less) / size for score, less, size in zip(scores, against, sizes, strict=True))


@dataclass(frozen=True)
class ScoredOptions:
    """The options of one question as one agent finds them.

    Attributes:
        actions: [K] token ids of each.
        scores: [K] their log-probabilities, summed over the tokens, in nats.
        sizes: [K] what each sum is divided by.
        unasked: token ids of the prompt with an empty question; empty: it was not needed.
        unasked_scores: [K] the sums after that prompt.
    """

    actions: tuple[tuple[int, ...], ...] = ()
    scores: tuple[float, ...] = ()
    sizes: tuple[int, ...] = ()
    unasked: tuple[int, ...] = ()
    unasked_scores: tuple[float, ...] = ()

    @property
    def values(self) -> tuple[float, ...]:
        """[K] what the options count by."""
        return option_values(self.scores, self.sizes, self.unasked_scores)


def likeliest(shares: Sequence[float]) -> int:
    """Index of the option that is the answer: the likeliest, of equal ones the first."""
    return max(range(len(shares)), key=shares.__getitem__)
