from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trialign.composition import compose, config_root
from trialign.config import load
from trialign.objectives import welfare
from trialign.objectives.config import WelfareConfig
from trialign.objectives.welfare import WELFARES, moving_average, welfare_weights

pytestmark = pytest.mark.unit

OBJECTIVES = sorted((config_root() / "objective").glob("*.yaml"))
# a_T = a_P = 1, so that hand and paper suffice.
EQUAL = WelfareConfig(preference=1.0)
UNCLIPPED = replace(EQUAL, smallest=0.0, largest=math.inf)


def nash_log_welfare(utilities: Tensor, config: WelfareConfig) -> float:
    logs = (config.epsilon + utilities).log().sum(dim=0)
    return float(config.truth * logs[0] + config.preference * logs[1])


def test_nash_weights_by_hand() -> None:
    utilities = torch.tensor([[0.24, 0.49], [0.99, 0.49]])
    # 1 / (0.01 + u): 4, 2, 1, 2 with the mean 9/4.
    expected = torch.tensor([[16 / 9, 8 / 9], [4 / 9, 8 / 9]])
    torch.testing.assert_close(welfare_weights(utilities, EQUAL), expected)


def test_nash_weights_are_the_gradient_of_the_nash_welfare() -> None:
    config = WelfareConfig(truth=1.0, preference=0.5, epsilon=0.05, smallest=0.0, largest=math.inf)
    utilities = torch.tensor([[0.2, 0.5], [0.8, 0.4], [0.05, 0.95]], dtype=torch.float64)
    step = 1e-6
    gradient = torch.zeros_like(utilities)
    for index in range(6):
        change = torch.zeros(6, dtype=torch.float64)
        change[index] = step
        higher, lower = utilities + change.view(3, 2), utilities - change.view(3, 2)
        difference = nash_log_welfare(higher, config) - nash_log_welfare(lower, config)
        gradient.view(-1)[index] = difference / (2 * step)
    # The weights are the gradient over its mean.
    torch.testing.assert_close(welfare_weights(utilities, config) * gradient.mean(), gradient, atol=1e-6, rtol=1e-6)


def test_utilitarian_weights_are_constant() -> None:
    config = WelfareConfig(kind="utilitarian", truth=1.0, preference=3.0)
    # The mean of 1 and 3 is 2.
    expected = torch.tensor([[0.5, 1.5], [0.5, 1.5]])
    torch.testing.assert_close(welfare_weights(torch.tensor([[0.1, 0.9], [0.7, 0.2]]), config), expected)


def test_egalitarian_weights_are_the_worst_groups_alone() -> None:
    config = WelfareConfig(kind="egalitarian", truth=1.0, preference=3.0, smallest=0.0, largest=math.inf)
    # Truth: the second of three groups. Preference: the first and the last are equally badly off and share 3.
    utilities = torch.tensor([[0.5, 0.2], [0.1, 0.9], [0.7, 0.2]])
    # 1, 1.5 and 1.5 over the mean of all six, 4/6.
    expected = torch.tensor([[0.0, 2.25], [1.5, 0.0], [0.0, 2.25]])
    torch.testing.assert_close(welfare_weights(utilities, config), expected)
    # Under the default clips nobody is left without a gradient.
    assert welfare_weights(utilities, replace(EQUAL, kind="egalitarian")).min() == pytest.approx(0.1)


def test_gini_weights_fall_with_the_rank() -> None:
    config = WelfareConfig(kind="generalized_gini", preference=0.0, smallest=0.0, largest=math.inf)
    # Three groups: 5/9, 3/9 and 1/9 from the smallest up; over their mean of 1/3: 5/3, 1, 1/3.
    weights = welfare_weights(torch.tensor([[0.5, 0.5], [0.1, 0.5], [0.7, 0.5]]), config)
    torch.testing.assert_close(weights, torch.tensor([[1.0, 0.0], [5 / 3, 0.0], [1 / 3, 0.0]]))
    # Two that are equally badly off share the weights of the first two ranks.
    weights = welfare_weights(torch.tensor([[0.1, 0.5], [0.1, 0.5], [0.7, 0.5]]), config)
    torch.testing.assert_close(weights[:, 0], torch.tensor([4 / 3, 4 / 3, 1 / 3]))


def test_the_weighted_sum_of_the_gini_welfare_is_mean_minus_half_the_mean_difference() -> None:
    # Weymark 1981 with Gini's weights: W = mean (1 - Gini index) = mean - sum |u - v| / (2 G^2).
    utilities = torch.tensor([0.3, 0.8, 0.45, 0.1], dtype=torch.float64)
    config = WelfareConfig(kind="generalized_gini", preference=0.0, smallest=0.0, largest=math.inf)
    weights = welfare_weights(torch.stack([utilities, utilities], dim=1), config)[:, 0] / 4
    differences = (utilities.unsqueeze(0) - utilities.unsqueeze(1)).abs().sum() / (2 * 16)
    assert (weights * utilities).sum().item() == pytest.approx((utilities.mean() - differences).item())


def test_power_weights_by_hand() -> None:
    utilities = torch.tensor([[0.24, 0.49], [0.99, 0.49]])
    # (0.01 + u)^-2: 16, 4, 1, 4 with the mean 25/4.
    weights = welfare_weights(utilities, replace(EQUAL, kind="p_mean", power=-1.0))
    torch.testing.assert_close(weights, torch.tensor([[2.56, 0.64], [0.16, 0.64]]))


def test_the_power_mean_reaches_from_the_sum_over_nash_to_the_smallest() -> None:
    utilities = torch.tensor([[0.24, 0.49], [0.99, 0.4]])

    def weights(kind: Any, power: float = 0.0) -> Tensor:
        return welfare_weights(utilities, replace(UNCLIPPED, kind=kind, power=power))

    torch.testing.assert_close(weights("p_mean", 1.0), weights("utilitarian"))
    torch.testing.assert_close(weights("p_mean", 0.0), weights("nash"))
    lowest = weights("p_mean", -60.0)
    assert lowest[0, 0] > 3.999
    assert lowest.sum().item() == pytest.approx(4.0)


def test_weights_are_clipped_after_the_division_by_their_mean() -> None:
    utilities = torch.tensor([[0.0, 0.99], [0.99, 0.99]])
    # 1 / (0.01 + u): 100, 1, 1, 1 with the mean 25.75: 3.883 and 0.0388.
    config = replace(EQUAL, smallest=0.5, largest=3.0)
    torch.testing.assert_close(welfare_weights(utilities, config), torch.tensor([[3.0, 0.5], [0.5, 0.5]]))
    default = welfare_weights(utilities, EQUAL)
    torch.testing.assert_close(default, torch.tensor([[100 / 25.75, 0.1], [0.1, 0.1]]))


def test_a_kind_that_the_data_lacks_weighs_nothing() -> None:
    utilities = torch.tensor([[0.24, math.nan], [0.99, math.nan]])
    # 4 and 1 with the mean 2.5 of those that are there.
    expected = torch.tensor([[1.6, 0.0], [0.4, 0.0]])
    torch.testing.assert_close(welfare_weights(utilities, EQUAL), expected)
    assert welfare_weights(torch.full((2, 2), math.nan), EQUAL).tolist() == [[0, 0], [0, 0]]


def test_a_share_of_zero_is_not_clipped_up() -> None:
    weights = welfare_weights(torch.tensor([[0.5, 0.5]]), WelfareConfig(preference=0.0))
    assert weights[0, 1] == 0
    assert weights[0, 0] > 0


def test_weights_are_constants() -> None:
    utilities = torch.tensor([[0.5, 0.4]], requires_grad=True)
    assert not welfare_weights(utilities, EQUAL).requires_grad


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6))
def test_the_mean_is_one_and_the_worse_off_weigh_more(rows: list[tuple[float, float]]) -> None:
    utilities = torch.tensor(rows, dtype=torch.float64)
    weights = welfare_weights(utilities, UNCLIPPED)
    assert float(weights.mean()) == pytest.approx(1.0)
    order = utilities.flatten().argsort()
    assert (weights.flatten()[order].diff() <= 1e-12).all()
    clipped = welfare_weights(utilities, EQUAL)
    assert ((clipped >= 0.1) & (clipped <= 10)).all()


def test_moving_averages_by_hand() -> None:
    utilities = torch.tensor([[0.5, math.nan], [0.2, math.nan]])
    sums, counts = torch.tensor([[3.0, 0.0], [1.0, 0.0]]), torch.tensor([4, 0])
    first = moving_average(utilities, sums, counts, decay=0.9)
    # 0.9 x 0.5 + 0.1 x 3/4 and 0.9 x 0.2 + 0.1 x 1/4; nothing was seen of the second kind.
    assert first[:, 0].tolist() == pytest.approx([0.525, 0.205])
    assert first[:, 1].isnan().all()
    second = moving_average(first, torch.tensor([[9.0, 1.0], [9.0, 2.0]]), torch.tensor([0, 4]), decay=0.9)
    # The first kind keeps its averages; the second begins with its means.
    assert second[:, 0].tolist() == first[:, 0].tolist()
    assert second[:, 1].tolist() == pytest.approx([0.25, 0.5])


def test_groups_that_a_step_did_not_ask_keep_their_averages() -> None:
    utilities = torch.tensor([[0.5, math.nan], [0.2, math.nan], [0.4, math.nan]])
    sums, counts = torch.tensor([[3.0, 0.0], [0.0, 0.0], [1.0, 0.0]]), torch.tensor([4, 0])
    moved = moving_average(utilities, sums, counts, 0.9, torch.tensor([2, 0]))
    # 0.9 x 0.5 + 0.1 x 3/4, and 0.9 x 0.4 + 0.1 x 1/4; the second was not asked.
    assert moved[:, 0].tolist() == pytest.approx([0.525, 0.2, 0.385])


@pytest.mark.parametrize("power", [-100.0, -20.0])
def test_a_power_far_below_zero_counts_the_smallest_utility_alone(power: float) -> None:
    config = WelfareConfig(kind="p_mean", power=power, epsilon=0.01, smallest=0.0, largest=100.0)
    weights = welfare_weights(torch.tensor([[0.0, float("nan")], [0.5, float("nan")], [0.9, float("nan")]]), config)
    assert weights[:, 0].tolist() == pytest.approx([3.0, 0.0, 0.0], abs=1e-6)
    assert weights[:, 1].tolist() == [0.0, 0.0, 0.0]


def test_the_shipped_welfares_are_those_of_the_table() -> None:
    stated = {load(compose("conf/base.yaml", [f"objective={path.stem}"])).objective.welfare.kind for path in OBJECTIVES}
    assert stated == set(WELFARES)


def test_a_new_welfare_is_one_function_and_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    # The example of docs/method.md: W = sum_g a_T sqrt(eps + A_g), whose slope is a_T / (2 sqrt(eps + A_g)).
    page = (Path(__file__).parents[2] / "docs" / "method.md").read_text(encoding="utf-8")
    shown = page.partition("### A welfare")[2].partition("```python\n")[2].partition("```")[0]
    made: dict[str, Any] = {**vars(welfare), "WELFARES": {}}
    exec(shown, made)
    for name, slopes in made["WELFARES"].items():
        monkeypatch.setitem(WELFARES, name, slopes)
    composed = compose("conf/base.yaml", ["objective.welfare.kind=root", "objective.welfare.preference=1"])
    config = load(composed).objective.welfare
    # 1 / (2 sqrt(u)) at 0.25 and 1: 1 and 1/2, over their mean 3/4.
    utilities = torch.tensor([[0.24, math.nan], [0.99, math.nan]])
    assert welfare_weights(utilities, config)[:, 0].tolist() == pytest.approx([4 / 3, 2 / 3])
