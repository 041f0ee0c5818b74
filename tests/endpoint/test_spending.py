"""Tokens and costs: added up, limited, and read from a file of prices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trialign.endpoint.replies import Reply, used_tokens
from trialign.endpoint.spending import Prices, Spending, Usage, read_prices
from trialign.errors import UnfinishedError, UserError

pytestmark = pytest.mark.unit

PRICES = Prices(prompt=2.0, reply=10.0, currency="EUR")


def reply(prompt: int | None, said: int | None) -> Reply:
    return Reply("B", "stop", "m", (), prompt, said)


def test_what_is_used_is_added_up_and_what_was_kept_is_counted_apart() -> None:
    spending = Spending(prices=PRICES)
    spending.asked(reply(300, 20))
    spending.asked(reply(500, 5))
    spending.asked(reply(None, 7))
    spending.found()
    spending.found()
    assert spending.used == Usage(requests=3, prompt_tokens=800, reply_tokens=32, untold=1, kept=2)
    # 800 of a million at 2, and 32 of a million at 10.
    record = spending.used.record(PRICES)
    assert (record["cost"], record["currency"]) == (pytest.approx(0.00192), "EUR")
    assert "cost" not in spending.used.record(None)


def test_the_limit_of_tokens_is_reached_by_prompts_and_replies_together() -> None:
    spending = Spending(most_tokens=100)
    spending.check("a")
    spending.asked(reply(60, 39))
    spending.check("a")
    spending.asked(reply(0, 1))
    with pytest.raises(
        UnfinishedError, match=r"most_tokens=100 is reached: 100 tokens were used\. .*kept in a\b.*goes on"
    ):
        spending.check("a")


def test_the_limit_of_cost_counts_prompts_and_replies_at_their_own_prices() -> None:
    spending = Spending(most_cost=0.00192, prices=PRICES)
    spending.asked(reply(800, 31))
    spending.check("a")
    spending.asked(reply(0, 1))
    with pytest.raises(UnfinishedError, match=r"most_cost=0\.00192 is reached: 0\.0019 EUR were spent"):
        spending.check("a")


@pytest.mark.parametrize("limits", [{"most_tokens": 10**9}, {"most_cost": 1e9, "prices": PRICES}])
def test_a_limit_on_what_is_not_told_is_refused(limits: Any) -> None:
    with pytest.raises(UserError, match="does not tell how many tokens"):
        Spending(**limits).asked(reply(5, None))


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 7, "completion_tokens": 0}, (7, 0)),
        ({"prompt_tokens": 7}, (7, None)),
        ({"prompt_tokens": True, "completion_tokens": "3"}, (None, None)),
        ({"prompt_tokens": -1, "completion_tokens": 2.0}, (None, None)),
        (None, (None, None)),
        ("many", (None, None)),
    ],
)
def test_only_counts_are_taken_for_counts(usage: Any, expected: tuple[int | None, int | None]) -> None:
    assert used_tokens({"usage": usage}) == expected
    assert used_tokens({}) == (None, None)


def test_prices_are_of_the_model_that_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("currency: EUR\nmodels: {other: {prompt: 1, reply: 1}, mine: {prompt: 2, reply: 10.0}}\n")
    assert read_prices(file, "mine") == PRICES
    file.write_text("models: {mine: {prompt: 0, reply: 0.5}}\n")
    assert read_prices(file, "mine") == Prices(0.0, 0.5, "USD")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("models: {other: {prompt: 1, reply: 1}}", "no prices of the model 'mine'"),
        ("", "no prices"),
        ("[1]", "no prices"),
        ("models: [mine]", "no prices"),
        ("models: {mine: 3}", "no prices"),
        ("models: {mine: {prompt: 1}}", "not two numbers"),
        ("models: {mine: {prompt: -1, reply: 1}}", "not two numbers"),
        ("models: {mine: {prompt: .nan, reply: 1}}", "not two numbers"),
        ("models: {mine: {prompt: true, reply: 1}}", "not two numbers"),
        ("currency: 7\nmodels: {mine: {prompt: 1, reply: 1}}", "currency"),
        ("currency: ''\nmodels: {mine: {prompt: 1, reply: 1}}", "currency"),
        ("models: {mine", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_prices_that_are_none_are_refused_with_their_form(text: str | None, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=fault) as raised:
        read_prices(file, "mine")
    assert "currency: USD, and models:" in raised.value.remedy
