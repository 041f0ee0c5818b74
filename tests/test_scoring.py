"""From scores to S_g."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialign.scoring import Scoring, likeliest, option_values

pytestmark = pytest.mark.unit

scores_of_options = st.lists(st.floats(-5000, 0), min_size=1, max_size=8)
temperatures = st.floats(0.01, 100)


def test_distributions_by_hand() -> None:
    scores = [math.log(0.1), math.log(0.3)]
    # exp: 0.1 and 0.3 of 0.4.
    assert Scoring().distribution(option_values(scores, [1, 1])) == pytest.approx((0.25, 0.75))
    # Divided by 1 and 2: 0.1 and sqrt(0.3) = 0.547723 of 0.647723.
    assert Scoring().distribution(option_values(scores, [1, 2])) == pytest.approx((0.154387, 0.845613), abs=1e-6)
    # Without the question they had 0.2 and 0.9: 1/2 and 1/3 of 5/6.
    unasked = [math.log(0.2), math.log(0.9)]
    assert Scoring().distribution(option_values(scores, [1, 1], unasked)) == pytest.approx((0.6, 0.4))
    # At temperature 2 the odds are sqrt(3) to one: 1 / (1 + 1.732051).
    assert Scoring("sum", 2.0).distribution(scores) == pytest.approx((0.366025, 0.633975), abs=1e-6)


def test_every_option_has_its_own_size_and_its_own_score_without_the_question() -> None:
    with pytest.raises(ValueError, match="shorter"):
        option_values([-1.0, -2.0], [1])
    with pytest.raises(ValueError, match="shorter"):
        option_values([-1.0, -2.0], [1, 1], [-3.0])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_distribution_follows_from_what_is_no_number(value: float) -> None:
    with pytest.raises(ValueError, match="no distribution follows"):
        Scoring().distribution([-1.0, value])


@given(scores_of_options, temperatures)
def test_shares_sum_to_one_however_improbable(scores: list[float], temperature: float) -> None:
    shares = Scoring("sum", temperature).distribution(scores)
    assert sum(shares) == pytest.approx(1.0)


@given(scores_of_options, temperatures)
def test_no_temperature_changes_the_answer(scores: list[float], temperature: float) -> None:
    shares = replace(Scoring(), temperature=temperature).distribution(scores)
    assert max(shares) == shares[scores.index(max(scores))]


def test_of_equal_shares_the_first_is_the_answer() -> None:
    assert [likeliest(shares) for shares in ((0.2, 0.4, 0.4), (0.5, 0.5), (1.0,), (0.1, 0.2, 0.7))] == [1, 0, 0, 2]
