"""Agents behind an address: the profile and the question go as chat messages, and replies come back to be read.

Where the server can, options are scored instead (`trialign.audit.asking.endpoint_options`), or replies are held to the
options (`trialign.audit.asking.endpoint_structured`).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from trialign.asking import Answer
from trialign.audit.asking.endpoint_options import OptionScorer, option_scorer
from trialign.audit.asking.endpoint_structured import Structure, held_texts, is_about_request, is_held, structure_of
from trialign.endpoint.answers import AnswerFile, request_key
from trialign.endpoint.client import Client, LostError, RefusedError
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.door import NEUTRAL, Agreed, api_key, check_header, checked_url, knock
from trialign.endpoint.failures import Failures
from trialign.endpoint.faults import at_the_door, on_the_way
from trialign.endpoint.pace import in_parallel
from trialign.endpoint.replies import CUT_OFF, FILTERED, REFUSED, Reply
from trialign.endpoint.spending import Spending, read_prices
from trialign.environment import Conversation, stable_seed
from trialign.errors import UserError
from trialign.models import FIXED_DAY, ModelConfig
from trialign.queries.statuses import UnreadStatus
from trialign.scoring import Scoring, likeliest
from trialign.weighing import Asked

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
        scorer: of options; None: none are scored.
        structure: how a reply to a choice is held to the options; None: it is read like any other.
        cut_off: whether a reply has ended at ``max_new_tokens``.
        failures: questions to which the server gives no reply.
        unheld: questions whose options the server did not take.
        spending: what is used, and how much may be.
        found: which agents the served ones were found to be; empty: nobody looked.
    """

    client: Client
    model: str
    config: EndpointConfig
    agreed: Agreed
    max_new_tokens: int
    answers: AnswerFile
    seed: int
    scorer: OptionScorer | None = None
    structure: Structure | None = None
    cut_off: bool = False
    failures: Failures = field(default_factory=Failures)
    unheld: set[str] = field(default_factory=set)
    spending: Spending = field(default_factory=Spending)
    found: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def at_the_door(
        cls,
        model: ModelConfig,
        answers: Path,
        max_new_tokens: int,
        seed: int,
        scoring: Scoring,
        *,
        choices: bool = True,
        date: str = FIXED_DAY,
    ) -> EndpointAgents:
        """Agents of a server that has answered once.

        Args:
            model: with the server's address.
            answers: folder of the replies that are kept, a file for each server and model.
            max_new_tokens: longest reply.
            seed: of the run.
            scoring: how options are scored where the server can.
            date: the day that a chat template writes in the prompts that are made here.
            choices: whether there are any.

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
        spending = spending_of(model)
        client = Client(url, api_key(model.endpoint.api_key_variable), model.endpoint)
        messages: Conversation = (("system", "You are a helpful assistant."), ("user", "Say hello."))
        body = _body(model.name, model.endpoint, messages, 0)
        # With the server's own temperature, all the rest of its sampling is its own too.
        sampling = {} if model.endpoint.temperature is None else NEUTRAL
        agreed = knock(client, body, model.name, model.endpoint.api_key_variable, sampling)
        for name in dict.fromkeys(model.endpoint.names.values()):
            knock(client, {**body, "model": name}, name, model.endpoint.api_key_variable, sampling, beside=model.name)
        scorer = option_scorer(client, model.name, model.endpoint, scoring, date)
        structure = None
        if choices and scorer is None and model.endpoint.structured == "auto":
            asked = {**agreed.sampling, **body}
            try:
                structure = structure_of(client, asked, agreed.length_key, max_new_tokens, model.endpoint.extra)
            except (LostError, RefusedError) as error:
                raise at_the_door(error, client, None, model.name, model.endpoint.api_key_variable) from error
        file = AnswerFile(answer_file(answers, url, model.name))
        log.info("Answers are kept in %s: the same command goes on where it was cut off", file.path)
        known = cls(client, model.name, model.endpoint, agreed, max_new_tokens, file, seed, scorer, structure)
        return replace(known, spending=spending)

    def about(self) -> dict[str, Any]:
        """Who is asked and how, for the summary."""
        sent = {**self.agreed.sampling, **self.config.extra}
        sampling = {key: sent[key] for key in self.agreed.sampling}
        asked = {"temperature": self.config.temperature, "repeats": self.config.repeats, "sampling": sampling}
        about = {"source": "endpoint", "name": self.model, "base_url": self.client.base_url, **asked}
        if self.config.names:
            about["names"] = dict(self.config.names)
        if self.found:
            about["canary"] = dict(self.found)
        if self.structure:
            about["structured"] = self.structure.form
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
        for one, (reply, held) in zip(asked, self._replies(asked), strict=True):
            self._say_cut_off(reply)
            yield self._answer(one, reply, held)

    def _replies(self, asked: Sequence[Asked]) -> Iterator[tuple[Reply, bool]]:
        """The replies in the order asked; the base model is not asked while adapters over it are.

        vLLM 0.32 on a CPU computes what it is asked of the base with an adapter's weights where both are in one batch.
        """
        of_base = [self._served(one) == self.model for one in asked]
        if all(of_base):
            yield from in_parallel(self._reply, asked, self.config.concurrent_requests)
            return
        found: dict[int, tuple[Reply, bool]] = {}
        for side in (True, False):
            places = [place for place, base in enumerate(of_base) if base is side]
            replies = in_parallel(self._reply, [asked[place] for place in places], self.config.concurrent_requests)
            found.update(zip(places, replies, strict=True))
        yield from (found[place] for place in range(len(asked)))

    def _answer(self, asked: Asked, reply: Reply, held: bool) -> Answer:
        if reply.finish in _UNREAD:
            return Answer(reply.text, unread=_UNREAD[reply.finish])
        options = asked.query.options
        if self.scorer and options:
            probabilities = self.scorer.distribution(asked, reply.scores)
            return Answer(options[likeliest(probabilities)], probabilities)
        place = self.structure.place(reply.text, held_texts(asked)) if self.structure and held else None
        if place is not None:
            return Answer(reply.text, held=options[place])
        return Answer(reply.text, cut_off=reply.finish == CUT_OFF)

    def _say_cut_off(self, reply: Reply) -> None:
        """Says the first time what is likely to be seen again."""
        if reply.finish == CUT_OFF and not self.cut_off:
            self.cut_off = True
            log.warning(
                "A reply was cut off at audit.max_new_tokens=%d; one that holds no answer by then counts as wrong",
                self.max_new_tokens,
            )

    def _reply(self, asked: Asked) -> tuple[Reply, bool]:
        """A reply, and whether the server was told to hold it to the options."""
        try:
            if self.scorer and asked.query.options:
                body = {**self.scorer.body(asked), "model": self._served(asked)}
                # Asked again, it would say the same.
                return self._kept(asked, body, 0, partial(self._scored, self.scorer, asked, body)), False
            body = self._chat_body(asked)
            held = self._held(asked, body) if self.structure and is_held(asked) else None
            if held is not None:
                return held, True
            return self._kept(asked, body, asked.repeat, partial(self.client.chat, body)), False
        except (RefusedError, LostError) as error:
            return self._failed(asked, error), False

    def _held(self, asked: Asked, body: Mapping[str, Any]) -> Reply | None:
        """A reply that is held to the options; None where the server does not take these options."""
        assert self.structure is not None
        body = {**body, **self.structure.keys(held_texts(asked))}
        try:
            return self._kept(asked, body, asked.repeat, partial(self.client.chat, body))
        except (RefusedError, LostError) as error:
            if not is_about_request(error):
                raise
            if asked.query.query_id not in self.unheld:
                self.unheld.add(asked.query.query_id)
                log.warning(
                    "The server does not hold the reply to question '%s' to its options, and it is read: %s",
                    asked.query.query_id,
                    error,
                )
            return None

    def _kept(self, asked: Asked, body: Mapping[str, Any], repeat: int, ask: Callable[[], Reply]) -> Reply:
        """The reply that is kept of a request, else the one that it brings."""
        key = request_key(self.client.base_url, {**body, **self._adapter(asked)}, repeat)
        reply = self.answers.get(key)
        if reply is None:
            self.spending.check(str(self.answers.path))
            reply = self.answers.keep(key, body, ask())
            self.spending.asked(reply)
        else:
            self.spending.found()
        self.failures.answered(asked.query.query_id)
        return reply

    def _failed(self, asked: Asked, error: RefusedError | LostError) -> Reply:
        """What stands for a reply that did not come; it is kept nowhere, so the next audit asks again."""
        said = f"question '{asked.query.query_id}' of group '{asked.group.name}'"
        kept = f"the {len(self.answers)} answers in {self.answers.path}"
        given_up = None
        if asked.follow_up and is_about_request(error):
            return Reply("", FAILED, "")  # the question itself was answered
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
        model, used = (echoes[0].model, echoes[0].used) if echoes else ("", (None, None))
        return Reply("", "scored", model, scorer.scores(asked, echoes), *used)

    def _chat_body(self, asked: Asked) -> dict[str, Any]:
        # Each question has a seed of its own: a common one would make different groups' samples alike by chance.
        place = (self.seed, asked.query.query_id, asked.group.name, asked.exposure, asked.wording, asked.repeat)
        seed = stable_seed(":".join(map(str, place))) % 2**31
        said = {self.agreed.length_key: self.max_new_tokens, **self.agreed.sampling}
        return said | _body(self._served(asked), self.config, asked.conversation, seed)

    def _adapter(self, asked: Asked) -> Mapping[str, str]:
        """Which agent a served one was found to be: what another said under its name is not what this one says."""
        adapters: Mapping[str, str] = self.found.get("adapters", {})
        return {"adapter_sha256": adapters[asked.group.name]} if asked.group.name in adapters else {}

    def _served(self, asked: Asked) -> str:
        """The name under which the agent that is asked is served."""
        return self.config.names.get(asked.group.name, self.model)


def answer_file(folder: Path, url: str, model: str) -> Path:
    """Where the answers of one server and model are kept."""
    return folder / f"{hashlib.sha256(f'{url} {model}'.encode()).hexdigest()[:16]}.jsonl"


def check_names(names: Mapping[str, str], members: Sequence[str]) -> None:
    """Refuses a served name for a group that there is not.

    Raises:
        UserError: names it.
    """
    for group, name in names.items():
        if group not in members:
            raise UserError(
                f"model.endpoint.names names '{group}', which is no member of the groups ({', '.join(members)})",
                "Name members alone; the control is answered by model.name",
            )
        if not name.strip():
            raise UserError(
                f"model.endpoint.names serves '{group}' under an empty name", "Write the server's name of it"
            )


def spending_of(model: ModelConfig) -> Spending:
    """What one command may use, by the configuration.

    Raises:
        UserError: the prices cannot be read, or a cost is limited without them.
    """
    config = model.endpoint
    if config.most_cost is not None and config.prices is None:
        raise UserError(
            "model.endpoint.most_cost limits a cost, and no prices are known", "Name a file: model.endpoint.prices=..."
        )
    prices = None if config.prices is None else read_prices(Path(config.prices), model.name)
    return Spending(config.most_tokens, config.most_cost, prices)


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
