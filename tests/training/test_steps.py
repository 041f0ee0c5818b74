"""What a step counts, against the tensors that the updates see, and the base model's utilities by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import pytest
import torch

from trialign.errors import UserError
from trialign.objectives.config import InconsistencyConfig, ObjectiveConfig
from trialign.scoring import Scoring
from trialign.training.steps import reference_utilities, step_counts
from trialign.trajectories.batches import EpisodeBatch, build_episode_batch
from trialign.trajectories.choices import ChoiceUnits
from trialign.trajectories.episodes import Episode
from trialign.trajectories.records import Sample, Trajectory
from trialign.updates import Update, updates_of
from trialign.updates.likelihood import LikelihoodUnits
from trialign.updates.pairs import PairUnits
from trialign.updates.sampled import SampleUnits, earns_differently
from trialign.updates.update import Step, StepCounts

pytestmark = pytest.mark.unit

Rewards = tuple[float | None, float | None, float | None]


def trajectory(
    kind: str,
    group: str,
    turn: int,
    *,
    shares: Sequence[float] = (),
    lengths: Sequence[int] = (),
    gold: int | None = None,
    target: tuple[float, ...] | None = None,
    rewards: Sequence[Rewards] = ((1.0, None, 0.0), (0.0, None, 1.0)),
) -> Trajectory:
    """One observation, collected at temperature 1; its k-th sample has the k-th (truth, preference, disagreement).

    It is the k-th option; without options, a text of k + 1 tokens.
    """
    options = tuple(
        tuple(range(10 * k + 10, 10 * k + 10 + size)) for k, size in enumerate(lengths or [1] * len(shares))
    )
    texts = options or tuple(tuple(range(50, 51 + k)) for k in range(len(rewards)))
    samples = tuple(
        Sample(texts[k], log_share, "text", "text", "text", *reward, behaviour=log_share)
        for k, reward in enumerate(rewards)
        for log_share in [math.log(shares[k]) if shares else -1.0]
    )
    return Trajectory(
        query_id=kind,
        cluster=kind,
        split="train",
        kind="truth" if gold is not None or not shares else "preference",
        group=group,
        exposure="explicit",
        wording=0,
        turn=turn,
        topology="full",
        prompt=tuple(range(1, 4 + turn)),
        options=options,
        option_log_probabilities=tuple(math.log(share) for share in shares),
        gold=gold,
        target=target,
        samples=samples,
    )


def episode(name: str, *turns: tuple[Trajectory, ...]) -> Episode:
    return Episode(name, "explicit", "train", turns[0][0].kind, turns)


def pair(turn: int = 0, **values: Any) -> tuple[Trajectory, ...]:
    return tuple(trajectory("q", group, turn, **values) for group in ("north", "south"))


def differing(first: Sequence[Rewards], second: Sequence[Rewards]) -> tuple[Trajectory, ...]:
    """Two groups whose free answers earn different rewards."""
    return (trajectory("q", "north", 0, rewards=first), trajectory("q", "south", 0, rewards=second))


FACT = episode(
    "fact",
    pair(0, shares=(0.6, 0.3, 0.1), lengths=(2, 3, 1), gold=1),
    pair(1, shares=(0.6, 0.3, 0.1), lengths=(2, 3, 1), gold=1),
)
TASTE = episode(
    "taste",
    pair(0, shares=(0.5, 0.5), target=(0.9, 0.1), rewards=((None, 1.0, None), (None, 0.1, None))),
)
# North's samples differ; south's earn the same, so that they are dropped.
NUMBER = episode("number", differing(((1.0, None, 0.0), (0.0, None, 1.0)), ((0.0, None, 1.0), (0.0, None, 1.0))))
# Only the disagreement differs, which counts with a penalty alone.
HEARD = episode("heard", differing(((0.0, None, 0.5), (0.0, None, 1.0)), ((0.0, None, 1.0), (0.0, None, 1.0))))
FORM = episode("form", differing(((1.0, 0.5, 0.0), (1.0, 1.0, 0.0)), ((1.0, 0.5, 0.0), (1.0, 0.5, 0.0))))
EPISODES = (FACT, TASTE, NUMBER, HEARD, FORM)


def updates(name: str, penalty: float = 0.0, scoring: Scoring | None = None) -> tuple[Update[Any], ...]:
    objective = ObjectiveConfig(update=name, inconsistency=InconsistencyConfig(weight=penalty))
    return updates_of(objective, scoring or Scoring())


def counted(batch: EpisodeBatch, penalty: float) -> tuple[StepCounts, ...]:
    """The same counts from the tensors that the updates are given."""
    truth = preference = 0
    own = []
    for units in batch.units:
        if isinstance(units, ChoiceUnits):
            truth += int((units.gold >= 0).sum())
            preference += int(units.has_target.sum())
            own.append(len(units.gold))
        if isinstance(units, SampleUnits):
            truth += int((~units.truth[:, 0, 0].isnan()).sum())
            preference += int((~units.preference[:, 0, 0].isnan()).sum())
            kept = earns_differently(units.truth, units.preference, units.disagreement, penalised=penalty > 0)
            lengths = torch.as_tensor(batch.tree.branch_lengths)[units.branches]
            own.append(int((lengths * kept.unsqueeze(2)).sum()))
    return tuple(StepCounts(truth, preference, (one,)) for one in own)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("name", ["auto", "expected", "awr", "topr"])
def test_the_counts_are_those_of_the_tensors(name: str, penalty: float) -> None:
    chosen = updates(name, penalty)
    batch = build_episode_batch(EPISODES, (0, 1), chosen)
    assert step_counts(EPISODES, chosen) == counted(batch, penalty)


def test_the_counts_by_hand() -> None:
    # Truth: 2 turns of the fact, number, heard, form. Preference: taste, form. Choices: 2 turns and the taste.
    # A set of two samples has 1 + 2 tokens; kept are north's of number, of heard (with a penalty) and of form.
    assert step_counts(EPISODES, updates("auto", 1.0)) == (StepCounts(5, 2, (3,)), StepCounts(5, 2, (9,)))
    assert step_counts(EPISODES, updates("auto", 0.0)) == (StepCounts(5, 2, (3,)), StepCounts(5, 2, (6,)))
    # Sampled: 2 turns x 2 groups of the fact (2 + 3 tokens) and 2 groups of the taste (1 + 1) are kept as well.
    assert step_counts(EPISODES, updates("awr", 0.0)) == (StepCounts(truth=5, preference=2, own=(6 + 20 + 4,)),)


def test_the_baselines_counts_by_hand() -> None:
    (likelihood,) = step_counts(EPISODES, updates("likelihood"))
    # Gold has 3 tokens, at 2 turns of 2 groups; the favourite 1, twice; the best samples: north's first of number (1),
    # none of heard, and of form the second of north (2) and the first of south (1).
    assert likelihood.own == (4 * 3 + 2 * 1 + 1 + 2 + 1,)
    batch = build_episode_batch(EPISODES, (0, 1), updates("likelihood"))
    (learned,) = batch.units
    assert isinstance(learned, LikelihoodUnits)
    assert int(batch.tree.branch_lengths[learned.branches].sum()) == likelihood.own[0]
    # Gold against 2 options at 2 turns, the favourite against 1, number's 1 and form's 1: north 7, south 5.
    (pairs,) = step_counts(EPISODES, updates("pairs"))
    assert pairs.own == (7, 5)
    (made,) = build_episode_batch(EPISODES, (0, 1), updates("pairs")).units
    assert isinstance(made, PairUnits)
    assert tuple(made.groups.bincount(minlength=2).tolist()) == pairs.own


def test_the_updates_observe_what_is_counted() -> None:
    chosen = updates("auto", 1.0)
    batch = build_episode_batch(EPISODES, (0, 1), chosen)
    lengths = torch.as_tensor(batch.tree.branch_lengths)
    seen = torch.zeros(2, dtype=torch.long)
    for update, units, counts in zip(chosen, batch.units, step_counts(EPISODES, chosen), strict=True):
        scores = -lengths.float()
        result = update.loss(units, scores, Step(torch.ones(2, 2), counts, torch.zeros(2), batch.values(scores)))
        assert result.counts is not None
        seen += result.counts
    assert seen.tolist() == [counts.truth, counts.preference] == [5, 2]


def test_a_part_of_the_step_is_counted_as_the_whole() -> None:
    for name in ("auto", "awr", "pairs"):
        chosen = updates(name, 1.0)
        first, second, whole = (step_counts(part, chosen) for part in (EPISODES[:2], EPISODES[2:], EPISODES))
        for one, other, both in zip(first, second, whole, strict=True):
            assert (one.truth + other.truth, one.preference + other.preference) == (both.truth, both.preference)
            assert [sum(pair) for pair in zip_longest(one.own, other.own, fillvalue=0)] == list(both.own)


def test_the_base_models_utilities_by_hand() -> None:
    # Truth: gold's share 0.3 at both turns of the fact (its scores are sums: the shares as they are), and the
    # samples' mean of number (north 1/2, south 0), of heard (0) and of form (1): each observation counts once.
    north = (0.3 + 0.3 + 0.5 + 0 + 1) / 5
    south = (0.3 + 0.3 + 0 + 0 + 1) / 5
    # Preference: the taste's 1 - TV((.5, .5), (.9, .1)) = 0.6, and form's samples.
    tastes = ((0.6 + 0.75) / 2, (0.6 + 0.5) / 2)
    utilities = reference_utilities(EPISODES, updates("auto"))
    torch.testing.assert_close(utilities, torch.tensor([[north, tastes[0]], [south, tastes[1]]]))


def test_utilities_under_the_mean_score() -> None:
    # Scores per token log(.6)/2, log(.3)/3, log(.1): weights .6**(1/2), .3**(1/3), .1.
    weights = [0.6**0.5, 0.3 ** (1 / 3), 0.1]
    expected = weights[1] / sum(weights)
    turns = tuple(tuple(replace(row, option_sizes=(2, 3, 1)) for row in turn) for turn in FACT.turns)
    utilities = reference_utilities([replace(FACT, turns=turns)], updates("auto", scoring=Scoring("mean")))
    torch.testing.assert_close(utilities[:, 0], torch.tensor([expected, expected]))
    assert utilities[:, 1].isnan().all()


def test_utilities_of_sampled_choices_are_their_samples() -> None:
    utilities = reference_utilities([FACT, TASTE], updates("awr"))
    # The fact's samples earn 1 and 0 at either turn; the taste's 1 and 0.1.
    torch.testing.assert_close(utilities, torch.tensor([[0.5, 0.55], [0.5, 0.55]]))


def test_utilities_are_those_of_the_base_model_at_whatever_temperature_it_was_asked() -> None:
    # Drawn at temperature 2, an option is as probable as the root of its share, over the roots' sum.
    roots = [0.6**0.5, 0.3**0.5, 0.1**0.5]

    def warm(row: Trajectory) -> Trajectory:
        samples = [
            replace(sample, behaviour=math.log(root / sum(roots)))
            for sample, root in zip(row.samples, roots, strict=False)
        ]
        return replace(row, samples=tuple(samples))

    collected = replace(FACT, turns=tuple(tuple(map(warm, turn)) for turn in FACT.turns))
    # pi / mu is as the roots of .6 and .3, and the rewards are 1 and 0.
    expected = roots[0] / (roots[0] + roots[1])
    utilities = reference_utilities([collected], updates("awr"))
    torch.testing.assert_close(utilities[:, 0], torch.tensor([expected, expected]))
    # A text that has e^-1 by the base model and was drawn with e^-2 counts e times one that was drawn as it says.
    rows = tuple(
        replace(row, samples=(replace(row.samples[0], behaviour=-2.0), row.samples[1])) for row in NUMBER.turns[0]
    )
    utilities = reference_utilities([replace(NUMBER, turns=(rows,))], updates("auto"))
    assert utilities[0, 0].item() == pytest.approx(math.e / (math.e + 1))


def test_options_that_the_base_model_all_but_excludes_have_an_estimate_too() -> None:
    # Drawn evenly, at a temperature far above the scores; the first is e^1000 times as probable by the base model.
    def even(row: Trajectory) -> Trajectory:
        samples = tuple(replace(sample, behaviour=-math.log(3)) for sample in row.samples)
        return replace(row, option_log_probabilities=(-1.0, -1001.0, -2001.0), samples=samples)

    drawn = replace(FACT, turns=tuple(tuple(map(even, turn)) for turn in FACT.turns))
    assert reference_utilities([drawn], updates("awr"))[:, 0].tolist() == [1.0, 1.0]


def test_how_probable_a_sample_was_must_be_known_where_it_is_learned_from() -> None:
    rows = tuple(
        replace(row, samples=tuple(replace(sample, behaviour=None) for sample in row.samples))
        for row in NUMBER.turns[0]
    )
    unknown = replace(NUMBER, turns=(rows,))
    for name in ("auto", "awr", "topr"):
        with pytest.raises(UserError, match=r"collected at another temperature than 1 by an earlier version"):
            reference_utilities([unknown], updates(name))
        with pytest.raises(UserError, match=r"Delete the folder of this collection and collect again"):
            build_episode_batch([unknown], (0, 1), updates(name))
    for name in ("likelihood", "pairs"):
        assert reference_utilities([unknown], updates(name))[0, 0] == 0.5


def test_what_the_data_does_not_ask_is_not_a_number() -> None:
    utilities = reference_utilities([TASTE], updates("auto"))
    assert utilities[:, 0].isnan().all()
    torch.testing.assert_close(utilities[:, 1], torch.tensor([0.6, 0.6]))
    one_group = [replace(TASTE, turns=tuple(turn[:1] for turn in TASTE.turns))]
    assert reference_utilities(one_group, updates("auto")).shape == (1, 2)


def test_a_group_that_was_asked_nothing_of_a_kind_has_no_utility_of_it() -> None:
    of_panel = replace(FACT.of_groups((1,)), seats=(2,))
    utilities = reference_utilities([of_panel, replace(TASTE, seats=(0, 2))], updates("auto"), 3)
    torch.testing.assert_close(
        utilities, torch.tensor([[math.nan, 0.6], [math.nan, math.nan], [0.3, 0.6]]), equal_nan=True
    )
