"""The reference behind an address, on a network that is a function."""

from __future__ import annotations

import json

import httpx2
import pytest

from trialign.endpoint.client import Client
from trialign.endpoint.config import EndpointConfig
from trialign.environment import Observation
from trialign.errors import UserError
from trialign.models import ChatRenderer
from trialign.scoring import Scoring
from trialign.trajectories.served import ServedReplies
from trialign.trajectories.served_agents import ServedAgents
from trialign.weighing import Weighing

pytestmark = pytest.mark.unit


def agents(renderer: ChatRenderer, requests: list[list[list[int]]], *, words: bool = True) -> ServedAgents:
    """Of a server to which the n-th token of a prompt has a log-probability of -n."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        prompts = json.loads(request.content)["prompt"]
        requests.append(prompts)
        choices = [
            {
                "index": place,
                "logprobs": {
                    "tokens": [renderer.tokenizer.decode([one]) if words else "?" for one in ids],
                    "token_logprobs": [None, *(-float(n) for n in range(1, len(ids)))],
                },
            }
            for place, ids in enumerate(prompts)
        ]
        return httpx2.Response(200, json={"model": "m", "choices": choices})

    client = Client("http://server.test/v1", None, EndpointConfig(), transport=httpx2.MockTransport(answer))
    served = ServedReplies(client, "m", renderer, True, at_once=1)
    return ServedAgents(served, Weighing(renderer, Scoring(), 4, 1024), 30)


def observation(name: str, prompt: tuple[int, ...]) -> Observation:
    return Observation(name, "north", "explicit", 0, 0, prompt)


def test_scores_stand_where_their_observation_stands(renderer: ChatRenderer) -> None:
    requests: list[list[list[int]]] = []
    seen = [observation("a", (5, 6)), observation("b", (5, 6, 7)), observation("c", (8,))]
    found = agents(renderer, requests).score(seen, [((1, 2), (3,)), (), ((4, 5),)])
    assert found == [(-5.0, -2.0), (), (-3.0,)]
    probe, *asked = requests  # whether it can be done is found out once
    assert len(probe) == 1
    assert asked == [[[5, 6, 1, 2], [5, 6, 3]], [[8, 4, 5]]]


def test_nothing_is_asked_where_nothing_is_to_be_scored(renderer: ChatRenderer) -> None:
    requests: list[list[list[int]]] = []
    assert agents(renderer, requests).score([observation("a", (5, 6))], [()]) == [()]
    assert requests == []


def test_another_vocabulary_is_found_out(renderer: ChatRenderer) -> None:
    with pytest.raises(UserError, match="other words out of the tokens of the base model"):
        agents(renderer, [], words=False).score([observation("a", (5, 6))], [((1,),)])


def test_replies_are_asked_for_within_the_budget_of_positions(renderer: ChatRenderer) -> None:
    seen = [observation(name, tuple(range(1, 7))) for name in "abc"]
    assert sorted(map(len, agents(renderer, []).batches(seen, samples=1))) == [3]
    assert sorted(map(len, agents(renderer, []).batches(seen, samples=2))) == [1, 1, 1]
    answer = agents(renderer, []).said("north", (*renderer.encode("Yes"), renderer.end_id))
    assert (answer.text, answer.cut_off, answer.adapter_sha256) == ("Yes", False, None)
