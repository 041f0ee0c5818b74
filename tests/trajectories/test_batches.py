from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from trialign.groups import GroupSet
from trialign.objectives.config import ObjectiveConfig
from trialign.policy import GroupPolicy
from trialign.policy.basis import Draws
from trialign.scoring import Scoring
from trialign.trajectories.batches import EpisodeBatch, Unseen, build_episode_batch, taker
from trialign.trajectories.choices import ChoiceUnits
from trialign.trajectories.episodes import Episode, episodes_of
from trialign.trajectories.records import Sample, Trajectory
from trialign.updates import updates_of
from trialign.updates.sampled import SampleUnits

pytestmark = pytest.mark.unit

Rows = tuple[Trajectory, ...]
ADAPTERS = (0, 1, 2)
AUTO, EXPECTED, AWR, LIKELIHOOD, PAIRS = (
    updates_of(ObjectiveConfig(update=name), Scoring()) for name in ("auto", "expected", "awr", "likelihood", "pairs")
)


def choices_of(batch: EpisodeBatch) -> ChoiceUnits:
    assert isinstance(batch.units[0], ChoiceUnits)
    return batch.units[0]


def samples_of(batch: EpisodeBatch) -> SampleUnits:
    assert isinstance(batch.units[-1], SampleUnits)
    return batch.units[-1]


@pytest.fixture(scope="module")
def untrained(make_policy: Callable[..., GroupPolicy]) -> GroupPolicy:
    """Agents that are all the base model, which is the behaviour policy."""
    return make_policy(untrained=True)


@pytest.fixture(scope="module")
def episodes(collected: Rows, groups: GroupSet) -> tuple[Episode, ...]:
    return episodes_of(collected, groups.names, None)


def test_what_is_enumerated(collected: Rows) -> None:
    choice = [row for row in collected if row.options][:3]
    number = [row for row in collected if not row.options][:3]
    assert [taker(choice, updates) for updates in (AUTO, EXPECTED, AWR)] == [0, 0, 0]
    assert [taker(number, updates) for updates in (AUTO, EXPECTED, AWR)] == [1, 1, 0]
    assert taker(number, AUTO[:1]) is None


def test_an_observation_that_nothing_takes_is_told(episodes: tuple[Episode, ...]) -> None:
    with pytest.raises(LookupError, match="no update takes the answers to sum"):
        build_episode_batch([one for one in episodes if one.query_id == "sum"], ADAPTERS, AUTO[:1])


def test_options_of_all_turns_have_the_scores_of_the_collection(
    untrained: GroupPolicy, episodes: tuple[Episode, ...]
) -> None:
    batch = build_episode_batch(episodes, ADAPTERS, AUTO)
    assert batch.tree.input_ids.shape[0] == len(episodes) * 3
    assert batch.query_ids == tuple(episode.query_id for episode in episodes)
    with torch.no_grad():
        scores = untrained.score(batch.tree)[choices_of(batch).branches.clamp(min=0)]
    observations = [turn for episode in episodes for turn in episode.turns if turn[0].options]
    # 4 choices x 2 exposures x 2 turns, of at most 4 options.
    assert choices_of(batch).branches.shape == (16, 3, 4)
    for unit, rows in enumerate(observations):
        for group, row in enumerate(rows):
            count = len(row.options)
            stored = list(row.option_log_probabilities)
            assert scores[unit, group, :count].tolist() == pytest.approx(stored, abs=1e-4)
            assert choices_of(batch).reference[unit, group, :count].tolist() == pytest.approx(stored)
            assert (choices_of(batch).branches[unit, group] >= 0).tolist() == [True] * count + [False] * (4 - count)


def test_generated_samples_have_the_scores_of_the_collection(
    untrained: GroupPolicy, episodes: tuple[Episode, ...]
) -> None:
    batch = build_episode_batch(episodes, ADAPTERS, AUTO)
    # 2 open questions x 2 exposures x 2 turns, 3 groups, 3 samples.
    assert samples_of(batch).branches.shape == (8, 3, 3)
    with torch.no_grad():
        scores = untrained.score(batch.tree)[samples_of(batch).branches]
    torch.testing.assert_close(scores, samples_of(batch).behaviour, atol=1e-4, rtol=1e-5)


def test_every_branch_goes_through_its_groups_adapter(
    make_policy: Callable[..., GroupPolicy], episodes: tuple[Episode, ...]
) -> None:
    batch = build_episode_batch(episodes[:2], (2, 0, 1), AUTO)
    assert sorted(batch.tree.adapters.tolist()) == [0, 0, 1, 1, 2, 2]
    policy = make_policy()
    with torch.no_grad():
        trained, reference = policy.score(batch.tree), policy.score(batch.tree, reference=True)
    stored = choices_of(batch).reference[choices_of(batch).branches >= 0]
    branches = choices_of(batch).branches[choices_of(batch).branches >= 0]
    torch.testing.assert_close(reference[branches], stored, atol=1e-4, rtol=1e-5)
    assert (trained[branches] - stored).abs().max() > 0.1


def test_units_by_hand() -> None:
    fact = Trajectory(
        query_id="q",
        cluster="q",
        split="train",
        kind="truth",
        group="north",
        exposure="explicit",
        wording=0,
        turn=0,
        topology="full",
        prompt=(5, 6),
        options=((7, 2), (8, 2)),
        option_log_probabilities=(-1.0, -2.0),
        gold=1,
        target=None,
        samples=(Sample((8, 2), -2.0, "x", "x", "scored", 1.0, None, 0.25, -0.5),) * 2,
    )
    taste = replace(
        fact,
        query_id="p",
        kind="preference",
        options=((7, 2), (8, 2), (9, 9, 2)),
        option_log_probabilities=(-1.0, -2.0, -3.0),
        gold=None,
        target=(0.1, 0.2, 0.7),
        samples=(
            Sample((7, 2), -1.0, "x", "x", "scored", None, 0.5, None, -0.25),
            Sample((9, 9, 2), -3.0, "y", "y", "scored", None, 1.0, None, -1.5),
        ),
    )
    pair = episodes_of([fact, taste], ("north",), None)
    batch = build_episode_batch(pair, (4,), AUTO)
    choice = choices_of(batch)
    assert batch.units[1] is None
    # The longer row stands first in the batch.
    assert choice.branches.tolist() == [[[3, 4, -1]], [[0, 1, 2]]]
    assert choice.reference.tolist() == [[[-1, -2, 0]], [[-1, -2, -3]]]
    assert choice.gold.tolist() == [1, -1]
    assert choice.targets.flatten().tolist() == pytest.approx([0, 0, 0, 0.1, 0.2, 0.7])
    assert choice.has_target.tolist() == [False, True]
    assert batch.tree.branch_lengths.tolist() == [2, 2, 3, 2, 2]
    assert batch.tree.adapters.tolist() == [4, 4]

    sampled = build_episode_batch(pair, (4,), AWR)
    samples = samples_of(sampled)
    # All options are branches, so that their distribution is known; the fact's two samples are both its second.
    assert sampled.tree.branch_lengths.tolist() == [2, 2, 3, 2, 2]
    assert samples.answers.tolist() == [[[3, 4, -1]], [[0, 1, 2]]]
    assert samples.chosen.tolist() == [[[1, 1]], [[0, 2]]]
    assert samples.branches.tolist() == [[[4, 4]], [[0, 2]]]
    assert samples.enumerated.tolist() == [True, True]
    assert samples.behaviour.tolist() == [[[-0.5, -0.5]], [[-0.25, -1.5]]]
    assert samples.truth[0].tolist() == [[1, 1]]
    assert samples.disagreement[0].tolist() == [[0.25, 0.25]]
    assert samples.preference[1].tolist() == [[0.5, 1.0]]
    missing = (samples.truth[1], samples.disagreement[1], samples.preference[0])
    assert all(math.isnan(value) for part in missing for value in part.flatten().tolist())


def test_equal_samples_of_a_free_answer_are_one_branch(episodes: tuple[Episode, ...]) -> None:
    episode = next(one for one in episodes if one.query_id == "sum")
    again = tuple(replace(row, samples=(row.samples[0], row.samples[1], row.samples[0])) for row in episode.turns[0])
    batch = build_episode_batch([replace(episode, turns=(again,))], ADAPTERS, AWR)
    samples = samples_of(batch)
    assert len(batch.tree.branch_lengths) == 2 * 3
    assert (samples.branches[..., 0] == samples.branches[..., 2]).all()
    assert (samples.branches[..., 0] != samples.branches[..., 1]).all()
    assert samples.enumerated.tolist() == [False]


def test_a_later_turn_goes_on_in_the_row_of_the_first(episodes: tuple[Episode, ...]) -> None:
    for episode in episodes:
        batch = build_episode_batch([episode], ADAPTERS, AUTO)
        for index in range(3):
            first, second = (turn[index] for turn in episode.turns)
            # The second prompt begins with the first, which is computed once.
            assert second.prompt[: len(first.prompt)] == first.prompt
            actions = sum(
                len(ids)
                for row in (first, second)
                for ids in (row.options or {sample.token_ids for sample in row.samples})
            )
            place = batch.tree.adapters.tolist().index(ADAPTERS[index])
            tokens = int((batch.tree.position_ids[place] >= 0).sum())
            assert tokens == len(second.prompt) + actions
            # The longest path is the second prompt with its longest answer.
            longest = max(len(ids) for ids in (second.options or [s.token_ids for s in second.samples]))
            assert int(batch.tree.position_ids[place].max()) + 1 == len(second.prompt) + longest


def test_short_rows_share_the_width_of_a_long_one(
    make_policy: Callable[..., GroupPolicy], episodes: tuple[Episode, ...]
) -> None:
    short = [
        replace(episode, turns=(tuple(replace(row, prompt=row.prompt[-12:]) for row in episode.turns[0]),))
        for episode in episodes
        if episode.turns[0][0].options
    ]
    mixed = [short[0], next(episode for episode in episodes if len(episode.turns) > 1), *short[1:]]
    policy = make_policy()
    together = build_episode_batch(mixed, (0, 0, 0), EXPECTED)
    assert together.tree.input_ids.shape[0] < 3 * len(mixed)
    with torch.no_grad():
        scores = policy.score(together.tree)
        unit = 0
        for episode in mixed:
            alone = build_episode_batch([episode], (0, 0, 0), EXPECTED)
            if alone.units[0] is None:
                continue
            count, width = choices_of(alone).branches.shape[0], choices_of(alone).branches.shape[2]
            places = choices_of(together).branches[unit : unit + count, :, :width]
            here = choices_of(alone).branches >= 0
            assert torch.equal(here, places >= 0)
            expected = policy.score(alone.tree)[choices_of(alone).branches[here]]
            torch.testing.assert_close(scores[places[here]], expected, atol=1e-4, rtol=1e-5)
            unit += count
        assert unit == len(choices_of(together).branches)


def test_a_later_turn_that_begins_otherwise_has_a_beginning_of_its_own(
    untrained: GroupPolicy, episodes: tuple[Episode, ...]
) -> None:
    # A prompt that is not a continuation, and one that is the same again.
    episode = next(episode for episode in episodes if episode.query_id == "planet")
    first = episode.turns[0]
    foreign = tuple(replace(row, prompt=row.prompt[3:], turn=1) for row in first)
    same = tuple(replace(row, turn=2) for row in first)
    batch = build_episode_batch([replace(episode, turns=(first, foreign, same))], ADAPTERS, AUTO)
    with torch.no_grad():
        scores = untrained.score(batch.tree)[choices_of(batch).branches]
    stored = torch.tensor([row.option_log_probabilities for row in first])
    torch.testing.assert_close(scores[0], stored, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(scores[2], stored, atol=1e-4, rtol=1e-5)
    assert (scores[1] - stored).abs().max() > 1e-2


def test_the_batch_moves_whole(episodes: tuple[Episode, ...]) -> None:
    batch = build_episode_batch(episodes, ADAPTERS, AUTO).to("meta")
    opening = episodes[0].turns[0][0].prompt[2:4]
    activated = build_episode_batch(episodes[:1], ADAPTERS, LIKELIHOOD, opening).to("meta")
    paired = build_episode_batch(episodes, ADAPTERS, PAIRS).to("meta")
    assert activated.tree.prefix is not None
    assert batch.tree.prefix is None
    inner = (activated.tree.prefix, activated.units[0], paired.units[0])
    for part in (choices_of(batch), samples_of(batch), *inner):
        assert {tensor.device.type for tensor in vars(part).values()} == {"meta"}
    for tree in (batch.tree, activated.tree):
        assert {part.device.type for part in vars(tree).values() if isinstance(part, torch.Tensor)} == {"meta"}


def test_distributions_of_the_collection_and_of_the_batch_agree(
    untrained: GroupPolicy, episodes: tuple[Episode, ...]
) -> None:
    batch = build_episode_batch(episodes[:1], ADAPTERS, AUTO)
    with torch.no_grad():
        shares = untrained.score(batch.tree)[choices_of(batch).branches].softmax(dim=2)
    for turn, rows in enumerate(episodes[0].turns):
        for group, row in enumerate(rows):
            expected = Scoring().distribution(row.option_log_probabilities)
            assert shares[turn, group].tolist() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("pack", [True, False])
def test_agents_of_no_group_are_asked_the_facts_first_turn(
    episodes: tuple[Episode, ...], make_policy: Callable[..., GroupPolicy], pack: bool
) -> None:
    """Draws that have the z of two groups, and are told of these groups, answer as they do."""
    policy = make_policy(double=True, adapters="basis")
    assert policy.coordinates is not None
    policy.coordinates.draws = Draws((2, 0), torch.eye(3)[[2, 0]], torch.zeros(2, 8))
    batch = build_episode_batch(episodes, ADAPTERS, AUTO, pack=pack, unseen=Unseen((4, 5), (2, 0), 0))
    plain = build_episode_batch(episodes, ADAPTERS, AUTO, pack=pack)
    facts = [e for e in episodes if e.turns[0][0].options and e.turns[0][0].gold is not None]
    units = batch.unseen
    assert isinstance(units, ChoiceUnits)
    assert units.branches.shape == (len(facts), 5, 4)
    assert units.gold.tolist() == [e.turns[0][0].gold for e in facts]
    assert len(batch.tree.branch_lengths) - len(plain.tree.branch_lengths) == 2 * sum(
        len(e.turns[0][0].options) for e in facts
    )
    scores = policy.score(batch.tree)
    shown = torch.where(units.branches >= 0, scores[units.branches.clamp(min=0)], 0.0)
    torch.testing.assert_close(shown[:, 3:], shown[:, [2, 0]], atol=1e-6, rtol=1e-6)
    assert (shown[:, 3] - shown[:, 4]).abs().max() > 0.1
    # What the groups learn from is what it is without them.
    before, after = (choices_of(one) for one in (plain, batch))
    of_plain = policy.score(plain.tree)
    present = before.branches >= 0
    assert present.equal(after.branches >= 0)
    torch.testing.assert_close(
        scores[after.branches[present]], of_plain[before.branches[present]], atol=1e-6, rtol=1e-6
    )
    assert plain.unseen is None


def test_without_a_fact_agents_of_no_group_are_not_asked(episodes: tuple[Episode, ...]) -> None:
    tastes = [episode for episode in episodes if episode.kind == "preference"]
    batch = build_episode_batch(tastes, ADAPTERS, AUTO, unseen=Unseen((4, 5), (2, 0), 0))
    assert batch.unseen is None
    assert set(batch.tree.adapters.tolist()) == {0, 1, 2}


@pytest.mark.parametrize("pack", [True, False])
def test_a_step_of_some_groups_holds_their_rows_alone(
    episodes: tuple[Episode, ...], make_policy: Callable[..., GroupPolicy], pack: bool
) -> None:
    policy = make_policy(double=True, adapters="basis")
    assert policy.coordinates is not None
    policy.coordinates.draws = Draws((1, 2), torch.eye(3)[[1, 2]], torch.zeros(2, 8))
    unseen = Unseen((4, 5), (1, 2), 0)
    whole = build_episode_batch(episodes, ADAPTERS, AUTO, pack=pack, unseen=unseen)
    some = build_episode_batch(episodes, ADAPTERS, AUTO, pack=pack, unseen=unseen, seats=(0, 2))
    assert 1 not in some.tree.adapters.tolist()
    of_whole, of_some = policy.score(whole.tree), policy.score(some.tree)
    for before, after in ((choices_of(whole), choices_of(some)), (whole.unseen, some.unseen)):
        assert isinstance(before, ChoiceUnits)
        assert isinstance(after, ChoiceUnits)
        # Groups 0 and 2; the agents of no group stay, told of whom they were told, asked or not.
        kept = [0, 2] if before.branches.shape[1] == 3 else [0, 2, 3, 4]
        assert after.gold.equal(before.gold)
        assert after.targets.equal(before.targets[:, kept])
        present = after.branches >= 0
        assert present.equal(before.branches[:, kept] >= 0)
        theirs = of_whole[before.branches[:, kept][present]]
        torch.testing.assert_close(of_some[after.branches[present]], theirs, atol=1e-6, rtol=1e-6)
