"""Which words of a profile are taken for its identity."""

from __future__ import annotations

import pytest

from trialign.gating.neutral import neutralised
from trialign.groups import GroupSet, Message, SocialGroup

pytestmark = pytest.mark.unit


def member(name: str, *explicit: str, said: str = "") -> SocialGroup:
    dialogue = ((Message("user", said), Message("assistant", "I see.")),) if said else ()
    return SocialGroup(name, name.title(), explicit=explicit, implicit=dialogue)


def test_words_that_not_all_groups_share_are_replaced_run_by_run() -> None:
    members = (
        member("usa", "The user is American, was born in Chicago, and has lived in the United States.", "From Ohio."),
        member("iran", "The user is Iranian, was born in Shiraz, and has lived in Iran.", "From Tabriz."),
    )
    expected = (
        "The user is unspecified, was born in unspecified, and has lived in unspecified.",
        "From unspecified.",
    )
    # "the" stands in both sentences, so that in "the United States" it is no word of identity.
    assert neutralised(members[1], members).explicit == expected
    assert neutralised(members[0], members).explicit[0] == expected[0].replace(
        "lived in unspecified", "lived in the unspecified"
    )


def test_earlier_dialogue_loses_its_words_of_identity_too() -> None:
    members = (
        member("a", "A.", said="I'm off to Omaha's fair"),
        member("b", "B.", said="I'm off to Tabriz's inn"),
    )
    [[user, assistant]] = neutralised(members[0], members).implicit
    assert (user.role, user.content) == ("user", "I'm off to unspecified")
    assert assistant.content == "I see."


def test_a_group_with_fewer_wordings_is_held_against_its_last() -> None:
    members = (member("a", "Old Ann.", "Young Ann."), member("b", "Old Bob."))
    assert neutralised(members[0], members).explicit == ("Old unspecified.", "unspecified.")


def test_all_groups_of_the_shipped_frames_become_alike() -> None:
    frame = "The user is {} and comes from {}."
    members = tuple(member(name, frame.format(name, place)) for name, place in (("x", "y"), ("u", "v"), ("s", "t")))
    assert len({neutralised(one, members).explicit for one in members}) == 1


def test_one_group_alone_has_no_words_that_tell_it_apart(groups: GroupSet) -> None:
    alone = groups.members[0]
    assert neutralised(alone, (alone,)) == alone
