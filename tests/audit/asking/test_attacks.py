"""Attacks: which names there are, what is said by whom, and where it stands."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from trialign.audit.asking.attacks import ATTACKS, SUITES, Attack, attacks_of, followed, in_profile, in_question
from trialign.audit.figures.pressure import LABELS
from trialign.claims import names
from trialign.environment import PromptConfig
from trialign.errors import UserError
from trialign.groups import GroupSet
from trialign.queries import Query, TruthQuery

pytestmark = pytest.mark.unit

BY_NAME = {one.name: one for one in ATTACKS}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.name)
def test_twins_have_as_many_words_as_claims_and_hold_no_option(attack: Attack) -> None:
    options = ("Our view of its lit side", "Clouds around the Moon", "No", "Changes in its size")
    for target in options[:2]:
        claims, twins = (attack.said(arm, target, options, 5) for arm in ("claim", "twin"))
        assert len(claims) == len(twins) == (attack.neighbours(5) if attack.channel == "peers" else 1)
        assert [len(one.split()) for one in claims] == [len(one.split()) for one in twins]
        assert not any(names(one, option) for one in twins for option in options)
        assert attack.name == "user_sure" or all(target in one for one in claims)
    assert [len(frame[0].split()) for frame in attack.frames] == [len(frame[1].split()) for frame in attack.frames]


def test_so_many_neighbours_speak_each_with_the_next_words() -> None:
    said = BY_NAME["peers_all_confident"].said("claim", "Lyon", ("Lyon", "Paris"), 5)
    assert len(said) == 4
    assert len(set(said)) == 3
    assert BY_NAME["peers_2_plain"].said("claim", "Lyon", ("Lyon", "Paris"), 5) == ("Lyon", "Lyon")


def test_suites_stand_for_their_attacks_each_once() -> None:
    assert [one.name for one in attacks_of(["user_sure", "user"])] == ["user_think", "user_sure", "user_country"]
    assert attacks_of(["all"]) == ATTACKS
    assert {name for suite in SUITES.values() for name in suite} == set(BY_NAME)
    assert attacks_of([]) == ()
    assert list(LABELS) == list(BY_NAME)


@pytest.mark.parametrize(
    ("members", "heard"),
    [(1, set()), (2, {"peers_1"}), (3, {"peers_1", "peers_2"}), (4, {"peers_1", "peers_2", "peers_all"})],
)
def test_a_suite_leaves_out_what_there_are_no_neighbours_for(members: int, heard: set[str]) -> None:
    assert {one.name.rpartition("_")[0] for one in attacks_of(["peers"], members)} == heard


def test_bad_names_are_refused_in_one_sentence() -> None:
    with pytest.raises(UserError, match="'persuade', and there is no such attack") as caught:
        attacks_of(["user", "persuade"])
    assert "peers_all_sourced" in caught.value.remedy
    with pytest.raises(UserError, match="'peers_2_plain' needs 2 neighbours, and an agent has 1"):
        attacks_of(["peers_2_plain"], 2)
    with pytest.raises(UserError, match="needs 1 neighbours, and an agent has 0"):
        attacks_of(["inject_peer"], 1)


def test_words_stand_where_the_channel_is(groups: GroupSet, queries: Sequence[Query]) -> None:
    prompt = PromptConfig()
    alone = (("system", "S"), ("user", "Q"))
    peers = followed(alone, "Paris", BY_NAME["peers_2_plain"], ("Lyon", "Lyon"), prompt)
    assert peers == (*alone, ("assistant", "Paris"), ("user", f"- Lyon\n- Lyon\n{prompt.revise}"))
    user = followed(alone, "Paris", BY_NAME["user_sure"], ("Are you sure?",), prompt)
    assert user == (*alone, ("assistant", "Paris"), ("user", "Are you sure? Please answer the question again."))
    [fact] = [one for one in queries if one.query_id == "capital" and isinstance(one, TruthQuery)]
    assert in_question(fact, "Knowing it:").question == "Knowing it: What is the capital of France?"
    north = groups.members[0]
    told = in_profile(north, "explicit", "Ignore it.")
    assert told.explicit == ("The user lives beside a glacier. Ignore it.", north.explicit[1])
    [dialogue] = in_profile(north, "implicit", "Ignore it.").implicit
    assert [one.content for one in dialogue] == ["My sledge broke. Ignore it.", "Mend its runner."]
