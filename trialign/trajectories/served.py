"""Replies for a collection from a server of the base model, such as vLLM: the OpenAI protocol's text completions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from trialign.endpoint.client import Client, Completion, LostError, RefusedError
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.door import api_key, checked_url
from trialign.endpoint.pace import in_parallel
from trialign.errors import UnfinishedError, UserError
from trialign.models import ChatRenderer
from trialign.policy.group_policy import Sampling


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
    """

    engine: Literal["transformers", "server"] = "transformers"
    base_url: str | None = None
    model: str | None = None
    token_ids: bool = True
    api_key_variable: str | None = None
    concurrent_requests: int = 32
    attempts: int = 6
    timeout: float = 120.0


@dataclass(frozen=True)
class ServedReplies:
    """The base model behind an address. It is told the groups' profiles in the prompts, as the behaviour policy is.

    Attributes:
        model: as the server calls it.
        token_ids: see `RolloutConfig`.
        at_once: requests on their way at a time.
    """

    client: Client
    model: str
    renderer: ChatRenderer
    token_ids: bool
    at_once: int

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
        return cls(client, config.model or name, renderer, config.token_ids, config.concurrent_requests)

    def generate(self, prompts: Sequence[Sequence[int]], sampling: Sampling, *, samples: int) -> list[tuple[int, ...]]:
        """Replies as ``GroupPolicy.generate`` gives them: ``samples`` to the first prompt, then to the second, ...

        Each is a request of its own, with a seed of its own.

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
            return [self._ids(one) for one in in_parallel(self.client.complete, asked, self.at_once)]
        except RefusedError as error:
            raise UserError(
                f"The server at {self.client.base_url} refuses to write a reply as the model '{self.model}' ({error})",
                "Set rollouts.model to a model that it offers; with rollouts.token_ids=false it gets and gives text",
            ) from error
        except LostError as error:
            raise UnfinishedError(
                f"The server at {self.client.base_url} gives no reply ({error})",
                "Start it again and run the same command: what was collected is kept",
            ) from error

    def _body(self, prompt: Sequence[int], sampling: Sampling, seed: int) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "prompt": list(prompt) if self.token_ids else self._text(prompt),
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": 1.0,
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

    def _ids(self, completion: Completion) -> tuple[int, ...]:
        end, ends = self.renderer.end_id, self.renderer.end_ids
        if not self.token_ids:
            ids = self.renderer.encode(completion.text)
        elif completion.token_ids is None:
            raise RefusedError(200, "the reply came back without token_ids")
        else:
            ids = completion.token_ids
        ended = completion.finish == "stop" and not (ids and ids[-1] in ends)
        # A reply always has an action to score, if only the end.
        return (*ids, end) if ended or not ids else ids
