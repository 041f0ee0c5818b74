"""The output layer where only chosen tokens count: their log-probabilities, in chunks of positions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from trialign.errors import UserError

ACTIONS_PER_CHUNK = 1024


class ChunkedOutput(nn.Linear):
    """The base model's output layer, which can also score tokens without holding all logits.

    All chunks are one call of the layer: ranks that share its weights call it equally often, however many tokens
    each of them scores.
    """

    def forward(self, states: Tensor, targets: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """[..., hidden] -> logits [..., vocabulary], or log-probabilities [N] of ``targets`` [N] (at least float32).

        The temperature divides the logits behind log-probabilities.
        """
        if targets is None:
            # Of states cut out of a longer tensor, torch makes a batched product, and oneDNN copies the weights for it.
            return super().forward(states.contiguous())
        chunks = zip(states.split(ACTIONS_PER_CHUNK), targets.split(ACTIONS_PER_CHUNK), strict=True)
        return torch.cat(
            [_token_log_probabilities(super(ChunkedOutput, self).forward(s), t, temperature) for s, t in chunks]
        )


def score_in_chunks(model: PreTrainedModel) -> None:
    """Makes the model's output layer a `ChunkedOutput`; its weights and names stay.

    Raises:
        UserError: the output layer is not a plain linear one.
    """
    head = model.get_output_embeddings()
    if type(head) not in (nn.Linear, ChunkedOutput):
        raise UserError(
            f"The base model {model.config.name_or_path or model.config.model_type} has no plain output layer",
            "Choose a base model with one (Llama, Qwen2/3, SmolLM2), not quantized there",
        )
    assert head is not None
    head.__class__ = ChunkedOutput


def _token_log_probabilities(logits: Tensor, targets: Tensor, temperature: float) -> Tensor:
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if temperature != 1:
        logits = logits / temperature
    return logits.gather(1, targets.unsqueeze(1)).squeeze(1) - logits.logsumexp(dim=1)
