from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trialign.objectives.config import InconsistencyConfig
from trialign.objectives.inconsistency import inconsistency, moved_penalty

pytestmark = pytest.mark.unit

GATES = ("none", "wrong_only", "anchor")
RHO = 0.25


def penalty(shares: list[list[float]], gold: int, gate: Any, padding: int = 0) -> float:
    """D of one query from the groups' distributions; ``padding`` absent options are put behind."""
    table = torch.tensor([[*row, *[0.0] * padding] for row in shares], dtype=torch.float64).log()
    config = InconsistencyConfig(gate=gate, anchor=RHO)
    value = inconsistency(table.unsqueeze(0), torch.tensor([gold]), torch.tensor([len(shares[0])]), config)
    assert value.shape == (1,)
    return float(value)


# h(1/4) = 1/4 log 4 + 3/4 log(4/3) = 0.562335.
# One right of three, K = 2, M = (1/3, 2/3): H(M) = log 3 - 2/3 log 2 = 0.636514, over log 2: 0.918296.
#   wrong_only: mean(0, 1, 1) of -log(2/3) = 0.405465, so 0.270310, over log 2: 0.389975.
#   anchor: M' = 1/4 (1, 0) + 3/4 (1/3, 2/3) = (1/2, 1/2), so log 2 over min(log 2, h + 3/4 log 3) = 1.
# All wrong alike: anchor has M' = (1/4, 3/4, 0): h over min(log K, h + 3/4 log 3 = 1.386294);
#   K = 3: 0.562335 / 1.098612 = 0.511860; K = 2: 0.562335 / 0.693147 = 0.811278.
# All different, K = 3: none 1; wrong_only: (0, 1, 1) of log 3, so 2/3;
#   anchor: M' = (1/2, 1/4, 1/4), H = 3/2 log 2 = 1.039721, over log 3: 0.946395.
# All different, K = 5: log min(3, 5) = log 3 bounds none and wrong_only alike, and anchor by 1.386294:
#   1.039721 / 1.386294 = 0.75.
RIGHT, WRONG, WORSE = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("shares", "none", "wrong_only", "anchor"),
    [
        pytest.param([RIGHT] * 3, 0.0, 0.0, 0.0, id="all-right"),
        pytest.param([WRONG] * 3, 0.0, 0.0, 0.511860, id="all-wrong-alike"),
        pytest.param([[0.0, 1.0]] * 3, 0.0, 0.0, 0.811278, id="all-wrong-alike-of-two"),
        pytest.param([RIGHT, WRONG, WORSE], 1.0, 2 / 3, 0.946395, id="all-different"),
        pytest.param([[*s, 0.0, 0.0] for s in (RIGHT, WRONG, WORSE)], 1.0, 2 / 3, 0.75, id="of-five"),
        pytest.param([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], 0.918296, 0.389975, 1.0, id="one-right"),
    ],
)
@pytest.mark.parametrize("padding", [0, 2])
def test_penalties_by_hand(
    shares: list[list[float]], none: float, wrong_only: float, anchor: float, padding: int
) -> None:
    assert penalty(shares, 0, "none", padding) == pytest.approx(none, abs=1e-6)
    assert penalty(shares, 0, "wrong_only", padding) == pytest.approx(wrong_only, abs=1e-6)
    assert penalty(shares, 0, "anchor", padding) == pytest.approx(anchor, abs=1e-6)


def test_undecided_groups_by_hand() -> None:
    shares = [[0.8, 0.2], [0.4, 0.6]]
    # M = (0.6, 0.4), H(M) = 0.673012; H(S) = 0.500402 and 0.673012, mean 0.586707; over log 2.
    assert penalty(shares, 0, "none") == pytest.approx(0.124511, abs=1e-6)
    # KL(S || M) = 0.091516 and 0.081093, times 0.2 and 0.6: mean 0.033479, over log 2.
    assert penalty(shares, 0, "wrong_only") == pytest.approx(0.048301, abs=1e-6)
    # M' = 0.25 (1, 0) + 0.75 (0.6, 0.4) = (0.7, 0.3), H = 0.610864; minus 0.75 x 0.586707; over log 2.
    assert penalty(shares, 0, "anchor") == pytest.approx(0.246461, abs=1e-6)


def test_equal_answers_are_consistent_however_undecided() -> None:
    shares = [[0.5, 0.3, 0.2]] * 4
    assert penalty(shares, 1, "none") == pytest.approx(0.0, abs=1e-12)
    assert penalty(shares, 1, "wrong_only") == pytest.approx(0.0, abs=1e-12)
    assert penalty(shares, 1, "anchor") > 0.1


@pytest.mark.parametrize("gate", GATES)
def test_one_group_has_none_to_differ_from(gate: str) -> None:
    assert penalty([[0.3, 0.7]], 0, gate) == 0.0


@pytest.mark.parametrize("gate", GATES)
def test_queries_do_not_mix(gate: Any) -> None:
    shares = [[[0.8, 0.2], [0.4, 0.6]], [[0.3, 0.7], [0.9, 0.1]], [[1.0, 0.0], [1.0, 0.0]]]
    value = inconsistency(
        torch.tensor(shares).log(),
        torch.tensor([0, 1, 0]),
        torch.tensor([2, 2, 2]),
        InconsistencyConfig(gate=gate, anchor=RHO),
    )
    alone = [penalty(one, gold, gate) for one, gold in zip(shares, (0, 1, 0), strict=True)]
    assert value.tolist() == pytest.approx(alone, abs=1e-6)
    assert len({round(one, 3) for one in alone}) == 3
    table = torch.tensor(shares[:1]).log()
    empty = inconsistency(
        table[:0], torch.tensor([], dtype=torch.long), torch.tensor([], dtype=torch.long), InconsistencyConfig()
    )
    assert empty.shape == (0,)


@st.composite
def answers(draw: st.DrawFn) -> tuple[Tensor, int]:
    groups, options = draw(st.integers(1, 5)), draw(st.integers(2, 5))
    scores = draw(
        st.lists(
            st.lists(st.floats(-300, 300), min_size=options, max_size=options),
            min_size=groups,
            max_size=groups,
        )
    )
    return torch.tensor(scores, dtype=torch.float32), draw(st.integers(0, options - 1))


@given(answers(), st.sampled_from(GATES), st.floats(0.01, 0.99))
def test_penalties_lie_between_zero_and_one_with_finite_gradients(
    case: tuple[Tensor, int], gate: Any, rho: float
) -> None:
    scores, gold = case
    scores = scores.unsqueeze(0).requires_grad_()
    value = inconsistency(
        scores.log_softmax(dim=2),
        torch.tensor([gold]),
        torch.tensor([scores.shape[2]]),
        InconsistencyConfig(gate=gate, anchor=rho),
    )
    assert -1e-5 <= float(value.detach()) <= 1 + 1e-5
    if value.requires_grad:
        value.sum().backward()
        assert scores.grad is not None
        assert scores.grad.isfinite().all()


def gradient_of(shares: list[list[float]], gate: Any) -> Tensor:
    """dD / d log S_g(k), the groups' log-probabilities taken as independent numbers."""
    table = torch.tensor([shares], dtype=torch.float64).log().requires_grad_()
    config = InconsistencyConfig(gate=gate, anchor=RHO)
    inconsistency(table, torch.tensor([0]), torch.tensor([len(shares[0])]), config).sum().backward()
    assert table.grad is not None
    return table.grad[0]


def test_wrong_only_pulls_no_right_agent_and_moves_no_mean() -> None:
    gradient = gradient_of([[1.0, 0.0], [0.4, 0.6]], "wrong_only")
    # The right agent is not pulled, and the mean, of which it is half, is a constant.
    assert gradient[0].tolist() == [0.0, 0.0]
    # M = (0.7, 0.3); agent 1: (1/2) 0.6 S(k) [log S(k) - log M(k) + 1] / log 2.
    expected = [0.3 * s * (math.log(s / m) + 1) / math.log(2) for s, m in ((0.4, 0.7), (0.6, 0.3))]
    assert gradient[1].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("gate", ["none", "anchor"])
def test_the_other_gates_pull_every_agent(gate: str) -> None:
    gradient = gradient_of([[0.9, 0.1], [0.4, 0.6]], gate)
    assert (gradient.abs().sum(dim=1) > 1e-3).all()


def test_anchor_pulls_a_wrong_consensus_toward_the_gold_answer() -> None:
    scores = torch.tensor([[[-1.0, 1.0], [-1.0, 1.0]]], requires_grad=True)
    config = InconsistencyConfig(gate="anchor", anchor=RHO)
    value = inconsistency(scores.log_softmax(dim=2), torch.tensor([0]), torch.tensor([2]), config)
    value.sum().backward()
    assert scores.grad is not None
    # Descent raises the gold option's score, of both agents alike.
    assert (scores.grad[0, :, 0] < 0).all()
    torch.testing.assert_close(scores.grad[0, 0], scores.grad[0, 1])


@given(st.integers(0, 200))
def test_the_penalty_of_some_groups_is_on_average_no_more_than_that_of_all(seed: int) -> None:
    """Before it is divided by its largest value: H of a mean is concave, and the mean of H is the same."""
    shares = torch.rand(4, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    rows = (shares / shares.sum(dim=1, keepdim=True)).tolist()
    whole = penalty(rows, 0, "none") * math.log(3)
    some = [penalty([rows[i] for i in chosen], 0, "none") * math.log(2) for chosen in combinations(range(4), 2)]
    assert 0 < sum(some) / len(some) <= whole


def test_where_groups_differ_little_the_penalty_of_some_is_a_known_part_of_that_of_all() -> None:
    """D is half the chi-square spread of the shares; of G of N groups on average (1 - 1/G) / (1 - 1/N) of it."""
    rows = [[0.5 + 0.01 * place, 0.5 - 0.01 * place] for place in (-2, -1, 0, 3)]
    whole = penalty(rows, 0, "none")
    some = [penalty([rows[i] for i in chosen], 0, "none") for chosen in combinations(range(4), 2)]
    assert sum(some) / len(some) / whole == pytest.approx((1 / 2) / (3 / 4), rel=1e-3)


def test_lambda_is_never_below_zero() -> None:
    config = InconsistencyConfig(budget=0.5, budget_rate=2.0)
    moved = [moved_penalty(torch.tensor(0.25), torch.tensor(share), config).item() for share in (0.0, 0.4, 0.5, 1.0)]
    assert moved == pytest.approx([0, 0.05, 0.25, 1.25])
