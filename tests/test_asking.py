"""Agents whose weights are at hand: what they are shown, what they say, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trialign.asking import Answer, LocalAgents, read
from trialign.audit.asking.run import AuditConfig, Auditor
from trialign.audit.files.kept import KeptBaseScores
from trialign.environment import PromptConfig, first_turn
from trialign.errors import UserError
from trialign.groups import GroupSet
from trialign.models import ChatRenderer
from trialign.policy import GroupPolicy
from trialign.queries import Query
from trialign.scoring import Scoring
from trialign.weighing import Asked

pytestmark = pytest.mark.unit


class Scripted:
    """A policy whose replies are given, token by token."""

    context_length = 1000

    def __init__(self, replies: Mapping[str, tuple[int, ...]]) -> None:
        self.replies = replies

    def generate(self, prompts: Sequence[Any], groups: Sequence[str], *_: Any, **__: Any) -> list[tuple[int, ...]]:
        return [self.replies[group] for group in groups]


def test_a_decoded_reply_without_its_end_was_cut_off(
    renderer: ChatRenderer, groups: GroupSet, queries: Sequence[Query]
) -> None:
    whole, cut = renderer.reply("It is 12"), renderer.encode("It is 12")
    replies = [whole, cut, renderer.encode("Well, 1 and"), (renderer.end_id,)]
    policy: Any = Scripted({group.name: reply for group, reply in zip(groups.everyone, replies, strict=True)})
    agents = LocalAgents(policy, renderer, Scoring(), 8, 4096)
    sums = [query for query in queries if query.query_id == "sum"]
    items = Auditor(agents, groups, PromptConfig(), AuditConfig()).run(sums, "test")
    found = [(item.answer, item.canonical, item.parse_status) for item in items]
    assert found == [
        ("It is 12", "12", "number"),
        ("It is 12", None, "cut_off"),  # 120, perhaps
        ("Well, 1 and", None, "cut_off"),  # what a sentence that breaks off was about to say is not known
        ("", None, "none"),
    ]


def test_replies_are_decoded_within_the_budget_of_positions(
    renderer: ChatRenderer,
    groups: GroupSet,
    queries: Sequence[Query],
    make_policy: Callable[..., GroupPolicy],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = make_policy()
    longer = "What is 7 and 5, if one adds the one to the other with care?"
    first = next(query for query in queries if query.query_id == "sum")
    sums = [replace(first, query_id=str(n), question=longer if n % 2 else first.question) for n in range(4)]
    asked = [
        Asked(query, group, "explicit", 0, 0, (("system", "Help."), ("user", query.question)))
        for query in sums
        for group in groups.members
    ]
    at_once: list[list[int]] = []
    written = policy.generate

    def generate(prompts: Sequence[Any], *rest: Any, **more: Any) -> list[tuple[int, ...]]:
        at_once.append([len(prompt) for prompt in prompts])
        return written(prompts, *rest, **more)

    monkeypatch.setattr(policy, "generate", generate)
    whole = list(LocalAgents(policy, renderer, Scoring(), 8, 10**6).answer(asked))
    assert [len(prompts) for prompts in at_once] == [len(asked)]
    longest = max(at_once[0]) + 8
    at_once.clear()
    assert list(LocalAgents(policy, renderer, Scoring(), 8, 3 * longest).answer(asked)) == whole
    assert len({answer.text for answer in whole}) > 1
    assert all(len(prompts) * (max(prompts) + 8) <= 3 * longest for prompts in at_once)
    assert sum(map(len, at_once)) == len(asked)
    at_once.clear()
    assert list(LocalAgents(policy, renderer, Scoring(), 8, 1).answer(asked)) == whole
    assert [len(prompts) for prompts in at_once] == [1] * len(asked)


@pytest.mark.parametrize("kind", ["sum", "pmi"])
def test_what_the_base_weights_scored_is_not_scored_again_and_what_an_adapter_did_is(
    renderer: ChatRenderer,
    groups: GroupSet,
    queries: Sequence[Query],
    make_policy: Callable[..., GroupPolicy],
    tmp_path: Path,
    kind: Any,
) -> None:
    policy, scoring = make_policy(), Scoring(kind)
    asked = [
        Asked(query, group, "explicit", 0, 0, (("system", group.name), ("user", query.question)))
        for query in queries
        if query.options
        for group in groups.everyone
    ]
    computed: list[int] = []

    class Counted(LocalAgents):
        def score(self, observations: Any, actions: Any, temperature: float = 1.0) -> list[tuple[float, ...]]:
            computed.append(sum(map(bool, actions)))
            return super().score(observations, actions, temperature)

    def answers(hashes: Mapping[str, str | None]) -> list[Answer]:
        kept = KeptBaseScores(tmp_path / "scores.jsonl", "w")
        return list(Counted(policy, renderer, scoring, 8, 4096, hashes, scores=kept).answer(asked))

    expected = list(LocalAgents(policy, renderer, scoring, 8, 4096).answer(asked))
    each = 2 if kind == "pmi" else 1  # with the question and without it
    assert answers({}) == expected
    assert computed == [each * len(asked)]
    assert answers({}) == expected
    assert computed[1:] == [0]
    # The adapters are new ones: they score as the base weights do, and are asked all the same.
    hashes = dict.fromkeys(groups.names, "a")
    found = answers(hashes)
    assert computed[2:] == [each * len(asked) * len(groups.names) // len(groups.everyone)]
    for answer, one, base in zip(found, asked, expected, strict=True):
        assert answer.adapter_sha256 == hashes.get(one.group.name)
        assert answer.option_probabilities == pytest.approx(base.option_probabilities, abs=1e-5)


def test_the_longest_option_must_fit_the_context(
    renderer: ChatRenderer,
    groups: GroupSet,
    queries: Sequence[Query],
    make_policy: Callable[..., GroupPolicy],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agents = LocalAgents(make_policy(), renderer, Scoring(), 8, 4096)
    metal, number = (next(query for query in queries if query.query_id == name) for name in ("metal", "sum"))
    lengths = [len(renderer.reply(option)) for option in metal.options]
    assert min(lengths) < max(lengths)
    for query, reply in ((metal, max(lengths)), (number, 8)):
        asked = Asked(query, groups.members[0], "explicit", 0, 0, (("system", "Help."), ("user", query.question)))
        needed = len(renderer.render(asked.conversation)) + reply
        monkeypatch.setattr(GroupPolicy, "context_length", needed)
        assert len(list(agents.answer([asked]))) == 1
        monkeypatch.setattr(GroupPolicy, "context_length", needed - 1)
        with pytest.raises(UserError, match=f"group 'north' with question '{query.query_id}' takes {needed} tokens"):
            agents.answer([asked])


MakePolicy = Callable[..., GroupPolicy]


def all_asked(query: Query, groups: GroupSet, turn: int = 0) -> list[Asked]:
    config = PromptConfig()
    return [
        Asked(query, group, "explicit", 0, 0, first_turn(query, group, "explicit", 0, config), turn=turn)
        for group in groups.everyone
    ]


def test_a_watcher_is_shown_all_replies_in_the_order_asked_and_ends_them(
    renderer: ChatRenderer, groups: GroupSet, queries: Sequence[Query], make_policy: MakePolicy
) -> None:
    # One position allowed: without a watcher every reply would be a batch of its own.
    agents = LocalAgents(make_policy(), renderer, Scoring(), 8, 1)
    asked = all_asked(next(query for query in queries if query.query_id == "sum"), groups)
    whole = list(agents.answer(asked))
    assert len({answer.text for answer in whole}) > 1
    seen: list[list[str]] = []

    def watch(texts: Sequence[str]) -> bool:
        seen.append([*texts])
        return len(seen) == 3

    stopped = list(agents.answer(asked, watch))
    assert [len(texts) for texts in seen] == [len(asked)] * 3
    assert [answer.text for answer in stopped] == seen[-1]
    assert all(len(answer.token_ids) <= 3 for answer in stopped)
    for answer, full in zip(stopped, whole, strict=True):
        assert answer.token_ids == full.token_ids[: len(answer.token_ids)]
        assert answer.text == renderer.decode(answer.token_ids)
        assert answer.cut_off == (not renderer.ended(answer.token_ids))


def test_a_choice_and_a_reply_are_answered_in_the_order_asked(
    renderer: ChatRenderer, groups: GroupSet, queries: Sequence[Query], make_policy: MakePolicy
) -> None:
    agents = LocalAgents(make_policy(), renderer, Scoring(), 8, 4096, {"north": "a", "south": "b"})
    sums, metals = (
        all_asked(next(query for query in queries if query.query_id == name), groups) for name in ("sum", "metal")
    )
    mixed = [one for pair in zip(sums, metals, strict=True) for one in pair]
    answers = list(agents.answer(mixed))
    assert [bool(answer.option_probabilities) for answer in answers] == [False, True] * len(groups.everyone)
    assert [bool(answer.token_ids) for answer in answers] == [True, False] * len(groups.everyone)
    assert [answer.adapter_sha256 for answer in answers] == ["a", "a", "b", "b", None, None, None, None]
    assert [answer.text for answer in answers[::2]] == [answer.text for answer in agents.answer(sums)]
    assert [answer.text for answer in answers[1::2]] == [answer.text for answer in agents.answer(metals)]


def test_as_the_reference_all_groups_are_the_base_model(
    renderer: ChatRenderer, groups: GroupSet, queries: Sequence[Query], make_policy: MakePolicy
) -> None:
    query = next(query for query in queries if query.query_id == "metal")
    policy = make_policy()
    told = (("system", "Help."), ("user", query.question))
    asked = [Asked(query, group, "explicit", 0, 0, told) for group in groups.everyone]
    own = [one.option_probabilities for one in LocalAgents(policy, renderer, Scoring(), 8, 4096).answer(asked)]
    base = [
        one.option_probabilities
        for one in LocalAgents(policy, renderer, Scoring(), 8, 4096, reference=True).answer(asked)
    ]
    assert len({tuple(round(share, 4) for share in shares or ()) for shares in own}) == len(asked)
    for shares in base:
        assert shares == pytest.approx(own[-1], abs=1e-6)  # the control has no adapter


def test_scores_stand_where_their_observation_stands(
    renderer: ChatRenderer, groups: GroupSet, queries: Sequence[Query], make_policy: MakePolicy
) -> None:
    agents = LocalAgents(make_policy(), renderer, Scoring(), 8, 4096)
    asked = all_asked(next(query for query in queries if query.query_id == "metal"), groups, turn=2)
    observations = agents.observe(asked)
    assert [observation.turn for observation in observations] == [2] * len(asked)
    options = agents.weighing.actions(asked[0].query)
    empty, full, none, other = agents.score(observations, [(), options, (), options[:1]])
    assert (empty, none, len(full), len(other)) == ((), (), len(options), 1)
    assert other[0] == pytest.approx(agents.score(observations[3:], [options])[0][0], abs=1e-4)
    assert full == pytest.approx(agents.score(observations[1:2], [options])[0], abs=1e-4)


def test_an_answer_is_read_by_how_it_came(groups: GroupSet, queries: Sequence[Query]) -> None:
    metal = next(query for query in queries if query.query_id == "metal")
    asked = all_asked(metal, groups)[0]
    first, second = metal.options[:2]
    cases = [
        (Answer(first, option_probabilities=(0.9, 0.1, 0.0)), (first, "scored")),
        (Answer("{...}", held=second), (second, "structured")),
        (Answer(first, unread="filtered"), (None, "filtered")),
        (Answer(first), (first, "exact")),
        (Answer("I", cut_off=True), (None, "cut_off")),
    ]
    for answer, expected in cases:
        parsed = read(asked, answer)
        assert (parsed.canonical, parsed.status) == expected
    with pytest.raises(UserError, match=rf"question '{metal.query_id}' have probabilities .* group 'north'"):
        read(asked, Answer(first, option_probabilities=(float("nan"), 0.5, 0.5)))
