"""Prompts that a server sends back with their tokens' log-probabilities: scores of a model whose weights are not here.

The prompts go to ``/completions`` as token ids with ``echo`` and ``logprobs``; lm-evaluation-harness asks servers in
the same way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from trialign.endpoint.client import Client, LostError, RefusedError
from trialign.endpoint.replies import Echo
from trialign.environment import Conversation
from trialign.models import ChatRenderer

_PROBE: Conversation = (("system", "You are a helpful assistant."), ("user", "Say hello."))
_PROBED_WORDS, _PROBED_REPLY = "Sayhello.", "Hello."


def echo_body(model: str, prompts: Sequence[Sequence[int]]) -> dict[str, Any]:
    """A request for prompts, as token ids, with their tokens' log-probabilities."""
    # One token is generated and left aside: not every server takes max_tokens=0.
    sent = {"prompt": [list(prompt) for prompt in prompts], "echo": True, "logprobs": 1, "max_tokens": 1}
    return {"model": model, "temperature": 0.0, **sent}


def continuations(
    echoes: Sequence[Echo], sent: Sequence[tuple[Sequence[int], Sequence[int]]]
) -> list[tuple[float, ...]]:
    """What each prompt's continuation was worth: the log-probabilities of its tokens, in nats.

    Args:
        echoes: of one request.
        sent: prompts, each with the continuation that was sent behind it.

    Raises:
        RefusedError: what came back is not what was sent.
    """
    if len(echoes) != len(sent):
        raise RefusedError(200, f"{len(echoes)} prompts came back of {len(sent)}")
    return [
        values_of(echo, len(prompt), len(prompt) + len(action))
        for echo, (prompt, action) in zip(echoes, sent, strict=True)
    ]


def values_of(echo: Echo, begin: int, end: int) -> tuple[float, ...]:
    """The log-probabilities of a prompt's tokens from ``begin`` to before ``end``, in nats.

    Raises:
        RefusedError: they are not all there.
    """
    values = tuple(v for v in echo.log_probabilities[begin:end] if v is not None and math.isfinite(v) and v <= 0)
    if len(values) < end - begin:
        raise RefusedError(200, "the prompt's log-probabilities are not all there")
    return values


def probe(client: Client, model: str, renderer: ChatRenderer, tokenizer: str) -> str | None:
    """Why a server cannot score what follows a prompt; None where it can.

    Args:
        client: of the server.
        model: as the server calls it.
        renderer: of the served model's tokenizer.
        tokenizer: the key that names it.
    """
    sent = [(renderer.render(_PROBE), renderer.reply(_PROBED_REPLY))]
    try:
        echoes = client.echo(echo_body(model, [(*prompt, *reply) for prompt, reply in sent]), attempts=2)
        continuations(echoes, sent)
    except (RefusedError, LostError) as error:
        return str(error)
    if _PROBED_WORDS not in "".join("".join(echoes[0].tokens).split()):
        return f"it reads other words out of the tokens of {tokenizer}"
    return None
