"""Drawing replies, each by a seed of its own: what is asked beside a question does not change its reply."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor


class DrawnAlone(LogitsProcessor):
    """Adds Gumbel noise to the scores of a row's next token, so that the likeliest one is a draw from their softmax.

    argmax(score + noise) with independent Gumbel noise is distributed as the softmax of the scores (Gumbel, 1954;
    Maddison and others, 2014). The noise comes from a generator of the row's own, on the CPU: the same on every device
    and in every batch.

    Args:
        seeds: of each row of the batch; None: the likeliest token is taken.
    """

    def __init__(self, seeds: Sequence[int | None]) -> None:
        self._generators = [None if seed is None else torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """[rows, vocabulary] scores with the noise of the rows that are drawn."""
        width = scores.shape[1]
        noise = torch.zeros(len(scores), width, dtype=torch.float32)
        for row, generator in enumerate(self._generators):
            if generator is not None:
                noise[row] = -torch.empty(width).exponential_(generator=generator).log_()
        return scores.float() + noise.to(scores.device)
