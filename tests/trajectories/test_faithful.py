"""Servers that sample as they should are let alone, others are found out: on distributions that are drawn here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from trialign.trajectories.faithful import FALSE_ALARMS, Faithful, Written

pytestmark = pytest.mark.unit

VOCABULARY, LENGTH = 40, 16
PROMPT = (1, 2, 3, 4, 5)
Sample = Callable[[Tensor, Sequence[int]], Tensor]


def reply(logits: Tensor, sample: Sample, generator: torch.Generator) -> tuple[int, ...]:
    """A reply whose tokens are drawn from what a server makes of the logits and of all tokens before."""
    ids: list[int] = []
    for row in logits:
        ids.append(int(torch.multinomial(sample(row, (*PROMPT, *ids)).softmax(0), 1, generator=generator)))
    return tuple(ids)


def watch(sample: Sample, observations: int, *, seed: int = 0, samples: int = 3, copies: bool = False) -> Faithful:
    """What was seen of a server at temperature 1."""
    generator = torch.Generator().manual_seed(seed)
    faithful = Faithful(1.0, 0.1)
    for _ in range(observations):
        logits = 2 * torch.randn(LENGTH, VOCABULARY, generator=generator, dtype=torch.float64)
        # What stands in a text is what its model finds likely: a penalty is on the likeliest.
        logits[:, list(PROMPT)] += 2
        one = reply(logits, sample, generator)
        others = [one if copies else reply(logits, sample, generator) for _ in range(samples - 1)]
        faithful.see(logits, PROMPT, [Written(ids) for ids in (one, *others)])
    return faithful


def plain(row: Tensor, before: Sequence[int]) -> Tensor:
    return row


def top_k(count: int) -> Sample:
    return lambda row, before: torch.where(row >= row.topk(count).values[-1], row, -torch.inf)


def nucleus(share: float) -> Sample:
    def sample(row: Tensor, before: Sequence[int]) -> Tensor:
        chances, total, cut = row.softmax(0).tolist(), 0.0, row.clone()
        for token in row.argsort(descending=True).tolist():
            if total >= share:
                cut[token] = -torch.inf
            total += chances[token]
        return cut

    return sample


def penalized(penalty: float) -> Sample:
    def sample(row: Tensor, before: Sequence[int]) -> Tensor:
        row = row.clone()
        for token in set(before):
            row[token] = row[token] / penalty if row[token] > 0 else row[token] * penalty
        return row

    return sample


def test_the_policy_itself_is_let_alone_and_its_evidence_is_fair() -> None:
    watched = [watch(plain, 2, seed=seed) for seed in range(150)]
    assert all(one.fault is None for one in watched)
    for name in watched[0].evidence:
        ratios = [math.exp(one.evidence[name]) for one in watched]
        assert sum(ratio >= 20 for ratio in ratios) / len(ratios) <= 1 / 20, name
    assert watch(plain, 100).fault is None


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_every_likelihood_ratio_is_one_on_average(temperature: float) -> None:
    logits = 2 * torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    policy = (logits[0] / temperature).softmax(0).tolist()
    sums: dict[str, float] = {}
    for first, chance in enumerate(policy):
        for second in (first, (first + 1) % VOCABULARY):  # the same again, and another
            faithful = Faithful(temperature, 0.1)
            faithful.see(logits, PROMPT, [Written((first,)), Written((second,))])
            weight = chance * (chance if second == first else 1 - chance)
            for name, value in faithful.evidence.items():
                sums[name] = sums.get(name, 0.0) + weight * math.exp(value)
    assert sums == pytest.approx(dict.fromkeys(sums, 1.0))
    assert len(sums) == 8


@pytest.mark.parametrize(
    ("sample", "name"),
    [
        (top_k(1), "top_k=1"),
        (nucleus(0.9), "top_p=0.9"),
        (top_k(20), "top_k=20"),
        (lambda row, before: row / 0.5, "temperature=0.7"),
        (lambda row, before: row * 0.5, "temperature=1.4"),
        (penalized(1.3), "repetition_penalty=1.3"),
        (penalized(1.1), "repetition_penalty=1.1"),
    ],
)
def test_another_policy_is_found_out_and_named(sample: Sample, name: str) -> None:
    faithful = watch(sample, 200, samples=1)
    assert faithful.fault is not None
    assert f"its replies are as of {name}, by odds of 10 to the" in faithful.fault


def test_samples_that_are_all_alike_are_counted() -> None:
    fault = watch(plain, 12, copies=True).fault
    assert fault is not None
    assert fault.startswith("12 of 12 observations had samples that are all alike, and ")
    assert "as of one sample for all" in fault


def test_alike_samples_of_a_sure_model_are_no_evidence() -> None:
    sure = torch.zeros(LENGTH, VOCABULARY)
    sure[:, 7] = 50
    faithful = Faithful(1.0, 0.1)
    for _ in range(100):
        faithful.see(sure, PROMPT, [Written((7,) * LENGTH)] * 3)
    assert (faithful.alike, faithful.observations) == (100, 100)
    assert faithful.fault is None


def test_the_evidence_that_is_asked_for_is_that_of_one_in_a_million() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.5]], dtype=torch.float64)).repeat(1, 1)
    faithful = Faithful(1.0, 0.1)
    faithful.see(logits, (0,), [Written((0,)), Written((0,))])
    # Both alike at one half: (1/2 + 1/2 * 1/2) / (1/2) = 3/2.
    assert faithful.evidence["one sample for all"] == pytest.approx(math.log(1.5))
    faithful.see(logits, (0,), [Written((0,)), Written((1,))])
    assert faithful.evidence["one sample for all"] == pytest.approx(math.log(1.5) + math.log(0.5))
    # The likeliest token is one of two: 0.95 / 0.5 + 0.05 each time it comes.
    assert faithful.evidence["top_k=1"] == pytest.approx(2 * math.log(0.95 / 0.5 + 0.05))
    third = Faithful(1.0, 0.1)
    third.see(logits, (0,), [Written((0,))] * 3)
    # Two more alike, each at one half: (1/2 + 1/2 * 1/4) / (1/4) = 5/2.
    assert third.evidence["one sample for all"] == pytest.approx(math.log(2.5))
    count = len(faithful.evidence)
    # Ratios are averaged over all others.
    faithful.evidence = {
        **dict.fromkeys(faithful.evidence, -math.inf),
        "top_k=1": math.log(count / FALSE_ALARMS) - 0.01,
    }
    assert faithful.fault is None
    faithful.evidence["top_k=1"] += 0.02
    assert faithful.fault is not None


def test_what_the_server_reports_is_compared_with_the_model_at_either_temperature() -> None:
    logits = torch.randn(20, VOCABULARY, generator=torch.Generator().manual_seed(0))
    ids = tuple(range(20))
    for divided in (1.0, 0.5):
        own = (logits / divided).log_softmax(1)[range(20), list(ids)].tolist()
        for shift, found in ((0.0, False), (0.09, False), (0.11, True), (math.nan, True)):
            faithful = Faithful(0.5, 0.1)
            faithful.see(logits, PROMPT, [Written((*ids, 0)[:20], tuple(value + shift for value in own))])
            assert ("rollouts.tolerance is 0.1" in str(faithful.fault)) is found, (divided, shift)


def test_without_the_models_distributions_copies_and_other_reports_are_found_out() -> None:
    own = torch.full((LENGTH,), -2.0, dtype=torch.float64)
    one, other = Written((7,) * LENGTH, (-2.05,) * LENGTH), Written((8,) * LENGTH)
    faithful = Faithful(1.0, 0.1)
    for _ in range(100):
        faithful.see_scored(own, [one, other])
    assert faithful.fault is None
    assert faithful.seen == 100
    for _ in range(10):
        faithful.see_scored(own, [one, one])
    assert faithful.fault is not None
    assert "10 of 110 observations had samples that are all alike" in faithful.fault
    faithful = Faithful(1.0, 0.04, "its own")
    faithful.see_scored(own, [one])
    assert faithful.fault is not None
    assert "differ from its own by 0.05 nats a token" in faithful.fault
