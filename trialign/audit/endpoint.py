"""Agents behind an address: the profile and the question go as chat messages, and replies come back to be read.

Where the server can, options are scored instead (`trialign.audit.endpoint_options`).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from trialign.audit.agents import Answer, Asked
from trialign.audit.endpoint_options import OptionScorer, option_scorer
from trialign.endpoint.answers import AnswerFile, request_key
from trialign.endpoint.client import Client, LostError, RefusedError
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.door import NEUTRAL, Agreed, api_key, check_header, checked_url, knock
from trialign.endpoint.failures import Failures
from trialign.endpoint.faults import on_the_way
from trialign.endpoint.pace import in_parallel
from trialign.endpoint.replies import CUT_OFF, FILTERED, REFUSED, Reply
from trialign.environment import Conversation, stable_seed
from trialign.errors import UserError
from trialign.models import ModelConfig
from trialign.queries.statuses import UnreadStatus
from trialign.scoring import Scoring

log = logging.getLogger("trialign")
FAILED = "failed"
_UNREAD: Mapping[str, UnreadStatus] = {FILTERED: "filtered", REFUSED: "refused", FAILED: "failed"}


@dataclass
class EndpointAgents:
    """One model behind an address, told a profile, as every group's agent.

    Attributes:
        agreed: how the server is told ``max_new_tokens``, and how to sample.
        answers: replies that are kept.
        seed: of the run.
        scorer: of options; None: a reply to a choice is read like any other.
        cut_off: whether a reply has ended at ``max_new_tokens``.
        failures: questions to which the server gives no reply.
    """

    client: Client
    model: str
    config: EndpointConfig
    agreed: Agreed
    max_new_tokens: int
    answers: AnswerFile
    seed: int
    scorer: OptionScorer | None = None
    cut_off: bool = False
    failures: Failures = field(default_factory=Failures)

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
        check_header(model.endpoint.api_key_header)
        client = Client(url, api_key(model.endpoint.api_key_variable), model.endpoint)
        messages: Conversation = (("system", "You are a helpful assistant."), ("user", "Say hello."))
        body = _body(model.name, model.endpoint, messages, 0)
        # With the server's own temperature, all the rest of its sampling is its own too.
        sampling = {} if model.endpoint.temperature is None else NEUTRAL
        agreed = knock(client, body, model.name, model.endpoint.api_key_variable, sampling)
        scorer = option_scorer(client, model.name, model.endpoint, scoring)
        place = hashlib.sha256(f"{url} {model.name}".encode()).hexdigest()[:16]
        file = AnswerFile(answers / f"{place}.jsonl")
        log.info("Answers are kept in %s: the same command goes on where it was cut off", file.path)
        return cls(client, model.name, model.endpoint, agreed, max_new_tokens, file, seed, scorer)

    def about(self) -> dict[str, Any]:
        """Who is asked and how, for the summary."""
        sent = {**self.agreed.sampling, **self.config.extra}
        sampling = {key: sent[key] for key in self.agreed.sampling}
        asked = {"temperature": self.config.temperature, "repeats": self.config.repeats, "sampling": sampling}
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
            if reply.finish in _UNREAD:
                yield Answer(reply.text, unread=_UNREAD[reply.finish])
                continue
            if self.scorer and one.query.options:
                probabilities = self.scorer.distribution(one, reply.scores)
                best = max(range(len(probabilities)), key=probabilities.__getitem__)
                yield Answer(one.query.options[best], probabilities)
                continue
            cut_off = reply.finish == CUT_OFF
            if cut_off and not self.cut_off:
                log.warning(
                    "A reply was cut off at audit.max_new_tokens=%d; one that holds no answer by then counts as wrong",
                    self.max_new_tokens,
                )
            self.cut_off = self.cut_off or cut_off
            yield Answer(reply.text, cut_off=cut_off)

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
            self.failures.answered(asked.query.query_id)
            return kept
        try:
            reply = self.answers.keep(key, body, ask())
            self.failures.answered(asked.query.query_id)
            return reply
        except (RefusedError, LostError) as error:
            return self._failed(asked, error)

    def _failed(self, asked: Asked, error: RefusedError | LostError) -> Reply:
        """What stands for a reply that did not come; it is kept nowhere, so the next audit asks again."""
        said = f"question '{asked.query.query_id}' of group '{asked.group.name}'"
        kept = f"the {len(self.answers)} answers in {self.answers.path}"
        given_up = None
        if error.at_question:
            given_up = self.failures.failed(asked.query.query_id)
            if given_up is None:
                log.warning("No reply to %s, which counts as failed: %s", said, error)
                return Reply("", FAILED, "")
        raise on_the_way(error, self.client, said, kept, self.config.api_key_variable, given_up) from error

    def _scored(self, scorer: OptionScorer, asked: Asked, body: Mapping[str, Any]) -> Reply:
        try:
            echoes = self.client.echo(body)
        except RefusedError as error:
            if error.matter != "filter":
                raise
            return Reply("", FILTERED, "")
        return Reply("", "scored", echoes[0].model if echoes else "", scorer.scores(asked, echoes))

    def _chat_body(self, asked: Asked) -> dict[str, Any]:
        # Each question has a seed of its own: a common one would make different groups' samples alike by chance.
        place = (self.seed, asked.query.query_id, asked.group.name, asked.exposure, asked.wording, asked.repeat)
        seed = stable_seed(":".join(map(str, place))) % 2**31
        said = {self.agreed.length_key: self.max_new_tokens, **self.agreed.sampling}
        return said | _body(self.model, self.config, asked.conversation, seed)


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
