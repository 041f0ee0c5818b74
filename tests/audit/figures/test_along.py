"""Accuracy along an attribute: by hand, and on simulated audits whose truth is known."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from trialign.attributes import Attribute, Category
from trialign.audit.figures.along import (
    AlongAttribute,
    along_attributes,
    simultaneous_band,
    trend_over_groups,
    trend_within,
)
from trialign.audit.figures.analysis import analyze, read_analysis, write_analysis
from trialign.audit.figures.statistics import Floats
from trialign.audit.files.items import items_frame

from .test_analysis import answers

pytestmark = pytest.mark.unit

AGE = Attribute("age", "age in years")
HOME = Attribute("home", "home", (Category("city", "City", "city"), Category("farm", "Farm", "farm")))


def along(correct: Floats, values: list[dict[str, Any]], *attributes: Attribute) -> tuple[AlongAttribute, ...]:
    answers = np.where(correct > 0, 0, 1)
    clusters = np.arange(len(correct))
    return along_attributes(correct, answers, clusters, values, attributes or (AGE,), confidence=0.95, seed=0)


def ages(*numbers: float) -> list[dict[str, Any]]:
    return [{"age": number} for number in numbers]


def test_a_curve_by_hand() -> None:
    # Ages 20, 20, 45 and 75; accuracies 1, 1/2, 1/4 and 0.
    correct = np.array([[1.0, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]])
    [age] = along(correct, ages(20, 20, 45, 75))
    assert [(one.value, one.label, one.groups) for one in age.curve] == [(20, "20", 2), (45, "45", 1), (75, "75", 1)]
    assert [one.accuracy for one in age.curve] == pytest.approx([3 / 4, 1 / 4, 0])
    assert all(0 <= one.low <= one.accuracy <= one.high <= 1 for one in age.curve)
    assert age.curve[2].high > 0.3  # nobody was right, and 4 facts say little
    assert age.trend is not None
    slope = np.polyfit([20, 20, 45, 75], correct.mean(axis=0), 1)[0]
    assert age.trend.change == pytest.approx(slope * 55)
    assert age.trend.p_groups is None  # four groups are too few
    assert (age.label, age.numeric, age.p_any) == ("age in years", True, None)


def test_many_values_are_put_together_and_equal_ones_stay_together() -> None:
    numbers = [*np.arange(30.0), *([50.0] * 30)]
    [age] = along(np.ones((3, 60)), ages(*numbers))
    assert len(age.curve) <= 12
    assert sum(one.groups for one in age.curve) == 60
    assert (age.curve[-1].label, age.curve[-1].groups) == ("50", 30)
    assert age.curve[0].label == "0 to 4"
    assert age.curve[0].value == 2


def test_categories_have_points_and_no_trend() -> None:
    values = [{"home": home} for home in ("farm", "city", "farm", "city", "farm", "city")]
    correct = np.tile([1.0, 0, 1, 0, 1, 0], (5, 1))
    [home] = along(correct, values, HOME)
    assert [(one.value, one.label, one.groups, one.accuracy) for one in home.curve] == [
        ("city", "City", 3, 0),
        ("farm", "Farm", 3, 1),
    ]
    assert (home.trend, home.flips, home.p_flips) == (None, (), None)
    # 2 of the 20 ways to deal three cities to six groups part them so.
    assert home.p_any == pytest.approx(0.1, abs=0.03)


def test_what_is_alike_in_all_groups_is_left_out() -> None:
    values = [{"age": 30, "home": "city"}, {"age": 30, "home": "farm"}]
    assert [one.name for one in along(np.eye(2), values, AGE, HOME)] == ["home"]


def test_the_test_within_clusters_is_that_of_all_ways() -> None:
    sums = np.array([[3.0, 1, 0], [2, 2, 1]])
    weights = np.array([-25.0, 0, 25])
    seen = abs(float(sums.sum(axis=0) @ weights))
    ways = [abs(float((np.array(a) + np.array(b)) @ weights)) for a, b in product(*map(permutations, sums.tolist()))]
    exact = np.mean([way >= seen - 1e-9 for way in ways])
    assert trend_within(sums, weights, 0) == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 2000) ** 0.5)
    assert trend_within(np.ones((4, 3)), weights, 0) == 1


def test_a_trend_is_never_impossible() -> None:
    sums, weights = np.tile([1.0, 0.5, 0], (700, 1)), np.array([-1.0, 0, 1])
    assert 0 < trend_within(sums, weights, 0) < 1e-9
    assert trend_within(sums[:50], weights, 0) == pytest.approx(1 / 2001)
    assert trend_over_groups(np.arange(10.0), np.arange(10.0) - 4.5, 0) == pytest.approx(1 / 2001, abs=1 / 1000)


@pytest.mark.parametrize(("clusters", "simulations"), [(40, 120), (700, 300)])
def test_the_trend_test_keeps_its_level(clusters: int, simulations: int) -> None:
    generator = np.random.default_rng(1)
    weights = np.array([20.0, 45, 75]) - 140 / 3
    rejected = 0
    for _ in range(simulations):
        fact = generator.random((clusters, 1)) < 0.5  # some facts are known to all, so that groups go along
        sums = np.where(fact, generator.random((clusters, 1)) < 0.7, generator.random((clusters, 3)) < 0.7)
        rejected += trend_within(sums.astype(float), weights, 0) <= 0.05
    assert binom.ppf(0.001, simulations, 0.05) <= rejected <= binom.ppf(0.999, simulations, 0.05)


def test_over_whole_groups_other_differences_are_no_trend() -> None:
    generator = np.random.default_rng(2)
    simulations, within, over = 100, 0, 0
    for _ in range(simulations):
        numbers = generator.uniform(18, 90, 24)
        skills = 0.6 + generator.normal(0, 0.08, 24)  # the groups differ, and age has nothing to do with it
        correct = (generator.random((600, 24)) < skills).astype(float)
        within += trend_within(correct, numbers - numbers.mean(), 0) <= 0.05
        over += trend_over_groups(correct.sum(axis=0), numbers - numbers.mean(), 0) <= 0.05
    assert over <= binom.ppf(0.999, simulations, 0.05)
    assert within > 30  # that these groups are not exchangeable is true, and why the other test stands beside


def test_a_true_trend_is_found_with_its_size() -> None:
    generator = np.random.default_rng(5)
    numbers = np.linspace(20, 80, 13)
    correct = (generator.random((800, 13)) < 0.8 - 0.1 * (numbers - 20) / 60).astype(float)
    [age] = along(correct, ages(*numbers))
    assert age.trend is not None
    assert age.trend.low is not None
    assert age.trend.high is not None
    assert age.trend.low <= -0.1 <= age.trend.high < 0
    assert age.trend.p_value < 0.001
    assert age.trend.p_groups is not None
    assert age.trend.p_groups < 0.001


@pytest.mark.parametrize("clusters", [60, 300])
def test_the_band_holds_the_whole_curve(clusters: int) -> None:
    generator = np.random.default_rng(11)
    true = np.array([0.9, 0.75, 0.6, 0.5, 0.6, 0.7])
    counts, simulations, covered = np.full(clusters, 2.0), 300 if clusters < 100 else 120, 0
    for number in range(simulations):
        drawn = np.where(
            generator.random((clusters, 1)) < 0.6, generator.random((clusters, 1)), generator.random((clusters, 6))
        )
        lows, highs = simultaneous_band(2.0 * (drawn < true), counts, confidence=0.95, seed=number)
        covered += bool(((lows <= true) & (true <= highs)).all())
    # By the binomial, fewer would be seen once in a thousand times; few clusters cost a little.
    assert covered >= binom.ppf(0.001, simulations, 0.95 if clusters > 100 else 0.93)
    assert covered < simulations


def test_a_point_without_any_spread_has_a_band_all_the_same() -> None:
    sums = np.stack([np.ones(50), np.arange(50) % 2], axis=1)
    lows, highs = simultaneous_band(sums, np.ones(50), confidence=0.95, seed=0)
    assert 0.8 < lows[0] < 1 == highs[0]
    assert lows[1] < 0.5 < highs[1]


def test_groups_with_attributes_are_told_along_them(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    names = tuple(f"g{place}" for place in range(10))
    ages = {name: {"age": 20.0 + 5 * place, "home": "ab"[place % 2]} for place, name in enumerate(names)}
    right = generator.random((60, 10)) < np.linspace(0.9, 0.5, 10)
    table = {f"q{n}": ["yes" if one else "no" for one in row] for n, row in enumerate(right)}
    items = items_frame(answers(table, names))
    homes = (Category("a", "A", "a"), Category("b", "B", "b"))
    stated = ((Attribute("age", "age in years"), Attribute("home", "home", homes)), ages)
    analysis = analyze(items, names, stated=stated)
    age, home = analysis.attributes
    assert [point.value for point in age.curve] == [20.0 + 5 * place for place in range(10)]
    assert [point.accuracy for point in age.curve] == pytest.approx(right.mean(axis=0).tolist())
    assert age.trend is not None
    assert age.trend.p_value < 0.01
    assert [point.groups for point in home.curve] == [5, 5]
    assert analysis.group_spread is not None
    assert analysis.group_spread.p_value < 0.01
    write_analysis(tmp_path / "analysis.json", analysis)
    assert read_analysis(tmp_path / "analysis.json") == analysis
    # Groups that state nothing, or not all of them, have no curve; few ones no distribution.
    assert analyze(items, names).attributes == ()
    assert analyze(items, names, stated=(stated[0], {"g0": ages["g0"]})).attributes == ()
    assert analyze(items, names[:7]).group_spread is None
