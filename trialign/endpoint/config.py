"""How a model behind an address is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class EndpointConfig:
    """Requests to an OpenAI-compatible server.

    Attributes:
        api_key_variable: name of the environment variable that holds the key; None: none is sent. The key itself
            stands in no file.
        repeats: how often every question is put in the same words.
        temperature: of the sampled replies; 0 is greedy; None: not sent, the server decides.
        seed: send a seed of its own with each question, so that a server that heeds it repeats itself.
        concurrent_requests: on their way at a time.
        requests_per_minute: at most; 0: no limit.
        attempts: sendings of one request before the server is given up.
        timeout: seconds without a sign of life before a sending is given up.
        extra: further keys of every request, such as ``chat_template_kwargs``.
    """

    api_key_variable: str | None = None
    repeats: int = 1
    temperature: float | None = 0.0
    seed: bool = True
    concurrent_requests: int = 4
    requests_per_minute: float = 0.0
    attempts: int = 6
    timeout: float = 120.0
    extra: dict[str, Any] = field(default_factory=dict)
