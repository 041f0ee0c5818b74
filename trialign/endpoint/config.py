"""How a model behind an address is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field


@dataclass(frozen=True)
class EndpointConfig:
    """Requests to an OpenAI-compatible server.

    Attributes:
        choices: how a choice among options is answered: ``logprobs`` (the options are scored by the log-probabilities
            that the server gives for a prompt that it sends back), ``sampled`` (a reply is read), ``auto`` (the first
            where the server offers it and a tokenizer is named).
        tokenizer: of the served model, a hub id or a folder; the prompts of scored options are made with it.
        structured: whether a reply to a choice that is not scored is held to the options by the server: ``auto`` (where
            it offers that) or ``never`` (every reply is read).
        api_key_variable: name of the environment variable that holds the key; None: none is sent. The key itself
            stands in no file.
        api_key_header: the header that carries it, such as Azure's ``api-key``; None: ``Authorization``, as a bearer.
        query: keys and values behind the question mark of every request's address, such as Azure's ``api-version``.
        repeats: how often every question is put in the same words.
        temperature: of the sampled replies; 0 is greedy; None: not sent, the server decides.
        seed: send a seed of its own with each question, so that a server that heeds it repeats itself.
        concurrent_requests: on their way at a time.
        requests_per_minute: at most; 0: no limit.
        attempts: sendings of one request before the server is given up.
        timeout: seconds without a sign of life before a sending is given up.
        longest_wait: seconds that a server may ask to wait (``Retry-After``, or
            the reset of a rate limit), or may take to load its model.
        names: group -> the name under which the server serves its agent, such as an adapter's; a group that is not
            named, and the control, are answered by ``model.name``.
        canary: folder of the run whose agents are served under ``names``: before the first question, log-probabilities
            of a few prompts by the server are held against those by the weights here; None: nothing tells.
        canary_tolerance: how far these may be apart, in nats a token, on average.
        prices: YAML file with the prices of models (docs/endpoints.md); None: no costs are told.
        most_tokens: of prompts and replies that one command may use; at the limit it stops, and the same command goes
            on with as many again; None: no limit.
        most_cost: the same in the prices' currency.
        extra: further keys of every request for a reply, such as ``chat_template_kwargs``.
    """

    choices: Literal["auto", "logprobs", "sampled"] = "auto"
    tokenizer: str | None = None
    structured: Literal["auto", "never"] = "auto"
    api_key_variable: str | None = None
    api_key_header: str | None = None
    query: dict[str, str] = field(default_factory=dict)
    repeats: Annotated[int, Field(ge=1, le=1000)] = 1
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    seed: bool = True
    concurrent_requests: Annotated[int, Field(ge=1, le=1000)] = 4
    requests_per_minute: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    attempts: Annotated[int, Field(ge=1, le=100)] = 6
    timeout: Annotated[float, Field(ge=0.1, le=1e5)] = 120.0
    longest_wait: Annotated[float, Field(ge=0, le=1e6)] = 600.0
    names: dict[str, str] = field(default_factory=dict)
    canary: str | None = None
    canary_tolerance: Annotated[float, Field(ge=1e-4, le=1e3)] = 0.1
    prices: str | None = None
    most_tokens: Annotated[int, Field(ge=1, le=10**15)] | None = None
    most_cost: Annotated[float, Field(ge=1e-9, le=1e12)] | None = None
    extra: dict[str, Any] = field(default_factory=dict)
