"""How probable samples were, by hand, and what is known of those of earlier versions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trialign.environment import EnvironmentConfig
from trialign.policy import ROOT, GroupPolicy, Segment, TreeRow
from trialign.policy.scoring import score_rows
from trialign.queries import Query
from trialign.scoring import Scoring, option_values
from trialign.trajectories.behaviour import completed, option_shares
from trialign.trajectories.collection import CollectConfig, Collector
from trialign.trajectories.records import Sample, Trajectory, write_part
from trialign.trajectories.store import TrajectoryStore

pytestmark = pytest.mark.unit

# The base model's scores are log 16 and log 1, of options of two tokens and one.
CHOICE = Trajectory(
    query_id="q",
    cluster="q",
    split="train",
    kind="truth",
    group="north",
    exposure="explicit",
    wording=0,
    turn=0,
    topology="full",
    prompt=(1, 2),
    options=((3, 4), (5,)),
    option_log_probabilities=(math.log(16), 0.0),
    gold=0,
    target=None,
    samples=(
        Sample((5,), 0.0, "b", "b", "scored", 0.0, None, 0.0),
        Sample((3, 4), math.log(16), "a", "a", "scored", 1.0, None, 0.0),
    ),
)
TEXT = replace(CHOICE, options=(), option_log_probabilities=(), gold=None)


@pytest.mark.parametrize(
    ("scoring", "temperature", "odds"),
    [
        (Scoring(), 1.0, 16.0),
        (Scoring(), 2.0, 4.0),
        (Scoring("sum", 2.0), 2.0, 2.0),
        (Scoring("mean"), 1.0, 4.0),  # per token: log 4
        (Scoring("mean", 2.0), 1.0, 2.0),
        (Scoring("letter"), 4.0, 2.0),
    ],
)
def test_an_option_is_as_probable_as_it_is_drawn(scoring: Scoring, temperature: float, odds: float) -> None:
    sizes = [2, 1] if scoring.kind == "mean" else [1, 1]
    shares = option_shares(option_values(CHOICE.option_log_probabilities, sizes), scoring, temperature)
    assert shares == pytest.approx((odds / (1 + odds), 1 / (1 + odds)))
    known = [sample.behaviour for sample in completed(CHOICE, scoring, temperature).samples]
    assert known == pytest.approx([math.log(1 / (1 + odds)), math.log(odds / (1 + odds))])


def test_a_text_is_as_probable_as_the_base_model_says_at_temperature_1_alone() -> None:
    assert [one.behaviour for one in completed(TEXT, Scoring("mean"), 1.0).samples] == [0.0, math.log(16)]
    assert [one.behaviour for one in completed(TEXT, Scoring(), 0.7).samples] == [None, None]


def test_what_is_known_is_kept() -> None:
    known = replace(CHOICE, samples=tuple(replace(one, behaviour=-3.0) for one in CHOICE.samples), option_sizes=(7, 8))
    assert completed(known, Scoring(), 2.0) == known
    assert completed(replace(known, option_sizes=()), Scoring("mean"), 2.0) == replace(known, option_sizes=(2, 1))
    assert completed(replace(known, option_sizes=()), Scoring(), 2.0) == replace(known, option_sizes=(1, 1))


def test_a_collection_of_an_earlier_version_is_completed_when_it_is_read(tmp_path: Path) -> None:
    identity = {"scoring": {"kind": "sum", "temperature": 2.0}, "collect": {"temperature": 2.0}}
    store = TrajectoryStore.under(tmp_path, identity)
    store.collect([], 1, lambda queries: ())
    # The folder's name is as in the first version, so that the collection is found again.
    assert store.identity["schema_version"] == 1
    part = store.folder / "part-00000.parquet"
    write_part(part, [CHOICE, TEXT])
    store._write_manifest([part], {})
    choice, text = store.read()
    assert [one.behaviour for one in choice.samples] == pytest.approx([math.log(1 / 3), math.log(2 / 3)])
    assert [one.behaviour for one in text.samples] == [None, None]


def scores(
    policy: GroupPolicy, group: str, prompt: tuple[int, ...], answers: Sequence[tuple[int, ...]], **how: Any
) -> list[float]:
    """Log-probabilities of some answers after a prompt."""
    tree = TreeRow(
        policy.adapter_index(group), (Segment(prompt, ROOT), *(Segment(answer, 0, action=True) for answer in answers))
    )
    ((*found,),) = score_rows(policy, [tree], **how)
    return found


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_trained_agents_draw_and_write_while_the_base_model_is_the_reference(
    make_collector: Callable[..., Collector], queries: tuple[Query, ...], temperature: float
) -> None:
    config = CollectConfig(samples=400, max_new_tokens=3, temperature=temperature)
    collector = make_collector(config=config, environment=EnvironmentConfig(turns=0), adapted=True)
    policy, furthest = collector.policy, 0.0
    more_probable: list[float] = []
    chosen = [query for query in queries if query.query_id in ("planet", "sum")]
    for row in collector.collect(chosen):
        answers = row.options or tuple({sample.token_ids: 0 for sample in row.samples})
        own = scores(policy, row.group, row.prompt, answers, temperature=1 if row.options else temperature)
        base = scores(policy, row.group, row.prompt, answers, reference=True)
        if row.options:
            assert list(row.option_log_probabilities) == pytest.approx(base, abs=1e-4)
            shares = Scoring().distribution([score / temperature for score in own])
            counts = Counter(sample.token_ids for sample in row.samples)
            for option, share in zip(answers, shares, strict=True):
                # Five standard errors of a share among 400.
                assert counts[option] / 400 == pytest.approx(share, abs=0.125)
            own = list(map(math.log, shares))
            unadapted = Scoring().distribution([score / temperature for score in base])
            furthest = max(furthest, *(abs(one - other) for one, other in zip(shares, unadapted, strict=True)))
        for sample in row.samples:
            place = answers.index(sample.token_ids)
            assert sample.log_probability == pytest.approx(base[place], abs=1e-4)
            assert sample.behaviour == pytest.approx(own[place], abs=1e-4)
            if not row.options:
                more_probable.append(own[place] - base[place])
    assert furthest > 0.2  # drawn from the base model, the counts above would be elsewhere
    if temperature == 1:
        # Over what the agents write, the mean is their divergence from the base model; over what that writes, negative.
        assert sum(more_probable) / len(more_probable) > 0.1
