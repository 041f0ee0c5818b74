"""The output layer where only chosen tokens count: their log-probabilities, in chunks of positions."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from trialign.errors import UserError
from trialign.models.families import logits_shape

ACTIONS_PER_CHUNK = 1024


class Watched(NamedTuple):
    """Of which positions more than the token's own log-probability is wanted.

    Attributes:
        places: [T] their indices among the scored tokens, ascending.
        tokens: [T, k] different token ids.
    """

    places: Tensor
    tokens: Tensor


class ChunkedOutput(nn.Linear):
    """The base model's output layer, which can also score tokens without holding all logits.

    All chunks are one call of the layer: ranks that share its weights call it equally often, however many tokens
    each of them scores.

    Attributes:
        scale: the model multiplies its logits by this.
        cap: then bounds them: cap * tanh(logits / cap); None: not at all.
    """

    scale: float
    cap: float | None

    def shaped(self, logits: Tensor) -> Tensor:
        """What the model's own forward pass makes of the layer's results, [..., vocabulary]."""
        if self.scale != 1:
            logits = logits * self.scale
        return logits if self.cap is None else torch.tanh(logits / self.cap) * self.cap

    def forward(
        self,
        states: Tensor,
        targets: Tensor | None = None,
        temperature: float = 1.0,
        watched: Watched | None = None,
    ) -> Tensor:
        """Logits, or the log-probabilities of chosen tokens.

        [..., hidden] -> [..., vocabulary] before scale and cap, or with ``targets`` [N] from [N, hidden] their
        log-probabilities [N] (at least float32) after both.

        The temperature divides the logits behind log-probabilities. With ``watched``, behind them T (k + 1) more: the
        log-probabilities of its tokens at its places, then of all other tokens together. They are one tensor either
        way: ZeRO 3 counts a layer's results, and holds the ranks to one count, whatever each of them watches.
        """
        if targets is None:
            # Of states cut out of a longer tensor, torch makes a batched product, and oneDNN copies the weights for it.
            return super().forward(states.contiguous())
        scores, buckets = [], []
        for begin in range(0, len(states), ACTIONS_PER_CHUNK):
            here = slice(begin, begin + ACTIONS_PER_CHUNK)
            logits = self.shaped(super().forward(states[here]))
            scores.append(_token_log_probabilities(logits, targets[here], temperature))
            if watched is not None:
                inside = (watched.places >= begin) & (watched.places < begin + ACTIONS_PER_CHUNK)
                buckets.append(_buckets(logits[watched.places[inside] - begin], watched.tokens[inside]))
        return torch.cat([*scores, *(one.flatten() for one in buckets)])


def score_in_chunks(model: PreTrainedModel) -> None:
    """Makes the model's output layer a `ChunkedOutput`; its weights and names stay.

    Raises:
        UserError: the output layer is not a plain linear one.
    """
    head = model.get_output_embeddings()
    if type(head) not in (nn.Linear, ChunkedOutput):
        raise UserError(
            f"The base model {model.config.name_or_path or model.config.model_type} has no plain output layer",
            "Choose a base model with one, not quantised there",
        )
    assert head is not None
    head.__class__ = ChunkedOutput
    chunked = cast(ChunkedOutput, head)
    chunked.scale, chunked.cap = logits_shape(model.config)


def _token_log_probabilities(logits: Tensor, targets: Tensor, temperature: float) -> Tensor:
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if temperature != 1:
        logits = logits / temperature
    return logits.gather(1, targets.unsqueeze(1)).squeeze(1) - logits.logsumexp(dim=1)


def _buckets(logits: Tensor, tokens: Tensor) -> Tensor:
    """[T, vocabulary], [T, k] -> [T, k + 1] log-probabilities of the tokens, then of all others together."""
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    total = logits.logsumexp(dim=1, keepdim=True)
    kept = logits.gather(1, tokens) - total
    if tokens.shape[1] == logits.shape[1]:
        others = torch.full_like(total, float("-inf"))  # the logarithm of nothing has no gradient
    else:
        others = logits.scatter(1, tokens, float("-inf")).logsumexp(dim=1, keepdim=True) - total
    return torch.cat([kept, others], dim=1)
