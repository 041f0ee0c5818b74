from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from trialign.api import compose
from trialign.environment import EnvironmentConfig, PromptConfig, first_turn, neighbours
from trialign.errors import UserError
from trialign.groups import GroupSet
from trialign.models import ChatRenderer
from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow
from trialign.policy.scoring import score_rows
from trialign.queries import PreferenceQuery, Query, TruthQuery
from trialign.scoring import Scoring
from trialign.trajectories.collection import CollectConfig, Collector
from trialign.trajectories.records import Trajectory
from trialign.trajectories.store import TrajectoryStore

pytestmark = pytest.mark.unit

MakeCollector = Callable[..., Collector]
Rows = tuple[Trajectory, ...]
ONE_TURN = EnvironmentConfig(turns=0)


def base_score(policy: GroupPolicy, prompt: tuple[int, ...], answers: Sequence[tuple[int, ...]]) -> list[float]:
    """Log-probabilities under the base weights, each answer in a row of its own."""
    rows = [TreeRow(0, (Segment(prompt, ROOT), Segment(answer, 0, action=True))) for answer in answers]
    return [scores[0] for scores in score_rows(policy, rows, reference=True)]


def seats(rows: Rows) -> dict[tuple[str, str, int, str], Trajectory]:
    return {(row.query_id, row.exposure, row.turn, row.group): row for row in rows}


def test_every_query_exposure_turn_and_group_has_one_row(
    collected: Rows, groups: GroupSet, queries: tuple[Query, ...]
) -> None:
    keys = [(row.query_id, row.exposure, row.turn, row.group) for row in collected]
    assert keys == [
        (query.query_id, exposure, turn, group)
        for query in queries
        for exposure in ("explicit", "implicit")
        for turn in (0, 1)
        for group in groups.names
    ]


def test_rows_carry_what_training_needs_of_their_query(collected: Rows) -> None:
    rows = seats(collected)
    fact, taste = rows["planet", "explicit", 0, "south"], rows["drink", "implicit", 1, "south"]
    number, text = rows["sum", "explicit", 0, "south"], rows["bird", "explicit", 0, "south"]
    assert (fact.kind, fact.gold, fact.target, len(fact.options)) == ("truth", 0, None, 3)
    assert (taste.kind, taste.gold, taste.target) == ("preference", None, (0.1, 0.8, 0.1))
    assert (number.kind, number.gold, number.options) == ("truth", None, ())
    assert (text.kind, text.gold, text.options) == ("mixed", None, ())
    assert {(row.cluster == row.query_id, row.split, row.topology) for row in collected} == {(True, "train", "ring")}


def test_options_are_scored_by_the_base_weights(make_collector: MakeCollector, collected: Rows) -> None:
    policy = make_collector().policy
    for row in collected:
        if row.options and row.exposure == "explicit":
            expected = base_score(policy, row.prompt, row.options)
            assert list(row.option_log_probabilities) == pytest.approx(expected, abs=1e-4)


def test_the_behaviour_policy_is_the_base_model_whatever_the_adapters(
    make_collector: MakeCollector,
    make_policy: Callable[..., GroupPolicy],
    queries: tuple[Query, ...],
    collected: Rows,
) -> None:
    assert make_collector(policy=make_policy(untrained=True)).collect(queries) == collected


def test_samples_of_a_choice_are_its_options(
    collected: Rows, queries: tuple[Query, ...], renderer: ChatRenderer
) -> None:
    by_id = {query.query_id: query for query in queries}
    for row in collected:
        query = by_id[row.query_id]
        if not query.options:
            continue
        assert len(row.samples) == 3
        for sample in row.samples:
            index = row.options.index(sample.token_ids)
            assert sample.log_probability == row.option_log_probabilities[index]
            assert sample.text == sample.canonical == query.options[index] == renderer.decode(sample.token_ids)
            assert sample.parse_status == "scored"
            if isinstance(query, TruthQuery):
                assert sample.reward_truth == float(index == query.gold_index)
                assert sample.reward_preference is None
            else:
                assert isinstance(query, PreferenceQuery)
                target = query.targets[row.group]
                assert sample.reward_preference == pytest.approx(target[index] / max(target))
                assert (sample.reward_truth, sample.disagreement) == (None, None)


def test_answers_without_options_are_generated_and_scored(
    make_collector: MakeCollector, collected: Rows, renderer: ChatRenderer
) -> None:
    policy = make_collector().policy
    rows = [row for row in collected if row.query_id in ("sum", "bird") and row.exposure == "implicit"]
    assert len(rows) == 2 * 2 * 3
    for row in rows:
        assert row.option_log_probabilities == ()
        assert len(row.samples) == 3
        for sample in row.samples:
            assert 1 <= len(sample.token_ids) <= 5
            assert renderer.end_id not in sample.token_ids[:-1]
            assert sample.text == renderer.decode(sample.token_ids)
            (expected,) = base_score(policy, row.prompt, [sample.token_ids])
            assert sample.log_probability == pytest.approx(expected, abs=1e-4)
            # The right number has the reward 1, and every other reply, readable or not, has 0.
            assert sample.reward_truth == float(sample.canonical == {"sum": "12"}.get(row.query_id, "ostrich"))
            if row.query_id == "bird":
                # The form asks for at most three words, and for one at least.
                words = len(sample.text.split())
                assert sample.reward_preference == float(1 <= words <= 3)
            else:
                assert sample.reward_preference is None
    assert len({sample.token_ids for row in rows for sample in row.samples}) > 10, "not sampled but always the same"


def test_samples_follow_the_answer_distribution(make_collector: MakeCollector, queries: tuple[Query, ...]) -> None:
    config = CollectConfig(samples=2000)
    for scoring, temperature in (
        (Scoring(), 1.0),
        (Scoring("mean"), 1.0),
        (Scoring(), 4.0),
        (Scoring("sum", 2.0), 2.0),
    ):
        collector = make_collector(
            config=replace(config, temperature=temperature), environment=ONE_TURN, scoring=scoring
        )
        for row in collector.collect(queries[1:2]):
            drawn = Counter(sample.token_ids for sample in row.samples)
            sizes = [len(option) if scoring.kind == "mean" else 1 for option in row.options]
            scores = zip(row.option_log_probabilities, sizes, strict=True)
            shares = scoring.distribution([score / size / temperature for score, size in scores])
            for option, share in zip(row.options, shares, strict=True):
                # Five standard errors of a share among 2000, at most 5 sqrt(1/4 / 2000).
                assert drawn[option] / 2000 == pytest.approx(share, abs=0.056)


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_how_probable_each_sample_was_is_kept(
    make_collector: MakeCollector, queries: tuple[Query, ...], temperature: float
) -> None:
    scoring = Scoring("sum", 3.0)
    config = CollectConfig(samples=3, max_new_tokens=5, temperature=temperature)
    collector = make_collector(config=config, environment=ONE_TURN, scoring=scoring)
    base = collector.policy.base
    options = texts = 0
    for row in collector.collect(queries):
        for sample in row.samples:
            if row.options:
                weights = [math.exp(score / temperature / 3) for score in row.option_log_probabilities]
                expected = math.log(weights[row.options.index(sample.token_ids)] / sum(weights))
                options += 1
            else:
                ids = torch.tensor([[*row.prompt, *sample.token_ids]])
                collector.policy.routing.rows = None
                with torch.no_grad():
                    logits = base(input_ids=ids).logits[0, len(row.prompt) - 1 : -1].double() / temperature
                drawn = logits.log_softmax(dim=1).gather(1, torch.tensor(sample.token_ids).unsqueeze(1))
                expected = float(drawn.sum())
                texts += 1
            assert sample.behaviour == pytest.approx(expected, abs=1e-4)
            if not row.options and temperature == 1:
                assert sample.behaviour == sample.log_probability
    assert options > 10
    assert texts > 10


def test_options_are_drawn_anew_for_each_seed_group_question_and_exposure(
    make_collector: MakeCollector, queries: tuple[Query, ...]
) -> None:
    # So flat a distribution that all observations draw by the same shares: only their seeds tell them apart.
    config = CollectConfig(samples=200, temperature=1e6, exposures=("explicit", "implicit"))
    choices = [query for query in queries if len(query.options) == 3][:2]

    def drawn(seed: int) -> dict[tuple[str, str, str], list[int]]:
        collector = make_collector(config=replace(config, seed=seed), environment=ONE_TURN)
        return {
            (row.query_id, row.group, row.exposure): [row.options.index(sample.token_ids) for sample in row.samples]
            for row in collector.collect(choices)
        }

    first, again, other = drawn(0), drawn(0), drawn(1)
    assert first == again
    assert len(first) > 4
    sequences = [*first.values(), *other.values()]
    for at, one in enumerate(sequences):
        for second in sequences[:at]:
            # Independent draws among three agree in a third of the places; 0.5 is five standard errors above.
            assert sum(a == b for a, b in zip(one, second, strict=True)) < 100


def disagreement(row: Trajectory, others: Sequence[Trajectory], index: int) -> float:
    """d by its definition: over the other agents, the mean share of samples that differ from one's own."""
    own = row.samples[index].canonical
    shares = []
    for other in others:
        differing = [own is None or sample.canonical != own for sample in other.samples]
        shares.append(sum(differing) / len(differing))
    return sum(shares) / len(shares)


def test_disagreement_is_the_share_of_the_others_that_differ(collected: Rows, groups: GroupSet) -> None:
    rows = seats(collected)
    values = set()
    for (query_id, exposure, turn, group), row in rows.items():
        if row.kind == "preference":
            continue
        others = [rows[query_id, exposure, turn, name] for name in groups.names if name != group]
        for index, sample in enumerate(row.samples):
            assert sample.disagreement == pytest.approx(disagreement(row, others, index))
            values.add(sample.disagreement)
    assert len(values) > 3, "always the same: nothing was compared"


@pytest.mark.parametrize("topology", ["star", "ring", "full", "random"])
def test_a_revision_turn_shows_the_own_reply_and_the_neighbours_first_samples(
    make_collector: MakeCollector,
    renderer: ChatRenderer,
    groups: GroupSet,
    queries: tuple[Query, ...],
    topology: Any,
) -> None:
    # A choice, a number and a free text, over three turns.
    queries = (queries[0], queries[3], queries[5])
    collector = make_collector(environment=EnvironmentConfig(turns=2, topology=topology))
    rows = seats(collector.collect(queries))
    assert len(rows) == 3 * 2 * 3 * 3

    def heard(query_id: str, turn: int, group: str) -> tuple[str, ...]:
        if topology == "star":  # the first agent hears all, and all others hear it
            return {"north": ("south", "island"), "south": ("north",), "island": ("north",)}[group]
        edges = neighbours(topology, 3, f"edges:0:{query_id}:{turn}")
        return tuple(groups.names[other] for other in edges[groups.names.index(group)])

    for (query_id, exposure, turn, group), row in rows.items():
        if turn == 0:
            continue
        query = next(query for query in queries if query.query_id == query_id)
        member = next(member for member in groups.members if member.name == group)
        conversation = first_turn(query, member, exposure, row.wording, PromptConfig())
        for earlier in range(turn):
            own = rows[query_id, exposure, earlier, group]
            ids = own.samples[0].token_ids
            spoken = ids[:-1] if ids[-1] == renderer.end_id else ids
            listing = "".join(
                f"- {rows[query_id, exposure, earlier, other].samples[0].text}\n"
                for other in heard(query_id, earlier, group)
            )
            request = f"{listing}Other assistants answered as above. Answer the question again."
            conversation = (*conversation, ("assistant", spoken), ("user", request))
            # The observation goes on where the turn before ended: prompt, own reply, end of the message.
            begin = (*own.prompt, *spoken, renderer.end_id)
            assert row.prompt[: len(begin)] == begin or earlier < turn - 1
        assert row.prompt == renderer.render(conversation)
        assert row.wording == rows[query_id, exposure, 0, group].wording


def test_wordings_of_a_profile_are_all_used(make_collector: MakeCollector, queries: tuple[Query, ...]) -> None:
    config = CollectConfig(samples=1)
    fact = queries[0]
    asked = [replace(fact, query_id=f"capital {n}") for n in range(12)]
    rows = make_collector(config=config, environment=ONE_TURN).collect(asked)
    assert {row.wording for row in rows if row.group == "north"} == {0, 1}
    assert {row.wording for row in rows if row.group == "south"} == {0}


def test_only_a_share_of_the_queries_is_revised(make_collector: MakeCollector, queries: tuple[Query, ...]) -> None:
    config = CollectConfig(samples=1, max_new_tokens=2)
    asked = [replace(queries[0], query_id=f"capital {n}") for n in range(30)]
    environment = EnvironmentConfig(turns=1, revision_share=0.5)
    rows = make_collector(config=config, environment=environment).collect(asked)
    turns: dict[str, set[int]] = {}
    for row in rows:
        turns.setdefault(row.query_id, set()).add(row.turn)
    assert len(turns) == 30
    revised = sum(seen == {0, 1} for seen in turns.values())
    assert 5 < revised < 25
    assert revised + sum(seen == {0} for seen in turns.values()) == 30


def test_letters_are_scored_and_the_option_is_spoken(
    make_collector: MakeCollector, renderer: ChatRenderer, queries: tuple[Query, ...]
) -> None:
    collector = make_collector(
        scoring=Scoring("letter"),
        prompt=PromptConfig(options="lettered"),
        environment=EnvironmentConfig(turns=1),
        config=CollectConfig(samples=2),
    )
    rows = seats(collector.collect(queries[:1]))
    first, second = rows["capital", "explicit", 0, "north"], rows["capital", "explicit", 1, "north"]
    assert first.options == (renderer.encode("A"), renderer.encode("B"))
    sample = first.samples[0]
    assert sample.text in ("Lyon", "Paris")
    begin = (*first.prompt, *renderer.encode(sample.text), renderer.end_id)
    assert second.prompt[: len(begin)] == begin


def test_equal_queries_give_equal_trajectories_whatever_came_before(
    make_collector: MakeCollector, queries: tuple[Query, ...], collected: Rows
) -> None:
    collector = make_collector()
    collector.collect(queries[:2])
    assert collector.collect(queries) == collected
    other = replace(collector.config, seed=1)
    assert make_collector(config=other).collect(queries) != collected


def test_an_interrupted_collection_ends_like_an_uninterrupted_one(
    make_collector: MakeCollector, queries: tuple[Query, ...], tmp_path: Path
) -> None:
    collector = make_collector(config=CollectConfig(samples=2, max_new_tokens=4))
    whole = TrajectoryStore.under(tmp_path / "whole", {})
    whole.collect(queries, 3, collector.collect)
    calls: list[int] = []

    def breaking(part: Sequence[Query]) -> Rows:
        calls.append(len(part))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return collector.collect(part)

    cut = TrajectoryStore.under(tmp_path / "cut", {})
    with pytest.raises(KeyboardInterrupt):
        cut.collect(queries, 3, breaking)
    cut.collect(queries, 3, breaking)
    assert calls == [3, 3, 3]
    assert cut.read() == whole.read()
    assert [path.read_bytes() for path in sorted(cut.folder.iterdir())] == [
        path.read_bytes() for path in sorted(whole.folder.iterdir())
    ]


def test_an_observation_that_does_not_fit_names_group_and_query(
    make_collector: MakeCollector, queries: tuple[Query, ...]
) -> None:
    long = replace(queries[0], query_id="long", question="Why? " * 500)
    with pytest.raises(UserError, match=r"explicit profile of group 'north' with question 'long'"):
        make_collector().collect([queries[1], long])


def test_the_longest_option_must_fit(
    make_collector: MakeCollector, queries: tuple[Query, ...], groups: GroupSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = make_collector(environment=ONE_TURN, config=CollectConfig(samples=1, max_new_tokens=5))
    metal, number = queries[4], queries[3]
    for query in (metal, number):
        prompts = [row.prompt for row in collector.collect([query])]
        replies = [len(collector.renderer.reply(option)) for option in query.options] or [5]
        needed = max(map(len, prompts)) + max(replies)
        monkeypatch.setattr(GroupPolicy, "context_length", needed)
        assert len(collector.collect([query])) == len(groups.names)
        monkeypatch.setattr(GroupPolicy, "context_length", needed - 1)
        with pytest.raises(UserError, match=f"takes {needed} tokens at turn 0, and the base model's context has"):
            collector.collect([query])
        monkeypatch.undo()
    assert len({len(collector.renderer.reply(option)) for option in metal.options}) > 1


def test_replies_are_written_together_as_far_as_tokens_go(
    make_collector: MakeCollector, queries: tuple[Query, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    generate = GroupPolicy.generate

    def counted(self: GroupPolicy, prompts: Sequence[Sequence[int]], *given: Any, **named: Any) -> Any:
        written.append(len(prompts))
        return generate(self, prompts, *given, **named)

    monkeypatch.setattr(GroupPolicy, "generate", counted)
    config = CollectConfig(samples=2, max_new_tokens=5)
    rows = make_collector(environment=ONE_TURN, config=config).collect([queries[3]])
    # A prompt of three groups each, all in one batch, which takes its two samples of prompt and reply.
    assert written == [3]
    longest = max(len(row.prompt) for row in rows)
    for batch_tokens, expected in ((3 * 2 * (longest + 5), [3]), (3 * 2 * (longest + 5) - 1, [2, 1]), (1, [1, 1, 1])):
        written.clear()
        make_collector(environment=ONE_TURN, config=replace(config, batch_tokens=batch_tokens)).collect([queries[3]])
        assert written == expected


def test_the_defaults_are_those_of_the_shipped_configuration() -> None:
    assert compose("conf/base.yaml").config.collect == CollectConfig()
