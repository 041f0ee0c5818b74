"""S_g as tensors: from what options count by to their distribution."""

from __future__ import annotations

from torch import Tensor

from trialign.scoring import Scoring


def log_distributions(values: Tensor, present: Tensor, scoring: Scoring) -> Tensor:
    """Log S_g: the log-softmax over the options that are there; `Scoring.distribution` is the same of one question.

    Args:
        values: [..., K] what options count by (see `trialign.scoring.option_values`).
        present: [..., K] bool, whether there is such an option.
        scoring: its temperature.

    Returns:
        [..., K]; -inf at absent options.
    """
    return (values / scoring.temperature).masked_fill(~present, float("-inf")).log_softmax(dim=-1)
