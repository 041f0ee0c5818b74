"""Whether a server can score options is found out at the door, and what comes back is checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from trialign.audit.agents import Asked
from trialign.audit.endpoint_options import OptionScorer
from trialign.endpoint.client import Client, Echo, RefusedError
from trialign.endpoint.config import EndpointConfig
from trialign.groups import GroupSet
from trialign.models import ChatRenderer
from trialign.queries import Query
from trialign.scoring import Scoring

pytestmark = pytest.mark.unit

Change = Callable[[list[str], list[float | None]], None]


@pytest.fixture
def scorer(renderer: ChatRenderer) -> OptionScorer:
    return OptionScorer("served", renderer, Scoring())


def server(renderer: ChatRenderer, change: Change) -> Client:
    """A server that gives -0.5 for every token, but for what is changed."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        choices = []
        for place, ids in enumerate(json.loads(request.content)["prompt"]):
            tokens = [renderer.tokenizer.decode([one]) for one in ids]
            values: list[float | None] = [None, *[-0.5] * (len(ids) - 1)]
            change(tokens, values)
            choices.append({"index": place, "logprobs": {"tokens": tokens, "token_logprobs": values}})
        return httpx2.Response(200, json={"model": "m", "choices": choices[::-1]})

    return Client("http://server.test/v1", None, EndpointConfig(), transport=httpx2.MockTransport(answer))


def nothing(tokens: list[str], values: list[float | None]) -> None:
    """What the server says stays as it is."""


def test_a_server_that_sends_the_prompt_back_can_score(scorer: OptionScorer) -> None:
    assert scorer.probe(server(scorer.renderer, nothing)) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tokens, values: values.__delitem__(slice(0, 20)), "not all there"),  # what was generated alone
        (lambda tokens, values: values.__setitem__(slice(None), [None] * len(values)), "not all there"),
        (lambda tokens, values: values.__setitem__(-1, 0.5), "not all there"),  # no log-probability is above 0
        (lambda tokens, values: tokens.reverse(), "other words"),  # another vocabulary
    ],
)
def test_a_server_that_cannot_score_is_found_out(scorer: OptionScorer, change: Change, reason: str) -> None:
    found = scorer.probe(server(scorer.renderer, change))
    assert found is not None
    assert reason in found


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(404, json={"detail": "Not Found"}),
        httpx2.Response(400, json={"error": {"message": "prompt must be a string."}}),
        httpx2.Response(200, json={"choices": [{"index": 0, "text": "Hi", "logprobs": None}]}),
        httpx2.Response(200, json={"choices": []}),
        httpx2.Response(200, text="<html>"),
    ],
)
def test_a_server_without_log_probabilities_is_found_out(scorer: OptionScorer, response: httpx2.Response) -> None:
    transport = httpx2.MockTransport(lambda _: response)
    assert scorer.probe(Client("http://server.test/v1", None, EndpointConfig(), transport=transport))


def test_an_options_score_is_the_sum_over_its_own_tokens(
    scorer: OptionScorer, queries: tuple[Query, ...], groups: GroupSet
) -> None:
    query = next(one for one in queries if one.query_id == "planet")
    asked = Asked(query, groups.members[0], "explicit", 0, 0, (("system", "Help."), ("user", query.question)))
    client = server(scorer.renderer, nothing)
    body: dict[str, Any] = scorer.body(asked)
    prompt = list(scorer.renderer.render(asked.conversation))
    assert all(one[: len(prompt)] == prompt for one in body["prompt"])
    scores = scorer.scores(asked, client.echo(body))
    lengths = [len(scorer.renderer.reply(option)) for option in query.options]
    assert scores == pytest.approx([-0.5 * length for length in lengths])
    with pytest.raises(RefusedError, match="2 prompts came back of 3"):
        scorer.scores(asked, [Echo(("a",), (None,), "m")] * 2)
