"""The metrics equal the audit's analysis of the same answers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from trialign.audit.figures.analysis import AuditAnalysis, analyze
from trialign.audit.files.items import AuditItem, items_frame
from trialign.metrics import (
    AgreementKappa,
    AnswerDivergence,
    ExcessFlips,
    PreferenceAlignment,
    TruthDisparity,
    TurnFlips,
)

pytestmark = pytest.mark.unit

GROUPS = ("a", "b", "c")
QUERIES, WORDINGS, REPEATS, OPTIONS = 40, 3, 2, 3
GENERATOR = torch.Generator().manual_seed(1)
COMMON = torch.randint(OPTIONS, (QUERIES, 1, 1, 1), generator=GENERATOR)
SHAPE = (QUERIES, len(GROUPS), WORDINGS, REPEATS)
OWN = torch.randint(-1, OPTIONS, SHAPE, generator=GENERATOR)
ANSWERS = torch.where(torch.rand(SHAPE, generator=GENERATOR) < 0.6, COMMON, OWN)
LATER = ANSWERS[:, :, 0, 0].roll(1, dims=1)
GOLD = torch.randint(OPTIONS, (QUERIES,), generator=GENERATOR)
# The option that was chosen has the largest share, so that positions and distributions belong together.
NOISE = 0.3 * torch.rand((*SHAPE[:2], OPTIONS), generator=GENERATOR, dtype=torch.float64)
CHOSEN = torch.nn.functional.one_hot(ANSWERS[:, :, 0, 0].clamp(min=0), OPTIONS)
PROBABILITIES = (NOISE + CHOSEN) / (NOISE + CHOSEN).sum(dim=-1, keepdim=True)
TARGETS = PROBABILITIES.roll(1, dims=0)


def item(query: str, group: int, **values: Any) -> AuditItem:
    fixed: dict[str, Any] = {
        "query_id": query,
        "cluster": query,
        "split": "test",
        "topic": "",
        "group": GROUPS[group],
        "profile_group": GROUPS[group],
        "role": "member",
        "exposure": "explicit",
        "answer": "",
        "parse_status": "",
        "kind": "truth",
    }
    return AuditItem(**fixed | values)


def fact(query: int, group: int, answer: int, **values: Any) -> AuditItem:
    right = answer == int(GOLD[query])
    canonical = None if answer < 0 else f"option {answer}"
    return item(f"fact {query}", group, canonical=canonical, correct=right, reward_truth=float(right), **values)


def items() -> list[AuditItem]:
    rows = []
    for query, group in torch.cartesian_prod(torch.arange(QUERIES), torch.arange(len(GROUPS))).tolist():
        for wording, repeat in torch.cartesian_prod(torch.arange(WORDINGS), torch.arange(REPEATS)).tolist():
            answer = int(ANSWERS[query, group, wording, repeat])
            shares = tuple(PROBABILITIES[query, group].tolist()) if wording == repeat == 0 and answer >= 0 else None
            rows.append(fact(query, group, answer, wording=wording, repeat=repeat, option_probabilities=shares))
        rows.append(fact(query, group, int(LATER[query, group]), turn=1))
        for target in range(len(GROUPS)):
            distance = (PROBABILITIES[query, group] - TARGETS[query, target]).abs().sum().item() / 2
            values: dict[str, Any] = {"kind": "preference", "canonical": "x", "profile_group": GROUPS[group]}
            rows.append(item(f"taste {query}", target, reward_preference=1 - distance, **values))
    return rows


@pytest.fixture(scope="module")
def analysis() -> AuditAnalysis:
    return analyze(items_frame(items()).sample(frac=1, random_state=0), GROUPS)


def test_truth(analysis: AuditAnalysis) -> None:
    metric = TruthDisparity(len(GROUPS))
    metric.update(ANSWERS[:, :, 0, 0], GOLD)
    found, facts = metric.compute(), analysis.facts
    assert facts is not None
    assert facts.gap is not None
    assert facts.pair_agreement is not None
    assert facts.pair_agreement.value is not None
    assert found["accuracy"].tolist() == pytest.approx([entry.value for entry in facts.accuracy.values()])
    assert found["gap"].item() == pytest.approx(facts.gap.value)
    assert found["flip_rate"].item() == pytest.approx(1 - facts.pair_agreement.value)
    for name in ("mean", "unanimous", "right_for_all", "consistent_wrong", "no_answer"):
        value = getattr(facts, name).value
        assert found[name].item() == pytest.approx(value), name
        assert value > 0, f"{name} is zero in the sample: nothing was compared"


def test_excess_flips(analysis: AuditAnalysis) -> None:
    metric = ExcessFlips(len(GROUPS), WORDINGS, REPEATS)
    metric.update(ANSWERS[:7])
    metric.update(ANSWERS[7:])
    assert analysis.facts is not None
    expected = analysis.facts.excess_flips
    found = metric.compute()
    for name in ("across", "wordings", "repeats", "excess"):
        assert found[name].item() == pytest.approx(getattr(expected, name)), name


def test_excess_flips_of_one_wording() -> None:
    alone = items_frame(row for row in items() if row.wording == 0 and row.turn == 0)
    expected = analyze(alone, GROUPS).facts
    assert expected is not None
    assert expected.excess_flips is not None
    metric = ExcessFlips(len(GROUPS), 1, REPEATS)
    metric.update(ANSWERS[:, :, :1])
    found = metric.compute()
    assert found["excess"].item() == pytest.approx(expected.excess_flips.excess)
    assert found["wordings"].isnan()
    once = ExcessFlips(len(GROUPS))
    once.update(ANSWERS[:, :, :1, :1])
    assert once.compute()["excess"].isnan()


def test_kappas(analysis: AuditAnalysis) -> None:
    metric = AgreementKappa(len(GROUPS), OPTIONS)
    metric.update(ANSWERS[:, :, 0, 0])
    assert analysis.facts is not None
    expected = analysis.facts.kappas[0]
    assert expected.options == OPTIONS
    assert metric.queries == expected.n_questions
    for name, value in metric.compute().items():
        assert value.item() == pytest.approx(getattr(expected, name)), name


def test_divergence(analysis: AuditAnalysis) -> None:
    metric = AnswerDivergence(len(GROUPS))
    known = (ANSWERS[:, :, 0, 0] >= 0).all(dim=1)
    metric.update(PROBABILITIES[known], torch.ones(int(known.sum()), OPTIONS, dtype=torch.bool))
    assert analysis.facts is not None
    assert analysis.facts.divergence is not None
    assert metric.compute().item() == pytest.approx(analysis.facts.divergence.value)


def test_turns(analysis: AuditAnalysis) -> None:
    metric = TurnFlips(len(GROUPS))
    metric.update(ANSWERS[:, :, 0, 0] == GOLD[:, None], GOLD[:, None] == LATER)
    for name, values in metric.compute().items():
        assert values.tolist() == pytest.approx([getattr(flips, name).value for flips in analysis.turns]), name


def test_preference(analysis: AuditAnalysis) -> None:
    metric = PreferenceAlignment(len(GROUPS))
    metric.update(PROBABILITIES, TARGETS)
    found = metric.compute()
    assert analysis.opinions is not None
    for ours, theirs in (("score", "own"), ("swapped", "swapped"), ("kept", "kept")):
        expected = [getattr(agent, theirs).value for agent in analysis.opinions.groups.values()]
        assert found[ours].tolist() == pytest.approx(expected), ours
