"""How probable samples were, by hand, and what is known of those of earlier versions."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from trialign.scoring import Scoring, option_values
from trialign.trajectories.behaviour import completed, option_shares
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
