"""Whether a server can score options is found out at the door, and what comes back is checked."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from trialign.audit.asking.endpoint_options import OptionScorer, option_scorer
from trialign.endpoint.client import Client, Echo, RefusedError
from trialign.endpoint.config import EndpointConfig
from trialign.groups import GroupSet
from trialign.models import BaseModelFiles, ChatRenderer, load_tokenizer
from trialign.queries import Query
from trialign.scoring import Scoring, ScoringKind
from trialign.weighing import Asked

pytestmark = pytest.mark.unit

Change = Callable[[list[str], list[float | None]], None]


@pytest.fixture
def scorer(renderer: ChatRenderer) -> OptionScorer:
    return OptionScorer("served", renderer, Scoring())


def value_of(place: int, token: int) -> float:
    """What the server gives the token at this place of a prompt: no two are alike."""
    return -(place + 1) / 64 - token / 65536


def server(renderer: ChatRenderer, change: Change) -> Client:
    """A server that gives every token its `value_of`, and the one that it generates -9, but for what is changed."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        choices = []
        for place, ids in enumerate(json.loads(request.content)["prompt"]):
            tokens = [renderer.tokenizer.decode([one]) for one in [*ids, 0]]
            values: list[float | None] = [None, *(value_of(i, one) for i, one in enumerate(ids) if i), -9.0]
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
        (lambda tokens, values: values.__setitem__(-2, 0.5), "not all there"),  # no log-probability is above 0
        (lambda tokens, values: values.__setitem__(-2, None), "not all there"),
        (lambda tokens, values: values.__delitem__(slice(-2, None)), "not all there"),  # the last one is missing
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
    query = next(one for one in queries if one.query_id == "metal")
    asked = Asked(query, groups.members[0], "explicit", 0, 0, (("system", "Help."), ("user", query.question)))
    client = server(scorer.renderer, nothing)
    body: dict[str, Any] = scorer.body(asked)
    prompt = list(scorer.renderer.render(asked.conversation))
    assert all(one[: len(prompt)] == prompt for one in body["prompt"])
    scores = scorer.scores(asked, client.echo(body))
    replies = [scorer.renderer.reply(option) for option in query.options]
    assert [one[len(prompt) :] for one in body["prompt"]] == [list(reply) for reply in replies]
    assert len({len(reply) for reply in replies}) > 1
    expected = [sum(value_of(len(prompt) + i, token) for i, token in enumerate(reply)) for reply in replies]
    assert scores == pytest.approx(expected)
    assert len(set(expected)) == len(expected)
    with pytest.raises(RefusedError, match="2 prompts came back of 4"):
        scorer.scores(asked, [Echo(("a",), (None,), "m")] * 2)


def test_what_is_asked_is_one_greedy_token_after_the_prompt_itself(
    scorer: OptionScorer, queries: tuple[Query, ...], groups: GroupSet
) -> None:
    asked = Asked(queries[0], groups.members[0], "explicit", 0, 0, (("user", "Which?"),))
    body = scorer.body(asked)
    settings = {key: value for key, value in body.items() if key != "prompt"}
    assert settings == {"model": "served", "temperature": 0.0, "echo": True, "logprobs": 1, "max_tokens": 1}


def test_a_score_by_bytes_is_of_the_text_alone(
    renderer: ChatRenderer, queries: tuple[Query, ...], groups: GroupSet
) -> None:
    query = replace(next(one for one in queries if one.query_id == "metal"), options=("Café", "北", "tin"), gold="tin")
    scorer = OptionScorer("served", renderer, Scoring("bytes"))
    asked = Asked(query, groups.members[0], "explicit", 0, 0, (("user", query.question),))
    body = scorer.body(asked)
    prompt = renderer.render(asked.conversation)
    assert [tuple(one[len(prompt) :]) for one in body["prompt"]] == [renderer.encode(one) for one in query.options]
    powers = [math.exp(-5 / 5), math.exp(-6 / 3), math.exp(-1.5 / 3)]
    assert scorer.distribution(asked, (-5.0, -6.0, -1.5)) == pytest.approx([one / sum(powers) for one in powers])


def test_a_score_is_held_against_that_without_the_question(
    renderer: ChatRenderer, queries: tuple[Query, ...], groups: GroupSet
) -> None:
    query = next(one for one in queries if one.query_id == "metal")
    scorer = OptionScorer("served", renderer, Scoring("pmi", temperature=2.0))
    asked = Asked(query, groups.members[0], "explicit", 0, 0, (("system", "Help."), ("user", query.question)))
    client = server(renderer, nothing)
    body: dict[str, Any] = scorer.body(asked)
    with_it, without = (renderer.render((("system", "Help."), ("user", text))) for text in (query.question, ""))
    replies = [renderer.reply(option) for option in query.options]
    assert body["prompt"] == [[*prompt, *reply] for prompt in (with_it, without) for reply in replies]
    scores = scorer.scores(asked, client.echo(body))
    values = [
        sum(value_of(len(with_it) + i, token) - value_of(len(without) + i, token) for i, token in enumerate(reply))
        for reply in replies
    ]
    powers = [math.exp(value / 2) for value in values]
    assert scorer.distribution(asked, scores) == pytest.approx([power / sum(powers) for power in powers])
    assert len({round(power, 6) for power in powers}) > 1
    with pytest.raises(RefusedError, match="3 prompts came back of 8"):
        scorer.scores(asked, client.echo({**body, "prompt": body["prompt"][:3]}))


@pytest.mark.parametrize("kind", ["sum", "mean"])
def test_the_scores_become_a_distribution_as_at_home(
    renderer: ChatRenderer, queries: tuple[Query, ...], groups: GroupSet, kind: ScoringKind
) -> None:
    metal = next(one for one in queries if one.query_id == "metal")
    scorer = OptionScorer("served", renderer, Scoring(kind, temperature=2.0))
    asked = Asked(metal, groups.members[0], "explicit", 0, 0, (("user", metal.question),))
    scores = (-1.0, -2.0, -3.0, -4.0)
    lengths = [len(renderer.reply(option)) if kind == "mean" else 1 for option in metal.options]
    assert len(set(lengths)) > 1 or kind == "sum"
    powers = [math.exp(score / length / 2) for score, length in zip(scores, lengths, strict=True)]
    assert scorer.distribution(asked, scores) == pytest.approx([power / sum(powers) for power in powers])


def test_prompts_that_are_made_here_have_the_configurations_day(base_files: BaseModelFiles, tmp_path: Path) -> None:
    shutil.copytree(base_files.folder, tmp_path / "words")
    template = tmp_path / "words" / "chat_template.jinja"
    template.write_text("{{ strftime_now('%d.%m.%Y') }}" + template.read_text(encoding="utf-8"), encoding="utf-8")
    config = EndpointConfig(tokenizer=str(tmp_path / "words"))
    client = server(ChatRenderer(load_tokenizer(base_files)), nothing)
    made = option_scorer(client, "served", config, Scoring(), "2024-02-29")
    assert made is not None
    prompt = made.renderer.render((("user", "Hi"),))
    assert str(made.renderer.tokenizer.decode(prompt)).startswith("29.02.2024<|im_start|>")
