"""Options scored by a server: it sends each prompt back with its tokens' log-probabilities."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

from trialign.echoing import continuations, echo_body, probe
from trialign.endpoint.client import Client
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.replies import Echo
from trialign.environment import option_actions, option_sizes, without_question
from trialign.errors import UserError
from trialign.models import FIXED_DAY, ChatRenderer, tokenizer_of_hub_or_folder, tokenizer_sha256
from trialign.scoring import Scoring, option_values
from trialign.weighing import Asked

log = logging.getLogger("trialign")


@dataclass(frozen=True)
class OptionScorer:
    """Scores options as the weights at hand would be: the same token ids, the same sums.

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
        return echo_body(self.model, [(*prompt, *action) for prompt, action in self._sent(asked)])

    def scores(self, asked: Asked, echoes: list[Echo]) -> tuple[float, ...]:
        """Log-probability of each option given the prompt, in nats; then, under ``pmi``, without the question.

        Raises:
            RefusedError: what came back is not what was sent.
        """
        return tuple(map(math.fsum, continuations(echoes, self._sent(asked))))

    def distribution(self, asked: Asked, scores: tuple[float, ...]) -> tuple[float, ...]:
        """S_g, aligned with the options."""
        actions = self._actions(asked)
        own, unasked = scores[: len(actions)], scores[len(actions) :]
        sizes = option_sizes(asked.query, self.scoring, actions)
        return self.scoring.distribution(option_values(own, sizes, unasked))

    def probe(self, client: Client) -> str | None:
        """Why this server cannot score options; None where it can."""
        return probe(client, self.model, self.renderer, "model.endpoint.tokenizer")

    def _sent(self, asked: Asked) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Each prompt and the option that follows it."""
        conversations = [asked.conversation]
        if self.scoring.kind == "pmi":
            conversations.append(without_question(asked.conversation, asked.query))
        actions = self._actions(asked)
        return [(self.renderer.render(one), action) for one in conversations for action in actions]

    def _actions(self, asked: Asked) -> tuple[tuple[int, ...], ...]:
        return option_actions(asked.query, self.scoring, self.renderer)


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
