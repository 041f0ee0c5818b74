from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialign.queries import Form, TruthQuery
from trialign.rewards import (
    disagreement,
    form_reward,
    preference_reward_of_choice,
    preference_reward_of_distribution,
    truth_reward,
)

pytestmark = pytest.mark.unit

QUERY = TruthQuery(
    query_id="q",
    cluster="q",
    split="train",
    topic="",
    question="Capital?",
    options=("Paris", "Lyon"),
    gold="Paris",
)


@pytest.mark.parametrize(("canonical", "reward"), [("Paris", 1.0), ("Lyon", 0.0), (None, 0.0)])
def test_truth_reward(canonical: str | None, reward: float) -> None:
    assert truth_reward(QUERY, canonical) == reward


def test_preference_reward_of_choice() -> None:
    target = (0.2, 0.5, 0.3)  # max 0.5
    # 0.2 / 0.5 = 0.4, 0.5 / 0.5 = 1, 0.3 / 0.5 = 0.6
    assert [preference_reward_of_choice(target, k) for k in range(3)] == pytest.approx([0.4, 1.0, 0.6])
    assert preference_reward_of_choice(target, None) == 0.0


@pytest.mark.parametrize("index", [-1, 3])
def test_preference_reward_refuses_a_wrong_index(index: int) -> None:
    with pytest.raises(ValueError, match="of 3"):
        preference_reward_of_choice((0.2, 0.5, 0.3), index)


@pytest.mark.parametrize(
    ("target", "probabilities", "reward"),
    [
        ((0.5, 0.5), (0.5, 0.5), 1.0),
        ((1.0, 0.0), (0.0, 1.0), 0.0),
        ((0.7, 0.2, 0.1), (0.4, 0.4, 0.2), 0.7),  # TV = (0.3 + 0.2 + 0.1) / 2 = 0.3
    ],
)
def test_preference_reward_of_distribution(
    target: tuple[float, ...], probabilities: tuple[float, ...], reward: float
) -> None:
    assert preference_reward_of_distribution(target, probabilities) == pytest.approx(reward)


def test_preference_reward_of_distribution_refuses_unequal_shapes() -> None:
    with pytest.raises(ValueError, match="shape"):
        preference_reward_of_distribution((0.5, 0.5), (1.0,))


@pytest.mark.parametrize(
    ("form", "text", "reward"),
    [
        (Form(), "anything", 1.0),
        (Form(), "", 1.0),
        (Form(max_words=3), "one two three", 1.0),
        (Form(max_words=2), "one two three", 0.0),
        (Form(min_words=3), "one two three", 1.0),
        (Form(min_words=4), "one two three", 0.0),
        (Form(layout="list"), "Here:\n- one\n- two", 1.0),
        (Form(layout="list"), "1. one\n2) two", 1.0),
        (Form(layout="prose"), "* one", 0.0),
        (Form(layout="prose"), "It is 3 - or 1. Well.", 1.0),  # markers count at the start of a line only
        (Form(layout="list"), "plain", 0.0),
        (Form(max_words=2, layout="list"), "- one\n- two", 1.0),  # markers are no words
        (Form(max_words=5, min_words=3, layout="list"), "one two", 1 / 3),  # only max_words is met
        (Form(max_words=5, layout="prose"), " \n", 0.0),  # silence is not brief
        (Form(max_words=5, layout="list"), "- ", 0.0),
    ],
)
def test_form_reward(form: Form, text: str, reward: float) -> None:
    assert form_reward(form, text) == pytest.approx(reward)


@pytest.mark.parametrize(
    ("others", "own", "value"),
    [
        (("a", "a", "b", None), "a", 0.5),  # 2 of 4 agree
        (("a", "a"), "a", 0.0),
        (("b", None), "a", 1.0),
        ((None, None), None, 1.0),  # no answer matches nothing, not even another one
        ((), "a", 0.0),
        ((), None, 0.0),
    ],
)
def test_disagreement(others: tuple[str | None, ...], own: str | None, value: float) -> None:
    assert disagreement(others, own) == pytest.approx(value)


@given(st.lists(st.sampled_from(["a", "b", None])), st.sampled_from(["a", "b", None]))
def test_disagreement_is_a_share(others: list[str | None], own: str | None) -> None:
    assert 0.0 <= disagreement(others, own) <= 1.0
