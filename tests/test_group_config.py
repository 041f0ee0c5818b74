from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from trialign.errors import UserError
from trialign.group_config import build_groups, configured_sets, section_of
from trialign.groups import GroupSet, Message, SocialGroup, cross

pytestmark = pytest.mark.unit

DIALOGUE = [{"role": "user", "content": "I campaign."}, {"role": "assistant", "content": "Good luck."}]
CONFIG: dict[str, Any] = {
    "name": "politics",
    "attribute": "political leaning",
    "members": {
        "left": {"label": "Left", "explicit": ["I am on the left.", "I vote left."], "implicit": [DIALOGUE]},
        "right": {"label": "Right", "explicit": ["I am on the right."], "implicit": [DIALOGUE + DIALOGUE]},
    },
    "control": {"label": "No profile"},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The configuration with one value set, by a path such as ``members.left.label``."""
    config = deepcopy(CONFIG)
    *parents, last = path.split(".")
    place = config
    for key in parents:
        place = place[key]
    place[last] = value
    return config


def test_builds_the_set() -> None:
    turns = (Message("user", "I campaign."), Message("assistant", "Good luck."))
    assert build_groups(CONFIG) == GroupSet(
        name="politics",
        attribute="political leaning",
        members=(
            SocialGroup("left", "Left", ("I am on the left.", "I vote left."), (turns,)),
            SocialGroup("right", "Right", ("I am on the right.",), (turns + turns,)),
        ),
        control=SocialGroup("control", "No profile", role="control"),
    )


def test_control_may_be_null_or_absent() -> None:
    assert build_groups(changed("control", None)).control is None
    assert build_groups({key: value for key, value in CONFIG.items() if key != "control"}).control is None


def test_one_exposure_is_enough_and_label_defaults_to_name() -> None:
    member = build_groups(changed("members.left", {"explicit": ["I am on the left."]})).members[0]
    assert (member.label, member.wordings("explicit"), member.wordings("implicit")) == ("left", 1, 0)


def small_set(name: str, *groups: str, wordings: int = 2, **values: Any) -> dict[str, Any]:
    """A set whose texts say which set, group and wording they belong to."""
    return {
        "attribute": f"{name} of the user",
        "members": {
            group: {
                "label": group.title(),
                "explicit": [f"{name} {group} {number}." for number in range(wordings)],
                "implicit": [
                    [
                        {"role": "user", "content": f"{name} {group} {number}?"},
                        {"role": "assistant", "content": f"Well, {number}."},
                    ]
                    for number in range(wordings)
                ],
            }
            for group in groups
        },
        **values,
    }


SECTION = {
    "diet": small_set("diet", "vegan", "omnivore", wordings=3),
    "home": small_set("home", "town", "farm", "island", control={"label": "Nobody"}),
}


def test_a_set_under_its_name_is_the_set_alone() -> None:
    named = build_groups({"politics": CONFIG})
    assert named == build_groups(CONFIG)
    assert build_groups({"politics": {key: value for key, value in CONFIG.items() if key != "name"}}) == named
    assert named.parts == {"left": (("politics", "left"),), "right": (("politics", "right"),)}
    assert named.single_sets == (named,)


def test_several_sets_give_their_product() -> None:
    groups = build_groups(SECTION)
    assert (groups.name, groups.attribute) == ("diet-home", "diet of the user, home of the user")
    assert groups.names == (
        "vegan-town",
        "vegan-farm",
        "vegan-island",
        "omnivore-town",
        "omnivore-farm",
        "omnivore-island",
    )
    assert [one.name for one in groups.single_sets] == ["diet", "home"]
    assert groups.parts["omnivore-farm"] == (("diet", "omnivore"), ("home", "farm"))
    # The first control there is: "diet" has none.
    assert groups.control == SocialGroup("control", "Nobody", role="control")


def test_a_combined_profile_joins_the_wordings_of_its_parts() -> None:
    member = build_groups(SECTION).members[1]
    assert (member.name, member.label) == ("vegan-farm", "Vegan, Farm")
    # As many as the part with the fewest has: 3 and 2.
    assert member.explicit == ("diet vegan 0. home farm 0.", "diet vegan 1. home farm 1.")
    assert member.implicit[1] == (
        Message("user", "diet vegan 1?"),
        Message("assistant", "Well, 1."),
        Message("user", "home farm 1?"),
        Message("assistant", "Well, 1."),
    )
    assert len(member.implicit) == 2


def test_the_order_of_the_sets_is_that_of_the_section() -> None:
    turned = build_groups(dict(reversed(SECTION.items())))
    assert turned.name == "home-diet"
    assert turned.names[:2] == ("town-vegan", "town-omnivore")


def test_a_product_with_one_set_more_has_a_part_more() -> None:
    three = build_groups({**SECTION, "age": small_set("age", "young", "old")})
    assert len(three.members) == 2 * 3 * 2
    assert three.parts["vegan-town-old"] == (("diet", "vegan"), ("home", "town"), ("age", "old"))
    assert three.members[0].explicit[0] == "diet vegan 0. home town 0. age young 0."
    assert three == cross(three.single_sets)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({}, r"'groups' holds no set of groups\. Choose one, such as groups=politics"),
        ({"diet": None}, "'groups.diet' is None, not a mapping"),
        ({"diet": []}, r"'groups.diet' is \[\], not a mapping"),
        ({"Diet": SECTION["diet"]}, "'groups.Diet.name': the name 'Diet' is not allowed"),
        ({**SECTION, "home": {"attribute": "home"}}, "'groups.home.members' holds no group"),
        ({**SECTION, "home": {**SECTION["home"], "colour": 1}}, "'groups.home' has the unknown key 'colour'"),
        ({"diet": {**SECTION["diet"], "name": "food"}}, "'groups.diet.name' is 'food'. Write 'diet'"),
        ({**CONFIG, "home": SECTION["home"]}, r"'groups' is a set .* 'home' too\. .* '# @package groups\.' and"),
        ({**CONFIG, "name": ["politics"]}, r"'groups.name': the name \['politics'\] is not allowed"),
        (
            {"diet": small_set("diet", "a", "a-b"), "home": small_set("home", "b-c", "c")},
            "Two of the combined groups are named 'a-b-c'",
        ),
    ],
)
def test_refuses_sections_that_make_no_groups(section: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        build_groups(section)
    assert caught.value.remedy


def test_a_set_is_found_where_the_section_has_it() -> None:
    assert configured_sets(CONFIG) == [("politics", CONFIG)]
    assert configured_sets(SECTION) == list(SECTION.items())
    assert section_of(CONFIG, "politics") == "groups"
    assert section_of(SECTION, "home") == "groups.home"


USER, ASSISTANT = DIALOGUE


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("members", {}, "'groups.members' holds no group"),
        ("members", None, "'groups.members' holds no group"),
        ("members", ["left"], "'groups.members' is .* not a mapping"),
        ("name", "Politics 1", "'groups.name': the name 'Politics 1'"),
        ("name", None, "'groups.name': the name None"),
        ("attribute", "", "'groups.attribute' is ''"),
        ("members.Far Left", {"explicit": ["x"]}, "'groups.members.Far Left': the name 'Far Left'"),
        ("members.left\n", {"explicit": ["x"]}, "the name 'left.n' is not allowed"),
        ("members.control", {"explicit": ["x"]}, "'groups.members.control' takes the name of the control"),
        ("members.left", {"label": "Left"}, "'groups.members.left' has no profile"),
        ("members.left", {"explicit": [], "implicit": None}, "'groups.members.left' has no profile"),
        ("members.left", "left", "'groups.members.left' is 'left', not a mapping"),
        ("members.left.label", " ", "'groups.members.left.label'"),
        ("members.left.explicit", ["ok", " "], r"'groups.members.left.explicit\[1\]' is ' '"),
        ("members.left.explicit", "I am left.", "'groups.members.left.explicit' is .* not a list"),
        ("members.left.explicit", [3], r"'groups.members.left.explicit\[0\]' is 3, not a text"),
        ("members.left.implicit", [[{"role": "bot", "content": "x"}]], r"implicit\[0\]\[0\].role' is 'bot'"),
        ("members.left.implicit", [[{"role": "system", "content": "x"}]], r"\[0\].role' is 'system'"),
        ("members.left.implicit", [[{"role": "user", "content": ""}]], r"\[0\]\[0\].content' is ''"),
        ("members.left.implicit", [[{"role": "user", "says": "x"}]], "unknown key 'says'"),
        ("members.left.implicit", [["hello"]], r"implicit\[0\]\[0\]' is 'hello', not a mapping"),
        ("members.left.implicit", [DIALOGUE, [USER]], r"implicit\[1\]' has the roles user"),
        ("members.left.implicit", [[ASSISTANT, USER]], "has the roles assistant, user"),
        ("members.left.implicit", [[USER, USER, ASSISTANT, ASSISTANT]], "has the roles user, user"),
        ("members.left.implicit", [[USER, ASSISTANT, USER]], "the user first and the assistant last"),
        ("members.left.implicit", [[]], r"implicit\[0\]' has the roles of no message"),
        ("groups", [], "'groups' has the unknown key 'groups'"),
        ("members.left.colour", "red", "'groups.members.left' has the unknown key 'colour'"),
        ("control.explicit", ["x"], "'groups.control' has the unknown key 'explicit'"),
    ],
)
def test_refuses(path: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        build_groups(changed(path, value))
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["../up", "", 2024])
def test_names_are_safe_as_folders(name: Any) -> None:
    with pytest.raises(UserError, match="is not allowed"):
        build_groups({**CONFIG, "members": {name: {"explicit": ["x"]}}})


def test_a_group_and_the_control_may_state_a_language() -> None:
    plain, spoken = build_groups(CONFIG), build_groups(changed("members.left.language", "fr"))
    assert [group.language for group in spoken.everyone] == ["fr", "", ""]
    # What a collection is known by changes where a language is stated, and only there.
    assert spoken.members[0].profile == {**plain.members[0].profile, "language": "fr"}
    assert spoken.members[1].profile == plain.members[1].profile
    assert "language" not in plain.members[0].profile
    assert build_groups(changed("control", {"label": "No profile", "language": "fa"})).everyone[-1].language == "fa"
    with pytest.raises(UserError, match=r"'groups\.members\.left\.language'"):
        build_groups(changed("members.left.language", 3))


def test_a_group_that_stands_as_null_is_left_out_and_stays_known() -> None:
    groups = build_groups(changed("members.left", None))
    assert (groups.names, groups.left_out) == (("right",), ("left",))
    assert build_groups(CONFIG).left_out == ()
    with pytest.raises(UserError, match=r"'groups\.members' leaves all groups out"):
        build_groups({**CONFIG, "members": {"left": None, "right": None}})
