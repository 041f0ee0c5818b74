"""The behaviour policy mu: how probable it was to give each sample, at whatever temperature it was asked.

The base model is mu at temperature 1. An option is drawn from the distribution of the scores over the temperature, so
that it is as probable as its share, not as its text; a reply is drawn token by token, each from the logits over it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from trialign.scoring import Scoring
from trialign.trajectories.records import Sample, Trajectory


def option_shares(values: Sequence[float], scoring: Scoring, temperature: float) -> tuple[float, ...]:
    """The probabilities by which options are drawn.

    Args:
        values: [K] what they count by under the base model (see `trialign.scoring.option_values`).
        scoring: how they become a distribution.
        temperature: of the behaviour policy.

    Returns:
        [K] probabilities.
    """
    return scoring.distribution([value / temperature for value in values])


def completed(row: Trajectory, scoring: Scoring, temperature: float) -> Trajectory:
    """A trajectory of an earlier version, which did not keep how probable its samples were, with what follows of it.

    What the options' scores are divided by was not kept either: the tokens under ``mean``, else 1, as there were no
    other kinds. A reply at another temperature than 1 stays without: only the model could tell.
    """
    if row.options and not row.option_sizes:
        sizes = [len(option) if scoring.kind == "mean" else 1 for option in row.options]
        row = replace(row, option_sizes=tuple(sizes))
    if all(sample.behaviour is not None for sample in row.samples):
        return row
    shares = option_shares(row.option_values, scoring, temperature) if row.options else ()

    def of(sample: Sample) -> float | None:
        if row.options:
            return math.log(shares[row.options.index(sample.token_ids)])
        return sample.log_probability if temperature == 1 else None

    return replace(row, samples=tuple(replace(sample, behaviour=of(sample)) for sample in row.samples))
