"""Around transformers' generation: padded prompts, the end of a reply, scores that are no numbers, a watcher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

from trialign.errors import UserError

NOT_NUMBERS = (
    "Compute in model.dtype=float32 or bfloat16, whose range is wider than float16's; if it stays, the weights are "
    "broken: take another step's agents, or another model"
)


class Numbers(LogitsProcessor):
    """Stops where no next token can be chosen: the likeliest token of NaN is any token, and it looks like an answer."""

    def __init__(self, called: Sequence[str]) -> None:
        self.called = called

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores [rows, vocabulary], as they are."""
        # NaN and infinity come through as the largest score; minus infinity is a token that a model excludes.
        broken = ~torch.isfinite(scores.amax(dim=1))
        if bool(broken.any()):
            name = self.called[int(broken.nonzero()[0])]
            raise UserError(f"The model's scores of the next token for {name} are not numbers", NOT_NUMBERS)
        return scores


class Watching(StoppingCriteria):
    """Shows the replies to a watcher after every token."""

    def __init__(self, begin: int, ends: Sequence[int], watch: Callable[[Sequence[Sequence[int]]], bool]) -> None:
        self.begin, self.ends, self.watch = begin, ends, watch

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        """[rows] bool, whether each reply ends here: all or none."""
        stop = self.watch([until(ids, self.ends) for ids in input_ids[:, self.begin :].tolist()])
        return torch.full((len(input_ids),), stop, dtype=torch.bool, device=input_ids.device)


def left_padded(prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Token ids and mask, [prompts, length] each; every prompt ends in the last column."""
    length = max(len(prompt) for prompt in prompts)
    ids = torch.zeros(len(prompts), length, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, length - len(prompt) :] = torch.tensor(prompt)
        mask[row, length - len(prompt) :] = 1
    return ids, mask


def until(ids: list[int], ends: Sequence[int]) -> tuple[int, ...]:
    """The ids up to the first of the end tokens, that one included."""
    return tuple(ids[: next((place for place, token in enumerate(ids) if token in ends), len(ids)) + 1])
