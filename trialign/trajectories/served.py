"""Replies for a collection from a server of the base model, such as vLLM: the OpenAI protocol's text completions."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field

from trialign.echoing import continuations, echo_body, probe
from trialign.endpoint.client import Client, LostError, RefusedError
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.door import NEUTRAL, agree, api_key, checked_url
from trialign.endpoint.faults import of_lost
from trialign.endpoint.pace import in_parallel
from trialign.endpoint.replies import Completion
from trialign.errors import UnfinishedError, UserError
from trialign.models import ChatRenderer
from trialign.policy.group_policy import GroupPolicy, Sampling
from trialign.policy.next_tokens import reply_logits
from trialign.trajectories.faithful import COLDEST, Faithful, Written

CHECKED = 16  # observations of a turn whose replies are held against the policy
log = logging.getLogger("trialign")


@dataclass(frozen=True)
class RolloutConfig:
    """Who writes the replies of a collection whose answers cannot be enumerated.

    Attributes:
        engine: ``transformers``, in this process, or ``server``, behind an address.
        base_url: of the server, before ``/completions``.
        model: as the server calls the base model; None: by the base model's name.
        token_ids: prompts and replies go as token ids, as vLLM takes and gives them; otherwise as text, for servers
            that know no other way.
        api_key_variable: name of the environment variable that holds the key; None: none is sent.
        concurrent_requests: on their way at a time.
        attempts: sendings of one request before the server is given up.
        timeout: seconds without a sign of life before a sending is given up.
        tolerance: how far the log-probabilities that the server reports may be from the base model's here, in nats a
            token, on average.
        scores: who scores options and replies: the base model ``here``, or the ``server``, and no weights are loaded.
    """

    engine: Literal["transformers", "server"] = "transformers"
    base_url: str | None = None
    model: str | None = None
    token_ids: bool = True
    api_key_variable: str | None = None
    concurrent_requests: Annotated[int, Field(ge=1, le=1000)] = 32
    attempts: Annotated[int, Field(ge=1, le=100)] = 6
    timeout: Annotated[float, Field(ge=0.1, le=1e5)] = 120.0
    tolerance: Annotated[float, Field(ge=1e-4, le=1e3)] = 0.1
    scores: Literal["here", "server"] = "here"


@dataclass
class ServedReplies:
    """The base model behind an address. It is told the groups' profiles in the prompts, as the behaviour policy is.

    Attributes:
        model: as the server calls it.
        token_ids: see `RolloutConfig`.
        at_once: requests on their way at a time.
        tolerance: see `RolloutConfig`.
        key_variable: where the key comes from; None: there is none.
        sent: the neutral values that it takes; None until it was asked for the first time.
        scores: whether it was found to give log-probabilities of prompts.
    """

    client: Client
    model: str
    renderer: ChatRenderer
    token_ids: bool
    at_once: int
    tolerance: float = 0.1
    key_variable: str | None = None
    sent: Mapping[str, float] | None = None
    scores: bool = False
    _faithful: Faithful | None = None

    @classmethod
    def at(cls, config: RolloutConfig, name: str, renderer: ChatRenderer) -> ServedReplies:
        """A server by its configuration.

        Args:
            config: with the server's address.
            name: of the base model.
            renderer: of the base model.

        Raises:
            UserError: the address or the key is at fault.
        """
        url = checked_url(config.base_url, "rollouts.base_url")
        endpoint = EndpointConfig(
            concurrent_requests=config.concurrent_requests, attempts=config.attempts, timeout=config.timeout
        )
        client = Client(url, api_key(config.api_key_variable, "rollouts.api_key_variable"), endpoint)
        own = (config.tolerance, config.api_key_variable)
        return cls(client, config.model or name, renderer, config.token_ids, config.concurrent_requests, *own)

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling, *, samples: int) -> list[Written]:
        """Replies in the order of ``GroupPolicy.generate``: ``samples`` to the first prompt, then to the second, ...

        Each is a request of its own, with a seed of its own. The first time, the server is asked which of the keys
        that a model's generation_config.json may set it takes; with their neutral values, it samples the model.

        Raises:
            UserError: the server refuses a request, or a prompt cannot be sent as text without becoming another one.
            UnfinishedError: the server is gone.
        """
        asked = [
            self._body(prompt, sampling, (sampling.seed + place * samples + sample) % 2**31)
            for place, prompt in enumerate(prompts)
            for sample in range(samples)
        ]
        try:
            if self.sent is None:
                self.sent = self._find_out(asked[0])
            bodies = [{**self.sent, **body} for body in asked]
            return [self._written(one) for one in in_parallel(self.client.complete, bodies, self.at_once)]
        except RefusedError as error:
            raise self._refused(error) from error
        except LostError as error:
            raise self._lost(error) from error

    def check(
        self, policy: GroupPolicy, sampling: Sampling, answered: Sequence[tuple[Sequence[int], Sequence[Written]]]
    ) -> None:
        """Holds some replies against the policy that is scored, and those that were seen before with them.

        Args:
            policy: whose base weights score the replies.
            sampling: as the replies were asked for.
            answered: prompts with all of their samples.

        Raises:
            UserError: the server samples another policy.
        """
        if sampling.temperature < COLDEST:
            return
        self._faithful = self._faithful or Faithful(sampling.temperature, self.tolerance)
        for place in range(0, len(answered), max(1, -(-len(answered) // CHECKED))):
            prompt, samples = answered[place]
            self._faithful.see(reply_logits(policy, prompt, samples[0].ids), prompt, samples)
        self._stop_unfaithful("the policy that is scored here")

    def check_own(self, answered: Sequence[tuple[Sequence[int], Sequence[Written]]]) -> None:
        """Holds some replies at temperature 1 against the scores that the server gives, which are all there is to know.

        Args:
            answered: prompts with all of their samples.

        Raises:
            UserError: the server samples another policy than it scores.
        """
        self._faithful = self._faithful or Faithful(1.0, self.tolerance, "those that it gives them in a prompt")
        some = answered[:: max(1, -(-len(answered) // CHECKED))]
        scored = self._echoed([(prompt, [samples[0].ids]) for prompt, samples in some])
        for (_, samples), (values,) in zip(some, scored, strict=True):
            self._faithful.see_scored(torch.tensor(values, dtype=torch.float64), samples)
        self._stop_unfaithful("the policy that it scores")

    def _stop_unfaithful(self, policy: str) -> None:
        if self._faithful and self._faithful.fault:
            raise UserError(
                f"The server at {self.client.base_url} does not sample {policy}: {self._faithful.fault}",
                "Serve the same weights without sampling defaults of their own (vLLM: --generation-config vllm), and "
                "collect anew: delete what was collected from it under .trajectories in the folder of runs",
            )

    def score(self, asked: Sequence[tuple[Sequence[int], Sequence[Sequence[int]]]]) -> list[tuple[float, ...]]:
        """Log-probabilities of what may follow prompts, in nats, under the served model at temperature 1.

        Args:
            asked: token ids of prompts, each with those of everything that may follow it.

        Raises:
            UserError: the server does not offer this, or refuses a prompt.
            UnfinishedError: the server is gone.
        """
        return [tuple(map(math.fsum, values)) for values in self._echoed(asked)]

    def _echoed(self, asked: Sequence[tuple[Sequence[int], Sequence[Sequence[int]]]]) -> list[list[tuple[float, ...]]]:
        """The same for each token; a prompt is a request, with all that follows it."""
        if not self.scores and any(follows for _, follows in asked):
            fault = probe(self.client, self.model, self.renderer, "the base model")
            if fault:
                raise self._unscored(fault)
            self.scores = True

        def ask(one: tuple[Sequence[int], Sequence[Sequence[int]]]) -> list[tuple[float, ...]]:
            prompt, follows = one
            if not follows:
                return []
            echoes = self.client.echo(echo_body(self.model, [(*prompt, *ids) for ids in follows]))
            return continuations(echoes, [(prompt, ids) for ids in follows])

        try:
            return list(in_parallel(ask, asked, self.at_once))
        except RefusedError as error:
            raise self._refused(error) if error.matter != "other" else self._unscored(str(error)) from error
        except LostError as error:
            raise self._lost(error) from error

    def _unscored(self, fault: str) -> UserError:
        return UserError(
            f"The server at {self.client.base_url} gives no log-probabilities of prompts as the model '{self.model}' "
            f"({fault})",
            "Serve the base model with vLLM and name it in rollouts.model, or set rollouts.scores=here",
        )

    def _lost(self, error: LostError) -> UnfinishedError:
        return UnfinishedError(
            f"The server at {self.client.base_url} gives no reply ({error})",
            f"{of_lost(error, self.client, 'rollouts')}; then run the same command: what was collected is kept",
        )

    def _find_out(self, body: Mapping[str, Any]) -> Mapping[str, float]:
        """The keys that the server takes, of those that make it sample the model and tell how likely that was."""
        keys = {**NEUTRAL, "logprobs": 1} if self.token_ids else NEUTRAL
        _, agreed = agree(lambda sent, attempts: self.client.complete({**body, **sent}, attempts), keys)
        left_out = ", ".join(key for key in keys if key not in agreed.sampling)
        if left_out:
            log.info("The server takes no %s: replies are sampled without", left_out)
        return agreed.sampling

    def _refused(self, error: RefusedError) -> UserError:
        remedy = "Set rollouts.model to a model that it offers; with rollouts.token_ids=false it gets and gives text"
        if error.matter == "access":
            key = self.key_variable
            remedy = (
                f"Check the key in the environment variable {key}"
                if key
                else "Name its key in rollouts.api_key_variable"
            )
        elif error.matter == "quota":
            remedy = "Raise the quota; what was collected is kept"
        elif error.matter == "length":
            remedy = (
                "Serve the model with its whole context (vLLM: --max-model-len), or set collect.max_new_tokens lower"
            )
        fault = f"The server at {self.client.base_url} refuses to write a reply as the model '{self.model}' ({error})"
        return UserError(fault, remedy)

    def _body(self, prompt: Sequence[int], sampling: Sampling, seed: int) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "prompt": list(prompt) if self.token_ids else self._text(prompt),
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "seed": seed,
        }
        return {**body, "return_token_ids": True} if self.token_ids else body

    def _text(self, prompt: Sequence[int]) -> str:
        """The prompt as text that is tokenized to the same ids, control tokens included."""
        tokenizer = self.renderer.tokenizer
        text = str(tokenizer.decode(list(prompt), skip_special_tokens=False))
        if tuple(tokenizer.encode(text, add_special_tokens=False)) != tuple(prompt):
            raise UserError(
                f"A prompt cannot be sent as text without becoming another one: {text[-80:]!r}",
                "Set rollouts.engine=transformers, or rollouts.token_ids=true with a server that takes ids (vLLM)",
            )
        return text

    def _written(self, completion: Completion) -> Written:
        end, told = self.renderer.end_id, None
        if not self.token_ids:
            ids = self.renderer.encode(completion.text)
        elif completion.token_ids is None:
            raise RefusedError(200, "the reply came back without token_ids")
        elif not all(0 <= token < len(self.renderer.tokenizer) for token in completion.token_ids):
            raise RefusedError(200, "the reply has token_ids that the base model's tokenizer does not know")
        else:
            ids, told = completion.token_ids, completion.log_probabilities
        ended = completion.finish == "stop" and not self.renderer.ended(ids)
        # A reply always has an action to score, if only the end.
        return Written((*ids, end) if ended or not ids else ids, told if told and len(told) == len(ids) else None)
