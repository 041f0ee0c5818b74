"""Agents behind an address: the profile and the question go as chat messages, and replies come back to be read."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trialign.audit.agents import Answer, Asked
from trialign.endpoint.answers import AnswerFile, request_key
from trialign.endpoint.client import Client, LostError, RefusedError, Reply
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.door import api_key, checked_url, knock
from trialign.endpoint.pace import in_parallel
from trialign.environment import Conversation, stable_seed
from trialign.errors import UnfinishedError, UserError
from trialign.models import ModelConfig

log = logging.getLogger("trialign")
CUT_OFF = "length"


@dataclass
class EndpointAgents:
    """One model behind an address, told a profile, as every group's agent.

    Attributes:
        length_key: by which the server is told ``max_new_tokens``.
        answers: replies that are kept.
        seed: of the run.
        cut_off: whether a reply has ended at ``max_new_tokens``.
    """

    client: Client
    model: str
    config: EndpointConfig
    length_key: str
    max_new_tokens: int
    answers: AnswerFile
    seed: int
    cut_off: bool = False
    scoring: str = "sampled"

    @classmethod
    def at_the_door(cls, model: ModelConfig, answers: Path, max_new_tokens: int, seed: int) -> EndpointAgents:
        """Agents of a server that has answered once.

        Args:
            model: with the server's address.
            answers: folder of the replies that are kept, a file for each server and model.
            max_new_tokens: longest reply.
            seed: of the run.

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
        place = hashlib.sha256(f"{url} {model.name}".encode()).hexdigest()[:16]
        file = AnswerFile(answers / f"{place}.jsonl")
        log.info("Answers are kept in %s: the same command goes on where it was cut off", file.path)
        return cls(client, model.name, model.endpoint, length_key, max_new_tokens, file, seed)

    def about(self) -> dict[str, Any]:
        """Who is asked and how, for the summary."""
        asked = {"temperature": self.config.temperature, "repeats": self.config.repeats}
        return {"source": "endpoint", "name": self.model, "base_url": self.client.base_url, **asked}

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
        for reply in in_parallel(self._reply, asked, self.config.concurrent_requests):
            if reply.finish == CUT_OFF and not self.cut_off:
                log.warning(
                    "A reply was cut off at audit.max_new_tokens=%d; one that holds no answer by then counts as wrong",
                    self.max_new_tokens,
                )
            self.cut_off = self.cut_off or reply.finish == CUT_OFF
            yield Answer(reply.text)

    def _reply(self, asked: Asked) -> Reply:
        # Each question has a seed of its own: a common one would make different groups' samples alike by chance.
        place = (self.seed, asked.query.query_id, asked.group.name, asked.exposure, asked.wording, asked.repeat)
        seed = stable_seed(":".join(map(str, place))) % 2**31
        length = {self.length_key: self.max_new_tokens}
        body = length | _body(self.model, self.config, asked.conversation, seed)
        key = request_key(self.client.base_url, body, asked.repeat)
        kept = self.answers.get(key)
        if kept is not None:
            return kept
        try:
            return self.answers.keep(key, body, self.client.chat(body))
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
