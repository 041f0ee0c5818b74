"""Figures of pressure: by hand, and by simulation where the truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from trialign.audit.figures.pressure import analyze_pressure, pressure_summary

pytestmark = pytest.mark.unit

GROUPS = ("a", "b")


def rows(
    right: np.ndarray, claim: np.ndarray, twin: np.ndarray, attack: str = "x", paraphrases: int = 1
) -> pd.DataFrame:
    """Arrays of 0 and 1, [questions, groups]: right alone, right under the claim, right under the twin."""
    made = [
        {
            "query_id": f"q{question:04d}",
            "cluster": f"c{question // paraphrases:04d}",
            "group": GROUPS[group],
            "attack": attack,
            "arm": arm,
            "right_before": bool(right[question, group]),
            "correct": bool(under[question, group]),
        }
        for question, group in np.ndindex(right.shape)
        for arm, under in (("claim", claim), ("twin", twin))
    ]
    return pd.DataFrame(made)


def test_rates_by_hand() -> None:
    # Group a is right on all four, b on the first two.
    right = np.array([[1, 1], [1, 1], [1, 0], [1, 0]])
    claim = np.array([[0, 1], [0, 0], [0, 1], [1, 0]])
    twin = np.array([[0, 1], [1, 1], [1, 0], [1, 0]])
    [found] = analyze_pressure(rows(right, claim, twin), GROUPS).attacks
    a, b = found.groups
    assert (a.right_to_wrong.n_questions, b.right_to_wrong.n_questions) == (4, 2)
    assert (a.right_to_wrong.claim.value, a.right_to_wrong.twin.value, a.right_to_wrong.effect.value) == (
        0.75,
        0.25,
        0.5,
    )
    assert (b.right_to_wrong.claim.value, b.right_to_wrong.twin.value, b.right_to_wrong.effect.value) == (0.5, 0.0, 0.5)
    assert a.wrong_to_right.n_questions == 0
    assert (b.wrong_to_right.n_questions, b.wrong_to_right.effect.value) == (2, 0.5)
    # Both were right on the first two: there the effects are 1/2 (0 and 1) and 1/2 (0 and 1).
    assert (found.n_common, found.gap) == (2, 0.0)
    assert found.p_value == found.p_holm == 1.0
    assert found.worst is not None


def test_the_order_of_the_rows_changes_nothing() -> None:
    generator = np.random.default_rng(5)
    right, claim, twin = (generator.integers(2, size=(30, 2)) for _ in range(3))
    made = rows(right, claim, twin, paraphrases=2)
    assert analyze_pressure(made.sample(frac=1, random_state=1), GROUPS) == analyze_pressure(made, GROUPS)


def test_the_mean_over_attacks_is_each_questions_mean() -> None:
    right = np.ones((2, 2))
    first = rows(right, np.array([[0, 1], [0, 1]]), right, "x")
    second = rows(right, np.array([[0, 1], [1, 1]]), right, "y")
    found = analyze_pressure(pd.concat([first, second]), GROUPS)
    assert found.overall.groups[0].right_to_wrong.claim.value == 0.75  # question 0: 1, question 1: a half
    assert found.overall.groups[0].right_to_wrong.n_questions == 2
    assert [one.attack for one in found.attacks] == ["x", "y"]


def test_p_values_are_corrected_for_the_number_of_attacks() -> None:
    right, one_sided = np.ones((12, 2)), np.tile([0, 1], (12, 1))
    hit, nothing = rows(right, one_sided, right, "x"), rows(right, right, right, "y")
    found = analyze_pressure(pd.concat([hit, nothing]), GROUPS)
    x, y = found.attacks
    assert x.gap == 1.0
    assert x.p_value is not None
    assert x.p_value < 0.01
    assert x.p_holm == pytest.approx(2 * x.p_value)
    assert y.p_holm == 1.0


def test_one_group_is_compared_with_nobody_and_one_question_has_the_widest_interval() -> None:
    one = np.ones((1, 1))
    [found] = analyze_pressure(rows(one, 0 * one, one), GROUPS[:1]).attacks
    assert (found.gap, found.p_value, found.p_holm) == (None, None, None)
    effect = found.groups[0].right_to_wrong.effect
    assert (effect.value, effect.low, effect.high) == (1.0, -1.0, 1.0)


def test_the_summary_holds_every_figure() -> None:
    right = np.ones((4, 2))
    found = analyze_pressure(rows(right, 0 * right, right), GROUPS)
    section = pressure_summary(found)
    assert section["attacks"]["x"]["right_to_wrong"]["a"]["claim"][0] == 1.0
    assert section["attacks"]["x"]["wrong_to_right"]["b"] == {
        "n_questions": 0,
        "claim": [None] * 3,
        "twin": [None] * 3,
        "effect": [None] * 3,
    }
    assert section["overall"]["n_common"] == 4


def test_intervals_hold_the_true_effect_and_equal_groups_are_rarely_told_apart() -> None:
    """Claims turn 40 % of right answers and twins 10 %, both groups alike; 60 facts, two paraphrases each."""
    generator = np.random.default_rng(0)
    covered = rejected = 0
    audits = 200
    for _ in range(audits):
        facts = 60
        shared = generator.random((facts, 1, 2))  # two paraphrases of a fact turn together
        right = np.ones((2 * facts, 2))
        claim = np.repeat(shared[:, 0] > 0.4, 2, axis=0).astype(float)
        twin = np.repeat(generator.random((facts, 2)) > 0.1, 2, axis=0).astype(float)
        [found] = analyze_pressure(rows(right, claim, twin, paraphrases=2), GROUPS).attacks
        effect = found.groups[0].right_to_wrong.effect
        assert effect.low is not None
        assert effect.high is not None
        covered += effect.low <= 0.3 <= effect.high
        rejected += (found.p_value or 1.0) <= 0.05
    assert covered >= 0.93 * audits
    assert rejected <= 0.09 * audits  # 5 % and two and a half standard errors
