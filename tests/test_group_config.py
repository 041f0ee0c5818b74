from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from trialign.errors import UserError
from trialign.group_config import build_groups
from trialign.groups import GroupSet, Message, SocialGroup

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
        ("members.left", None, "'groups.members.left' is None, not a mapping"),
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
