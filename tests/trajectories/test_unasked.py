"""Options held against the score without the question (``scoring.kind=pmi``) or divided by bytes, in training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from trialign.environment import EnvironmentConfig, PromptConfig
from trialign.groups import GroupSet
from trialign.objectives.config import InconsistencyConfig, ObjectiveConfig
from trialign.policy import GroupPolicy
from trialign.queries import Query, TruthQuery
from trialign.scoring import Scoring, ScoringKind
from trialign.training.steps import step_counts
from trialign.trajectories.batches import EpisodeBatch, build_episode_batch
from trialign.trajectories.choices import Choices, ChoiceUnits
from trialign.trajectories.collection import CollectConfig, Collector
from trialign.trajectories.episodes import episodes_of
from trialign.trajectories.records import Trajectory
from trialign.updates import Step, updates_of

pytestmark = pytest.mark.unit

ADAPTERS = (0, 1, 2)
FOREIGN = TruthQuery(
    query_id="tea",
    cluster="tea",
    split="train",
    topic="test",
    question="Which of them is made of leaves?",
    options=("Café", "北京茶"),
    gold="北京茶",
)
OBJECTIVE = ObjectiveConfig(inconsistency=InconsistencyConfig(weight=0.5), kl_weight=0.1)
Collected = Callable[..., tuple[Trajectory, ...]]


@pytest.fixture(scope="module")
def collect(make_collector: Callable[..., Collector], queries: tuple[Query, ...]) -> Collected:
    """Two turns of four questions under one exposure, by a kind of score."""

    def collected(kind: ScoringKind, **parts: Any) -> tuple[Trajectory, ...]:
        collector = make_collector(
            scoring=Scoring(kind),
            config=CollectConfig(samples=3, max_new_tokens=5),
            environment=EnvironmentConfig(turns=1),
            **parts,
        )
        return collector.collect([*queries[:4], FOREIGN])

    return collected


def plain_sum(policy: GroupPolicy, adapter: int, prompt: Sequence[int], action: Sequence[int]) -> Tensor:
    """Log-probability of an action after a prompt, by a row of its own."""
    ids = torch.tensor([[*prompt, *action]])
    policy.routing.rows = torch.tensor([adapter])
    logits = policy.base(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].log_softmax(dim=1)
    return logits.gather(1, ids[0, len(prompt) :, None]).sum()


def plain_value(policy: GroupPolicy, adapter: int, row: Trajectory, option: int) -> Tensor:
    """What an option counts by, from the definition."""
    value = plain_sum(policy, adapter, row.prompt, row.options[option])
    if row.unasked:
        value = value - plain_sum(policy, adapter, row.unasked, row.options[option])
    return value / row.option_sizes[option]


@pytest.mark.parametrize("kind", ["bytes", "pmi"])
def test_what_a_collection_keeps(
    collect: Collected, make_policy: Callable[..., GroupPolicy], kind: ScoringKind
) -> None:
    base = make_policy(untrained=True).eval()
    seen = 0
    for row in collect(kind):
        assert bool(row.unasked) == (kind == "pmi" and bool(row.options))
        assert len(row.unasked_log_probabilities) == (len(row.options) if row.unasked else 0)
        if row.options:
            with torch.no_grad():
                expected = [float(plain_value(base, 0, row, option)) for option in range(len(row.options))]
            assert row.option_values == pytest.approx(expected, abs=1e-4)
            seen += 1
    assert seen == 4 * 3 * 2  # questions with options, groups, turns
    (tea,) = {row.option_sizes for row in collect(kind) if row.query_id == "tea"}
    assert tea == ((5, 9) if kind == "bytes" else (1, 1))


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("kind", ["sum", "mean", "bytes", "pmi"])
def test_a_batch_counts_as_the_definition(
    collect: Collected, make_policy: Callable[..., GroupPolicy], groups: GroupSet, kind: ScoringKind, pack: bool
) -> None:
    policy = make_policy().eval()
    episodes = episodes_of(collect(kind), groups.names, None)
    batch = build_episode_batch(episodes, ADAPTERS, updates_of(OBJECTIVE, Scoring(kind)), pack=pack)
    with torch.no_grad():
        values = batch.values(policy.score(batch.tree))
        units = batch.units[0]
        assert isinstance(units, ChoiceUnits)
        observations = [turn for episode in episodes for turn in episode.turns if turn[0].options]
        for unit, rows in enumerate(observations):
            for group, row in enumerate(rows):
                found = values[units.branches[unit, group, : len(row.options)]]
                expected = [plain_value(policy, group, row, option) for option in range(len(row.options))]
                torch.testing.assert_close(found, torch.stack(expected), atol=1e-3, rtol=1e-4)
                reference = units.reference[unit, group, : len(row.options)].tolist()
                assert reference == pytest.approx(row.option_values, abs=1e-5)


def test_all_turns_of_a_question_share_one_row_without_it(collect: Collected, groups: GroupSet) -> None:
    one = next(e for e in episodes_of(collect("pmi"), groups.names, None) if e.query_id == "tea")
    assert one.observations == 2
    whole, first = (
        build_episode_batch([replace(one, turns=turns)], ADAPTERS, (Choices(),), pack=False)
        for turns in (one.turns, one.turns[:1])
    )
    # Two options a turn and group, and once more without the question.
    assert len(whole.tree.branch_lengths) == 3 * (2 * 2 + 2)
    assert len(first.tree.branch_lengths) == 3 * (2 + 2)
    assert (whole.unasked >= 0).sum() == 3 * 2 * 2
    assert whole.tree.input_ids.shape[0] == 3 + 3


@pytest.mark.parametrize("name", ["likelihood", "pairs"])
def test_what_reads_no_shares_needs_no_scores_without_the_question(
    collect: Collected, groups: GroupSet, name: str
) -> None:
    episodes = [e for e in episodes_of(collect("pmi"), groups.names, None) if e.turns[0][0].options]
    batch, same = (
        build_episode_batch(episodes, ADAPTERS, updates_of(ObjectiveConfig(update=name), Scoring(kind)))
        for kind in ("pmi", "sum")
    )
    assert (batch.unasked < 0).all()
    assert (batch.sizes == 1).all()
    assert len(batch.tree.branch_lengths) == len(same.tree.branch_lengths)


def loss_of(policy: GroupPolicy, batch: EpisodeBatch, values: Tensor, scores: Tensor, update: Any, counts: Any) -> Any:
    step = Step(torch.tensor([[2.0, 0.5], [1.0, 3.0], [0.7, 1.1]]), counts, torch.zeros(3), values)
    return update.loss(batch.units[0], scores, step).loss


@pytest.mark.parametrize("kind", ["bytes", "pmi"])
def test_the_gradient_goes_through_both_scores(
    collect: Collected, make_policy: Callable[..., GroupPolicy], groups: GroupSet, kind: ScoringKind
) -> None:
    policy = make_policy().eval()
    trained = [parameter for parameter in policy.parameters() if parameter.requires_grad]
    episodes = [e for e in episodes_of(collect(kind), groups.names, None) if e.turns[0][0].options]
    updates = updates_of(OBJECTIVE, Scoring(kind, 2.0))
    batch, counts = build_episode_batch(episodes, ADAPTERS, updates), step_counts(episodes, updates)[0]
    scores = policy.score(batch.tree)
    found = torch.autograd.grad(loss_of(policy, batch, batch.values(scores), scores, updates[0], counts), trained)

    units = batch.units[0]
    assert isinstance(units, ChoiceUnits)
    by_hand, held = torch.zeros(len(scores)), torch.zeros(len(scores))
    observations = [turn for episode in episodes for turn in episode.turns]
    for unit, rows in enumerate(observations):
        for group, row in enumerate(rows):
            for option in range(len(row.options)):
                place = torch.tensor(int(units.branches[unit, group, option]))
                value = plain_value(policy, group, row, option)
                by_hand = by_hand.index_put((place,), value)
                constant = torch.tensor(row.unasked_log_probabilities[option] if row.unasked else 0.0)
                asked = plain_sum(policy, group, row.prompt, row.options[option])
                held = held.index_put((place,), (asked - constant) / row.option_sizes[option])
    expected = torch.autograd.grad(loss_of(policy, batch, by_hand, scores.detach(), updates[0], counts), trained)
    for mine, plain in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, plain, atol=2e-4, rtol=1e-3)
    if kind == "pmi":  # were the score without the question a constant, the gradient would be another
        other = torch.autograd.grad(loss_of(policy, batch, held, scores.detach(), updates[0], counts), trained)
        assert max(float((a - b).abs().max()) for a, b in zip(found, other, strict=True)) > 1e-2


def test_activated_adapters_hold_options_against_rows_of_their_own(
    make_collector: Callable[..., Collector],
    make_policy: Callable[..., GroupPolicy],
    queries: tuple[Query, ...],
    groups: GroupSet,
) -> None:
    opening = make_collector().renderer.opening_after_question()
    policy = make_policy(invocation=opening, activation="profile").eval()
    collector = make_collector(
        policy=policy,
        scoring=Scoring("pmi"),
        prompt=PromptConfig(profile="last"),
        config=CollectConfig(samples=2),
        environment=EnvironmentConfig(turns=0),
    )
    episodes = episodes_of(collector.collect(queries[:2]), groups.names, None)
    batch = build_episode_batch(episodes, ADAPTERS, (Choices(),), opening)
    with torch.no_grad():
        reference = batch.values(policy.score(batch.tree, reference=True))
        values = batch.values(policy.score(batch.tree))
    units = batch.units[0]
    assert isinstance(units, ChoiceUnits)
    for unit, episode in enumerate(episodes):
        for group, row in enumerate(episode.turns[0]):
            places = units.branches[unit, group, : len(row.options)]
            assert reference[places].tolist() == pytest.approx(row.option_values, abs=1e-4)
            assert values[places].tolist() != pytest.approx(row.option_values, abs=1e-3)
