"""A client whose network is a function and whose clock stands still but for what is slept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from trialign.endpoint.client import Client
from trialign.endpoint.config import EndpointConfig
from trialign.endpoint.pace import Pace

URL = "http://server.test/v1"


class Wire:
    """What a client sent, and how long it waited."""

    def __init__(self) -> None:
        self.requests: list[httpx2.Request] = []
        self.slept: list[float] = []
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def make_client(wire: Wire) -> Callable[..., Client]:
    """Makes a client of a function from request to response."""

    def make(answer: Callable[[httpx2.Request], httpx2.Response], key: str | None = None, **config: Any) -> Client:
        def handle(request: httpx2.Request) -> httpx2.Response:
            wire.requests.append(request)
            return answer(request)

        return Client(
            URL,
            key,
            EndpointConfig(**config),
            transport=httpx2.MockTransport(handle),
            pace=Pace(0, lambda: wire.now, wire.sleep),
            chance=lambda: 0.0,
        )

    return make
