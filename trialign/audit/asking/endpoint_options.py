"""Options scored by a server: it sends each prompt back with its tokens' log-probabilities."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trialign.asking import Asked
from trialign.endpoint.client import Client, LostError, RefusedError
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.replies import Echo
from trialign.environment import Conversation, option_actions, option_sizes, without_question
from trialign.errors import UserError
from trialign.models import FIXED_DAY, ChatRenderer, tokenizer_of_hub_or_folder, tokenizer_sha256
from trialign.scoring import Scoring, option_values

log = logging.getLogger("trialign")
_PROBE: Conversation = (("system", "You are a helpful assistant."), ("user", "Say hello."))
_PROBED_WORDS, _PROBED_REPLY = "Sayhello.", "Hello."


@dataclass(frozen=True)
class OptionScorer:
    """Scores options as the weights at hand would be: the same token ids, the same sums.

    The prompts go to ``/completions`` as token ids with ``echo`` and ``logprobs``; lm-evaluation-harness asks servers
    in the same way.

    Attributes:
        model: as the server calls it.
        renderer: of the served model's tokenizer.
        scoring: how options become a distribution.
    """

    model: str
    renderer: ChatRenderer
    scoring: Scoring

    @property
    def tokenizer_sha256(self) -> str:
        """Hash of the vocabulary and the chat template with which prompts are made."""
        return tokenizer_sha256(self.renderer.tokenizer)

    def body(self, asked: Asked) -> dict[str, Any]:
        """The request: a prompt for each option, which it ends with; under ``pmi`` those without the question too."""
        return self._body([(*prompt, *action) for prompt, action in self._sent(asked)])

    def scores(self, asked: Asked, echoes: list[Echo]) -> tuple[float, ...]:
        """Log-probability of each option given the prompt, in nats; then, under ``pmi``, without the question.

        Raises:
            RefusedError: what came back is not what was sent.
        """
        sent = self._sent(asked)
        if len(echoes) != len(sent):
            raise RefusedError(200, f"{len(echoes)} prompts came back of {len(sent)}")
        return tuple(
            _score(echo, len(prompt), len(prompt) + len(action))
            for echo, (prompt, action) in zip(echoes, sent, strict=True)
        )

    def distribution(self, asked: Asked, scores: tuple[float, ...]) -> tuple[float, ...]:
        """S_g, aligned with the options."""
        actions = self._actions(asked)
        own, unasked = scores[: len(actions)], scores[len(actions) :]
        sizes = option_sizes(asked.query, self.scoring, actions)
        return self.scoring.distribution(option_values(own, sizes, unasked))

    def probe(self, client: Client) -> str | None:
        """Why this server cannot score options; None where it can."""
        prompt, reply = self.renderer.render(_PROBE), self.renderer.reply(_PROBED_REPLY)
        try:
            echoes = client.echo(self._body([(*prompt, *reply)]), attempts=2)
            for echo in echoes:
                _score(echo, len(prompt), len(prompt) + len(reply))
                if _PROBED_WORDS not in "".join("".join(echo.tokens).split()):
                    return "it reads other words out of the tokens of model.endpoint.tokenizer"
        except (RefusedError, LostError) as error:
            return str(error)
        return None if len(echoes) == 1 else f"{len(echoes)} prompts came back of 1"

    def _sent(self, asked: Asked) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Each prompt and the option that follows it."""
        conversations = [asked.conversation]
        if self.scoring.kind == "pmi":
            conversations.append(without_question(asked.conversation, asked.query))
        actions = self._actions(asked)
        return [(self.renderer.render(one), action) for one in conversations for action in actions]

    def _actions(self, asked: Asked) -> tuple[tuple[int, ...], ...]:
        return option_actions(asked.query, self.scoring, self.renderer)

    def _body(self, prompts: list[tuple[int, ...]]) -> dict[str, Any]:
        return echo_body(self.model, prompts)


def option_scorer(
    client: Client, model: str, config: EndpointConfig, scoring: Scoring, date: str = FIXED_DAY
) -> OptionScorer | None:
    """Who scores the options of an audit; None: nobody, and replies are read.

    Raises:
        UserError: options must be scored, and the server does not offer it, or no tokenizer is named.
    """
    if config.choices == "sampled":
        return None
    if config.tokenizer is None:
        fault = "model.endpoint.tokenizer names no tokenizer, without which no prompt can be made here"
        remedy = "Set it to the hub id or the folder of the served model"
    else:
        renderer = ChatRenderer(tokenizer_of_hub_or_folder(config.tokenizer), date=date)
        scorer = OptionScorer(model, renderer, scoring)
        reason = scorer.probe(client)
        if reason is None:
            log.info("Choices are scored by the log-probabilities that the server gives")
            for sentence in renderer.remarks():
                log.info("%s", sentence)
            return scorer
        fault = f"The server at {client.base_url} gives no log-probabilities of a prompt's tokens ({reason})"
        remedy = "Serve the model with vLLM"
    if config.choices == "logprobs":
        raise UserError(fault, f"{remedy}, or set model.endpoint.choices=sampled")
    log.info("Choices are answered in words, and the replies read: %s", fault)
    return None


def echo_body(model: str, prompts: Sequence[Sequence[int]]) -> dict[str, Any]:
    """A request for prompts, as token ids, with their tokens' log-probabilities."""
    # One token is generated and left aside: not every server takes max_tokens=0.
    sent = {"prompt": [list(prompt) for prompt in prompts], "echo": True, "logprobs": 1, "max_tokens": 1}
    return {"model": model, "temperature": 0.0, **sent}


def values_of(echo: Echo, begin: int, end: int) -> list[float]:
    """The log-probabilities of a prompt's tokens from ``begin`` to before ``end``, in nats.

    Raises:
        RefusedError: they are not all there.
    """
    values = [v for v in echo.log_probabilities[begin:end] if v is not None and math.isfinite(v) and v <= 0]
    if len(values) < end - begin:
        raise RefusedError(200, "the prompt's log-probabilities are not all there")
    return values


def _score(echo: Echo, begin: int, end: int) -> float:
    return math.fsum(values_of(echo, begin, end))
