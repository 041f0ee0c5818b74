"""Groups of which the model is told the same, and groups by the values of attributes."""

from __future__ import annotations

import pytest

from trialign.attributes import Attribute, Category
from trialign.errors import UserError
from trialign.groups import GroupSet, Message, SocialGroup, Templates, cross, filled, same_profiles

pytestmark = pytest.mark.unit

DIALOGUE = (Message("user", "The tram woke me."), Message("assistant", "I hope you can rest."))


def a_set(*groups: SocialGroup) -> GroupSet:
    return GroupSet("places", "place", groups)


def test_groups_with_one_text_are_named_with_it() -> None:
    city = SocialGroup("city", "City", explicit=("The user lives in a city.", "The user is from town."))
    town = SocialGroup("town", "Town", explicit=("Something else.", "The user  lives in a City."))
    coast = SocialGroup("coast", "Coast", explicit=("The user lives by the sea.",))
    (found,) = same_profiles(a_set(city, coast, town))
    assert "'city' and 'town' have the same profile ('the user lives in a city.')" in found
    assert same_profiles(a_set(city, coast)) == []
    assert same_profiles(None) == []
    (found,) = same_profiles(cross((a_set(city, town), a_set(coast))))
    assert "'city' and 'town'" in found


def test_groups_with_one_dialogue() -> None:
    city = SocialGroup("city", "City", implicit=(DIALOGUE,))
    (found,) = same_profiles(a_set(city, SocialGroup("town", "Town", implicit=(DIALOGUE, DIALOGUE[:0]))))
    assert "(one dialogue)" in found


AGE = Attribute("age", "age in years", between=(18, 90), trained=(20, 75), mean=40, scale=20)
TOLD = Templates("{age} years", ("The user is {age} years old.",), ((Message("user", "I am {age}."),),))
AGES = GroupSet(
    "ages", "age", tuple(TOLD.group(f"a{n}", (AGE,), {"age": n}) for n in (20, 75)), stated=(AGE,), templates=TOLD
)
HOMES = a_set(
    SocialGroup("city", "City", explicit=("Of a city.",)), SocialGroup("farm", "Farm", explicit=("Of farms.",))
)


def test_a_group_is_told_by_its_values() -> None:
    assert AGES.members[0] == SocialGroup(
        "a20", "20 years", ("The user is 20 years old.",), ((Message("user", "I am 20."),),), attributes={"age": 20}
    )
    assert AGES.values("a75") == {"age": 75}
    new = AGES.told("new", {"age": 30.5})
    assert (new.name, new.label, new.explicit) == ("new", "30.5 years", ("The user is 30.5 years old.",))
    assert AGES.standardised({"age": 30}) == (-0.5,)  # (30 - 40) / 20
    assert AGES.beyond({"age": 75}) == AGES.beyond({"age": 20}) == []
    assert AGES.beyond({"age": 76}) == ["The age in years 76 is outside the groups that were trained, 20 to 75"]


def test_a_set_of_wordings_is_a_category() -> None:
    [place] = HOMES.attributes
    assert (place.name, [one.name for one in place.categories]) == ("places", ["city", "farm"])
    assert HOMES.values("farm") == {"places": "farm"}
    assert HOMES.standardised({"places": "farm"}) == (0, 1)
    assert HOMES.told("new", {"places": "farm"}).explicit == ("Of farms.",)
    with pytest.raises(UserError, match=r"'places' is 'sea', a category .* Write one of: city, farm"):
        HOMES.told("new", {"places": "sea"})


def test_a_product_has_the_values_of_its_parts() -> None:
    both = cross((AGES, HOMES))
    assert both.values("a75-farm") == {"age": 75, "places": "farm"} == dict(both.members[-1].attributes)
    assert both.standardised({"age": 60, "places": "farm"}) == (1, 0, 1)
    new = both.told("new", {"age": 30, "places": "farm"})
    assert (new.label, new.explicit) == ("30 years, Farm", ("The user is 30 years old. Of farms.",))
    assert new.attributes == {"age": 30, "places": "farm"}


def test_values_have_to_be_there_and_known() -> None:
    with pytest.raises(UserError, match=r"There is no attribute 'height'. Write one of: age"):
        AGES.told("new", {"age": 30, "height": 2})
    with pytest.raises(UserError, match="The attribute 'age' has no value"):
        AGES.standardised({})
    with pytest.raises(UserError, match="The age in years is 'old', not a number"):
        AGES.standardised({"age": "old"})


def test_wordings_of_members_tell_nobody_else() -> None:
    own = GroupSet("own", "age", AGES.members, stated=(AGE,))
    assert own.told("again", {"age": 75}).explicit == ("The user is 75 years old.",)
    with pytest.raises(UserError, match="No group of the set 'own' has these values, and no template"):
        own.told("new", {"age": 30})


def test_braces_that_are_doubled_stand_for_themselves() -> None:
    assert filled("{{x}} is {age}", {"age": "{30}"}) == "{x} is {30}"


def test_attributes_are_no_part_of_what_a_collection_is_known_by() -> None:
    group = AGES.members[0]
    assert set(group.profile) == {"name", "label", "explicit", "implicit", "role"}
    assert hash(group) == hash(AGES.members[0])


def test_categories_keep_their_own_texts() -> None:
    home = Attribute("home", "home", (Category("usa", "United States", "the United States"),))
    group = Templates("", ("In {home}.",)).group("x", (home,), {"home": "usa"})
    assert (group.label, group.explicit) == ("United States", ("In the United States.",))


def test_a_thousand_groups_are_held_against_each_other_in_a_moment() -> None:
    many = a_set(*(SocialGroup(f"g{n}", f"G{n}", explicit=(f"The user is {n // 2}.",)) for n in range(2000)))
    assert len(same_profiles(many)) == 1000


def test_the_first_members_of_a_set_and_the_control() -> None:
    three = [SocialGroup(name, name, explicit=(f"The user is {name}.",)) for name in ("x", "y", "z")]
    whole = GroupSet("places", "place", tuple(three), SocialGroup("control", "None", role="control"))
    some = whole.first(2)
    assert some.names == ("x", "y")
    assert some.control == whole.control
    assert whole.first(None) is whole.first(3) is whole
    both = cross((a_set(*three[:2]), GroupSet("times", "time", tuple(three[2:]))))
    with pytest.raises(UserError, match=r"audit\.groups=1 takes the first groups of one set"):
        both.first(1)
