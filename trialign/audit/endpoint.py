"""Agents behind an address: the profile and the question go as chat messages, and replies come back to be read.

Where the server can, options are scored instead (`trialign.audit.endpoint_options`).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trialign.audit.agents import Answer, Asked
from trialign.audit.endpoint_options import OptionScorer, option_scorer
from trialign.endpoint.answers import AnswerFile, request_key
from trialign.endpoint.client import Client, LostError, RefusedError, Reply
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.door import api_key, checked_url, knock
from trialign.endpoint.pace import in_parallel
from trialign.environment import Conversation, stable_seed
from trialign.errors import UnfinishedError, UserError
from trialign.models import ModelConfig
from trialign.queries.endings import Ending
from trialign.scoring import Scoring

log = logging.getLogger("trialign")
# What servers say of a reply that did not end by itself; the first of each is OpenAI's word.
_ENDINGS: dict[str, Ending] = {
    **dict.fromkeys(("length", "max_tokens", "model_length"), "cut_off"),
    **dict.fromkeys(("content_filter", "content_filtered", "safety"), "filtered"),
    **dict.fromkeys(("refusal",), "refused"),
}


@dataclass
class EndpointAgents:
    """One model behind an address, told a profile, as every group's agent.

    Attributes:
        length_key: by which the server is told ``max_new_tokens``.
        answers: replies that are kept.
        seed: of the run.
        scorer: of options; None: a reply to a choice is read like any other.
        cut_off: whether a reply has ended at ``max_new_tokens``.
    """

    client: Client
    model: str
    config: EndpointConfig
    length_key: str
    max_new_tokens: int
    answers: AnswerFile
    seed: int
    scorer: OptionScorer | None = None
    cut_off: bool = False

    @classmethod
    def at_the_door(
        cls, model: ModelConfig, answers: Path, max_new_tokens: int, seed: int, scoring: Scoring
    ) -> EndpointAgents:
        """Agents of a server that has answered once.

        Args:
            model: with the server's address.
            answers: folder of the replies that are kept, a file for each server and model.
            max_new_tokens: longest reply.
            seed: of the run.
            scoring: how options are scored where the server can.

        Raises:
            UserError: the address or the key is at fault, or the server does not answer, or not as this model.
        """
        if model.adapters is not None:
            raise UserError(
                "model.adapters are laid over weights on this machine, and model.source is endpoint",
                "Choose another model=..., or let the server serve them under names of their own",
            )
        url = checked_url(model.base_url)
        client = Client(url, api_key(model.endpoint.api_key_variable), model.endpoint)
        messages: Conversation = (("system", "You are a helpful assistant."), ("user", "Say hello."))
        body = _body(model.name, model.endpoint, messages, 0)
        length_key = knock(client, body, model.name, model.endpoint.api_key_variable)
        scorer = option_scorer(client, model.name, model.endpoint, scoring)
        place = hashlib.sha256(f"{url} {model.name}".encode()).hexdigest()[:16]
        file = AnswerFile(answers / f"{place}.jsonl")
        log.info("Answers are kept in %s: the same command goes on where it was cut off", file.path)
        return cls(client, model.name, model.endpoint, length_key, max_new_tokens, file, seed, scorer)

    def about(self) -> dict[str, Any]:
        """Who is asked and how, for the summary."""
        asked = {"temperature": self.config.temperature, "repeats": self.config.repeats}
        about = {"source": "endpoint", "name": self.model, "base_url": self.client.base_url, **asked}
        return {**about, "tokenizer_sha256": self.scorer.tokenizer_sha256} if self.scorer else about

    @property
    def scoring(self) -> Scoring | None:
        """How options are scored; None where replies are read."""
        return self.scorer.scoring if self.scorer else None

    @property
    def repeats(self) -> int:
        """How often every question is put in the same words."""
        return self.config.repeats

    def answer(self, asked: Sequence[Asked]) -> Iterator[Answer]:
        """A reply to each question, in the order asked; those that are kept are not asked for again.

        Raises:
            UserError: the server refuses a question.
            UnfinishedError: the server is gone.
        """
        replies = in_parallel(self._reply, asked, self.config.concurrent_requests)
        for one, reply in zip(asked, replies, strict=True):
            if self.scorer and one.query.options:
                probabilities = self.scorer.distribution(one, reply.scores)
                best = max(range(len(probabilities)), key=probabilities.__getitem__)
                yield Answer(one.query.options[best], probabilities)
                continue
            ending = _ending(reply)
            if ending == "cut_off" and not self.cut_off:
                log.warning(
                    "A reply was cut off at audit.max_new_tokens=%d; one that holds no answer by then counts as wrong",
                    self.max_new_tokens,
                )
            self.cut_off = self.cut_off or ending == "cut_off"
            yield Answer(reply.text, ending=ending)

    def _reply(self, asked: Asked) -> Reply:
        if self.scorer and asked.query.options:
            body, repeat = self.scorer.body(asked), 0  # asked again, it would say the same
            ask: Callable[[], Reply] = partial(self._scored, self.scorer, asked, body)
        else:
            body, repeat = self._chat_body(asked), asked.repeat
            ask = partial(self.client.chat, body)
        key = request_key(self.client.base_url, body, repeat)
        kept = self.answers.get(key)
        if kept is not None:
            return kept
        try:
            return self.answers.keep(key, body, ask())
        except RefusedError as error:
            raise UserError(
                f"The server refuses question '{asked.query.query_id}' of group '{asked.group.name}' ({error})",
                f"Change or leave out the question; the {len(self.answers)} answers in {self.answers.path} are kept",
            ) from error
        except LostError as error:
            raise UnfinishedError(
                f"The server at {self.client.base_url} gives no answer after {self.config.attempts} attempts ({error})",
                f"The {len(self.answers)} answers in {self.answers.path} are kept: start the server again and run the "
                "same command, which goes on from there",
            ) from error

    def _scored(self, scorer: OptionScorer, asked: Asked, body: Mapping[str, Any]) -> Reply:
        echoes = self.client.echo(body)
        return Reply("", "scored", echoes[0].model if echoes else "", scorer.scores(asked, echoes))

    def _chat_body(self, asked: Asked) -> dict[str, Any]:
        # Each question has a seed of its own: a common one would make different groups' samples alike by chance.
        place = (self.seed, asked.query.query_id, asked.group.name, asked.exposure, asked.wording, asked.repeat)
        seed = stable_seed(":".join(map(str, place))) % 2**31
        return {self.length_key: self.max_new_tokens} | _body(self.model, self.config, asked.conversation, seed)


def _ending(reply: Reply) -> Ending:
    return "refused" if reply.refused else _ENDINGS.get(reply.finish.casefold(), "whole")


def _body(model: str, config: EndpointConfig, conversation: Conversation, seed: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": role, "content": content} for role, content in conversation],
    }
    if config.temperature is not None:
        body["temperature"] = config.temperature
    if config.seed:
        body["seed"] = seed
    return {**body, **config.extra}
