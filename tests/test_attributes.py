"""Values of groups: numbers and categories, as vectors and as weights on what is known."""

from __future__ import annotations

import pytest

from trialign.attributes import Attribute, Category, check_values, standardised
from trialign.errors import UserError

pytestmark = pytest.mark.unit

AGE = Attribute("age", "age", trained=(20, 60), mean=40, scale=10, anchors=(("a:old", 60), ("a:young", 20)))
HOME = Attribute("home", "home", (Category("city", "City", "a city"), Category("farm", "Farm", "a farm")))


def test_standardised_numbers_and_categories() -> None:
    assert AGE.standardised(55) == (1.5,)
    assert HOME.standardised("farm") == (0, 1)
    assert standardised((AGE, HOME), {"home": "city", "age": 20}) == (-2, 1, 0)
    assert (AGE.width, HOME.width) == (1, 2)


def test_what_a_number_leans_on() -> None:
    assert AGE.leaning(30) == (("a:young", 0.75), ("a:old", 0.25))
    assert AGE.leaning(20) == (("a:young", 1.0),)
    assert AGE.leaning(60) == AGE.leaning(99) == (("a:old", 1.0),)
    assert AGE.leaning(1) == (("a:young", 1.0),)
    assert Attribute("age", "age").leaning(30) == ()
    assert HOME.leaning("city") == ()


def test_outside_the_trained_range_is_said() -> None:
    assert AGE.beyond(20) == AGE.beyond(60) == HOME.beyond("city") == ""
    assert AGE.beyond(19.5) == "The age 19.5 is outside the groups that were trained, 20 to 60"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"age": 30}, "'home' has no value. Give all of: age, home"),
        ({"age": 30, "home": "city", "x": 1}, "no attribute 'x'"),
    ],
)
def test_values_are_those_of_the_attributes(values: dict[str, float | str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_values((AGE, HOME), values)


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(UserError, match=r"The age is 'x', not a number. Give 'age' a number"):
        AGE.text("x")
    with pytest.raises(UserError, match="'home' is 'sea', a category that no group was told of"):
        HOME.text("sea")
    assert (AGE.text(30), AGE.shown(30.5), HOME.text("city"), HOME.shown("city")) == ("30", "30.5", "a city", "City")
