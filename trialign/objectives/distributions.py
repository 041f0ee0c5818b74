"""S_g as tensors: from the scores of options to their distribution."""

from __future__ import annotations

from torch import Tensor

from trialign.scoring import Scoring


def log_distributions(scores: Tensor, lengths: Tensor, present: Tensor, scoring: Scoring) -> Tensor:
    """Log S_g: the log-softmax over the options that are there; `Scoring.distribution` is the same of one question.

    Args:
        scores: [..., K] log-probability sums, in nats.
        lengths: [..., K] tokens behind each sum.
        present: [..., K] bool, whether there is such an option.
        scoring: its kind and temperature.

    Returns:
        [..., K]; -inf at absent options.
    """
    if scoring.kind == "mean":
        scores = scores / lengths
    scores = scores / scoring.temperature
    return scores.masked_fill(~present, float("-inf")).log_softmax(dim=-1)
