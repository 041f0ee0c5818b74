"""Groups of which the model is told the same."""

from __future__ import annotations

import pytest

from trialign.groups import GroupSet, Message, SocialGroup, cross, same_profiles

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
