from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.nominal import FleissKappa

from trialign.audit.figures.summary import summarize
from trialign.audit.files.items import AuditItem, items_frame
from trialign.metrics import (
    AgreementKappa,
    AnswerDivergence,
    ExcessFlips,
    PreferenceAlignment,
    TruthDisparity,
    TurnFlips,
    nash,
)
from trialign.scoring import Scoring

pytestmark = pytest.mark.unit

GROUPS = ("a", "b", "c")
QUERIES, OPTIONS = 24, 4


def result_of(metric: Metric, *batch: Tensor) -> Any:
    metric.update(*batch)
    return metric.compute()


def test_truth_disparity_by_hand() -> None:
    # All with gold 0: agreed and right; agreed and wrong; two of three pairs differ; all pairs differ.
    answers = torch.tensor([[0, 0, 0], [1, 1, 1], [0, 0, 1], [-1, -1, 0]])
    result = result_of(TruthDisparity(3), answers, torch.zeros(4, dtype=torch.long))
    torch.testing.assert_close(result["accuracy"], torch.tensor([0.5, 0.5, 0.5]))
    expected = {
        "mean": 0.5,
        "worst": 0.5,
        "gap": 0.0,
        "unanimous": 2 / 4,
        "flip_rate": (0 + 0 + 2 + 3) / 12,
        "right_for_all": 1 / 4,
        "consistent_wrong": 1 / 4,
        "no_answer": 2 / 12,
    }
    assert {name: result[name].item() for name in expected} == pytest.approx(expected)


def test_divergence_by_hand() -> None:
    # The second option of the second query is none of its own: what stands there must not count.
    probabilities = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.5, 0.9, 0.5], [0.5, 0.1, 0.5]]])
    mask = torch.tensor([[True, True, True], [True, False, True]])
    # Opposite certainties of two groups: log 2 / log min(2, 3) = 1; alike: 0.
    assert result_of(AnswerDivergence(2), probabilities, mask).item() == pytest.approx(0.5)


def test_preference_alignment_by_hand() -> None:
    probabilities = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]])
    targets = torch.tensor([[[0.8, 0.2], [0.1, 0.9]]])
    result = result_of(PreferenceAlignment(2), probabilities, targets)
    # Total variations: own 0.2 and 0.4; agent 0 on target 1 0.9, agent 1 on target 0 0.3.
    assert result["score"].tolist() == pytest.approx([0.8, 0.6])
    assert result["swapped"].tolist() == pytest.approx([0.1, 0.7])
    assert result["kept"].tolist() == pytest.approx([0.7, -0.1])
    assert result["mean"].item() == pytest.approx(0.7)
    assert result["worst"].item() == pytest.approx(0.6)


def test_excess_flips_by_hand() -> None:
    # Two groups, two wordings: the group decides; the wording decides; one answer is absent and differs from all.
    answers = torch.tensor([[[0, 0], [1, 1]], [[0, 1], [0, 1]], [[-1, 0], [0, 0]]])[..., None]
    result = result_of(ExcessFlips(2, 2), answers)
    assert result["across"].item() == pytest.approx((1 + 1 + 1 / 2) / 3)
    assert result["wordings"].item() == pytest.approx((0 + 1 + 1 / 2) / 3)
    assert result["excess"].item() == pytest.approx(1 / 3)
    assert result["repeats"].isnan()


def test_turn_flips_by_hand() -> None:
    before = torch.tensor([[True, False], [True, True], [False, False], [True, False]])
    after = torch.tensor([[True, True], [False, True], [False, False], [False, True]])
    result = result_of(TurnFlips(2), before, after)
    assert result["right_before"].tolist() == [0.75, 0.25]
    assert result["right_to_wrong"].tolist() == [0.5, 0]
    assert result["wrong_to_right"].tolist() == [0, 0.5]


def test_kappas_by_hand_and_of_torchmetrics() -> None:
    # Agreement 1 on two of four questions; positions .5, .25, .25 (chance 3/8); the last one does not count.
    positions = torch.tensor([[0, 0], [1, 1], [0, 2], [0, 2], [-1, 0]])
    result = result_of(AgreementKappa(2, 3), positions)
    assert result["fleiss"].item() == pytest.approx((1 / 2 - 3 / 8) / (5 / 8))
    assert result["randolph"].item() == pytest.approx((1 / 2 - 1 / 3) / (2 / 3))
    other = FleissKappa(mode="counts")
    other.update(torch.nn.functional.one_hot(positions[:4], 3).sum(dim=1))
    assert result["fleiss"].item() == pytest.approx(other.compute().item(), abs=1e-4)


def test_undefined_kappas_are_not_numbers() -> None:
    same = result_of(AgreementKappa(3, 2), torch.ones(4, 3, dtype=torch.long))
    assert same["fleiss"].isnan()
    assert same["randolph"].item() == 1
    silent = result_of(AgreementKappa(2, 2), torch.tensor([[0, -1]]))
    assert silent["fleiss"].isnan()
    assert silent["randolph"].isnan()


@pytest.mark.parametrize("make", [lambda: ExcessFlips(1), lambda: AgreementKappa(1, 2), lambda: AgreementKappa(2, 1)])
def test_metrics_that_compare_need_what_they_compare(make: Callable[[], Metric]) -> None:
    with pytest.raises(ValueError, match="at least two"):
        make()


def test_nash_is_the_geometric_mean_of_the_shifted_utilities() -> None:
    assert nash(torch.tensor([[0.24], [0.99]]), eps=0.01).item() == pytest.approx(0.5)


def test_comparisons_of_one_group_are_undefined() -> None:
    truth = result_of(TruthDisparity(1), torch.tensor([[0], [1]]), torch.tensor([0, 0]))
    assert truth["accuracy"].item() == 0.5
    for name in ("gap", "unanimous", "flip_rate", "consistent_wrong"):
        assert truth[name].isnan(), name
    row = torch.tensor([[[0.5, 0.5]]])
    assert result_of(AnswerDivergence(1), row, torch.ones(1, 2, dtype=torch.bool)).isnan()
    preference = result_of(PreferenceAlignment(1), row, row)
    assert preference["score"].item() == 1.0
    assert preference["swapped"].isnan().all()


@pytest.mark.parametrize(
    ("metric", "batch"),
    [
        (TruthDisparity(3), (torch.zeros(2, 2), torch.zeros(2))),
        (AnswerDivergence(2), (torch.zeros(2, 1, 3), torch.ones(2, 3, dtype=torch.bool))),
        (PreferenceAlignment(2), (torch.zeros(2, 3, 4), torch.zeros(2, 3, 4))),
        (ExcessFlips(2, 2), (torch.zeros(2, 2, 3, 1, dtype=torch.long),)),
        (TurnFlips(2), (torch.ones(2, 3, dtype=torch.bool), torch.ones(2, 3, dtype=torch.bool))),
        (AgreementKappa(2, 3), (torch.zeros(2, 3, dtype=torch.long),)),
        (AgreementKappa(2, 3), (torch.full((2, 2), 3),)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(metric: Metric, batch: tuple[Tensor, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        metric.update(*batch)


class Sample:
    """Random answers, distributions and targets, the same for metrics and summary."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(5)
        shape = (QUERIES, len(GROUPS), OPTIONS)
        self.gold = torch.randint(2, (QUERIES,), generator=generator)
        self.option_counts = torch.randint(2, OPTIONS + 1, (QUERIES,), generator=generator)
        self.mask = torch.arange(OPTIONS) < self.option_counts[:, None]
        shared = torch.rand((QUERIES, 1, OPTIONS), generator=generator, dtype=torch.float64)
        own = torch.rand(shape, generator=generator, dtype=torch.float64)
        weights = (shared + own) ** 3 * self.mask[:, None]
        self.probabilities = weights / weights.sum(dim=-1, keepdim=True)
        self.targets = self.probabilities.roll(1, dims=0).roll(1, dims=1)
        silent = torch.rand(shape[:2], generator=generator) < 0.1
        self.answers = self.probabilities.argmax(dim=-1).masked_fill(silent, -1)

    def items(self) -> list[AuditItem]:
        items: list[AuditItem] = []
        for query in range(QUERIES):
            for agent in range(len(GROUPS)):
                items.append(self.fact(query, agent))
                items.extend(self.taste(query, agent, target) for target in range(len(GROUPS)))
        return items

    def fact(self, query: int, agent: int) -> AuditItem:
        answer = int(self.answers[query, agent])
        correct = answer == int(self.gold[query])
        count = int(self.option_counts[query])
        return self.item(
            f"fact {query}",
            agent,
            agent,
            kind="truth",
            canonical=None if answer < 0 else f"option {answer}",
            correct=correct,
            reward_truth=float(correct),
            option_probabilities=tuple(self.probabilities[query, agent, :count].tolist()),
        )

    def taste(self, query: int, agent: int, target: int) -> AuditItem:
        distance = (self.probabilities[query, agent] - self.targets[query, target]).abs().sum().item() / 2
        return self.item(
            f"taste {query}", agent, target, kind="preference", canonical="x", reward_preference=1 - distance
        )

    def item(self, query: str, agent: int, group: int, **values: Any) -> AuditItem:
        return AuditItem(
            query_id=query,
            cluster=query,
            split="test",
            topic="random",
            group=GROUPS[group],
            role="member",
            exposure="explicit",
            profile_group=GROUPS[agent],
            answer="",
            parse_status="ok",
            **values,
        )

    def batches(self) -> list[tuple[Metric, tuple[Tensor, ...]]]:
        count = len(GROUPS)
        return [
            (TruthDisparity(count), (self.answers, self.gold)),
            (AnswerDivergence(count), (self.probabilities, self.mask)),
            (PreferenceAlignment(count), (self.probabilities, self.targets)),
            (ExcessFlips(count), (self.answers[:, :, None, None],)),
            (TurnFlips(count), (self.answers == 0, self.answers == 1)),
            (AgreementKappa(count, OPTIONS), (self.answers,)),
        ]


@pytest.fixture(scope="module")
def sample() -> Sample:
    return Sample()


def test_metrics_equal_the_audits_summary(sample: Sample) -> None:
    summary = summarize(
        items_frame(sample.items()).sample(frac=1, random_state=1),
        step=0,
        data="random",
        exposure="explicit",
        split="test",
        scoring=Scoring(),
        eps=0.05,
        seconds=0.0,
        groups=GROUPS,
    )
    truth, divergence, preference = [result_of(metric, *batch) for metric, batch in sample.batches()[:3]]
    assert divergence.item() == pytest.approx(summary["truth"]["jsd"])
    assert truth["accuracy"].tolist() == pytest.approx(list(summary["truth"]["accuracy"].values()))
    for name in ("mean", "worst", "gap", "unanimous", "flip_rate", "consistent_wrong", "no_answer"):
        assert truth[name].item() == pytest.approx(summary["truth"][name]), name
        assert summary["truth"][name] > 0, f"{name} is zero in the sample: nothing was compared"
    for name in ("score", "swapped"):
        assert preference[name].tolist() == pytest.approx(list(summary["preference"][name].values()))
    for name in ("mean", "worst"):
        assert preference[name].item() == pytest.approx(summary["preference"][name])
    utilities = torch.cat([truth["accuracy"], preference["score"]])
    assert nash(utilities, eps=0.05).item() == pytest.approx(summary["welfare"]["nash"])


@pytest.mark.parametrize("which", range(6))
def test_shards_merge_to_the_whole(sample: Sample, which: int) -> None:
    whole, batch = sample.batches()[which]
    first, _ = sample.batches()[which]
    second, _ = sample.batches()[which]
    first.update(*(part[:7] for part in batch))
    second.update(*(part[7:15] for part in batch))
    second.update(*(part[15:] for part in batch))
    first.merge_state(second)
    torch.testing.assert_close(first.compute(), result_of(whole, *batch), equal_nan=True)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_reset_forgets_and_nothing_seen_is_undefined(sample: Sample) -> None:
    for metric, batch in sample.batches():
        metric.update(*batch)
        metric.reset()
        result = metric.compute()
        values = result.values() if isinstance(result, dict) else [result]
        assert all(math.isnan(value) for tensor in values for value in tensor.flatten().tolist())
