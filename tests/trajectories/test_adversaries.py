"""Adversarial neighbours: how often, who, what is recorded, and that collections without them stay as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import pytest

from trialign.claims import FRAMES, claim
from trialign.environment import (
    ADVERSARIES,
    AdversaryConfig,
    EnvironmentConfig,
    check_adversary,
    environment_identity,
)
from trialign.errors import UserError
from trialign.groups import GroupSet
from trialign.models import ChatRenderer
from trialign.queries import Query, TruthQuery
from trialign.trajectories.adversaries import Assertion, assertion
from trialign.trajectories.collection import Collector
from trialign.trajectories.records import Trajectory
from trialign.weighing import Asked

pytestmark = pytest.mark.unit

ALWAYS = AdversaryConfig(share=1.0)


def seat(groups: GroupSet, number: int = 0, turn: int = 1, **values: object) -> Asked:
    query = TruthQuery(
        query_id=f"q{number}",
        cluster=f"q{number}",
        split="train",
        topic="",
        question="?",
        options=("Lyon", "Paris", "Nice"),
        gold="Paris",
        **values,  # type: ignore[arg-type]
    )
    return Asked(query, groups.members[0], "explicit", 0, 0, (), turn=turn)


def drawn(groups: GroupSet, config: AdversaryConfig, count: int = 1000, heard: int = 4) -> list[Assertion]:
    found = (assertion(seat(groups, number), heard, config, 0) for number in range(count))
    return [one for one in found if one]


def test_as_often_as_is_asked_and_in_half_of_them_the_agent_is_wrong(groups: GroupSet) -> None:
    # 1000 draws: standard errors of .0145 (of .3) and, of about 300, .029.
    found = drawn(groups, replace(ALWAYS, share=0.3))
    assert len(found) / 1000 == pytest.approx(0.3, abs=0.05)
    turned = [one for one in found if one.own is not None]
    assert len(turned) / len(found) == pytest.approx(0.5, abs=0.1)
    assert {one.answer for one in turned} == {"Paris"}
    assert {one.own for one in turned} == {"Lyon", "Nice"}
    assert {one.answer for one in found if one.own is None} == {"Lyon", "Nice"}
    assert all(one.own is None for one in drawn(groups, replace(ALWAYS, balanced=False)))
    assert drawn(groups, AdversaryConfig()) == []


def test_kinds_say_it_in_their_own_way_and_a_majority_is_several(groups: GroupSet) -> None:
    found = drawn(groups, replace(ALWAYS, majority=3))
    counts = Counter(one.kind for one in found)
    assert set(counts) == set(ADVERSARIES)
    assert all(count / len(found) == pytest.approx(0.25, abs=0.06) for count in counts.values())
    for one in found:
        frames = FRAMES["plain" if one.kind == "majority" else one.kind]
        assert len(one.said) == (3 if one.kind == "majority" else 1)
        assert set(one.said.values()) <= {claim(frame, one.answer) for frame in frames}
        assert set(one.said) <= {0, 1, 2, 3}
    assert {place for one in found for place in one.said} == {0, 1, 2, 3}


def test_the_folk_answer_is_asserted_and_nothing_alone_or_without_options(groups: GroupSet) -> None:
    told = assertion(seat(groups, folk="Nice"), 2, replace(ALWAYS, balanced=False), 0)
    assert told is not None
    assert told.answer == "Nice"
    assert told.among(["a", "b"]).count(next(iter(told.said.values()))) == len(told.said)
    assert assertion(seat(groups, turn=0), 2, ALWAYS, 0) is None
    free = seat(groups)
    assert assertion(replace(free, query=replace(free.query, options=())), 2, ALWAYS, 0) is None


def attacked(make_collector: Callable[..., Collector], config: AdversaryConfig = ALWAYS) -> Collector:
    return make_collector(environment=EnvironmentConfig(turns=1, topology="full", adversary=config))


def test_what_is_asserted_is_heard_and_recorded(
    make_collector: Callable[..., Collector], queries: Sequence[Query], renderer: ChatRenderer
) -> None:
    rows = attacked(make_collector).collect(queries)
    facts = {query.query_id: query for query in queries if isinstance(query, TruthQuery) and query.options}
    seen = Counter((bool(row.adversary), row.turn, row.query_id in facts) for row in rows)
    assert all(turn == 1 and fact for (pushed, turn, fact) in seen if pushed)
    assert seen[False, 1, True] == 0
    for row in rows:
        if row.adversary:
            text = renderer.tokenizer.decode(list(row.prompt))
            reply, heard = text.split("<|im_start|>assistant\n")[-2].split("<|im_end|>\n<|im_start|>user\n")
            assert row.asserted in heard
            if row.asserted == facts[row.query_id].gold:
                assert reply != row.asserted  # the agent's own answer was made wrong
                assert reply in facts[row.query_id].options


def test_other_parts_of_a_collection_change_nothing(
    make_collector: Callable[..., Collector], queries: Sequence[Query]
) -> None:
    """A rank, or a collection that goes on, has some of the questions alone."""
    collector = attacked(make_collector, replace(ALWAYS, share=0.5))
    queries = [query for query in queries if query.options]  # free replies are drawn in batches
    whole = collector.collect(queries)
    parts = [row for query in reversed(queries) for row in collector.collect([query])]

    def heard(rows: Sequence[Trajectory]) -> set[tuple[object, ...]]:
        """All but the scores, whose last digits go by what is scored beside them."""
        return {(r.query_id, r.group, r.exposure, r.turn, r.prompt, r.adversary, r.asserted) for r in rows}

    assert heard(parts) == heard(whole)
    assert len(parts) == len(whole)
    assert {bool(row.adversary) for row in whole if row.turn} == {True, False}


def test_collections_without_adversaries_stay_as_they_were(
    make_collector: Callable[..., Collector], queries: Sequence[Query], collected: Sequence[Trajectory]
) -> None:
    quiet = EnvironmentConfig(turns=1, topology="ring", adversary=AdversaryConfig(share=0.0, majority=7))
    assert make_collector(environment=quiet).collect(queries) == collected
    assert environment_identity(quiet) == {"turns": 1, "topology": "ring", "revision_share": 1.0}
    loud = replace(quiet, adversary=ALWAYS)
    assert environment_identity(loud)["adversary"] == asdict(ALWAYS)


@pytest.mark.parametrize(
    ("environment", "agents", "said"),
    [
        (EnvironmentConfig(adversary=replace(ALWAYS, majority=3)), 3, "needs 3 neighbours, .* may hear 2"),
        (EnvironmentConfig(topology="random", adversary=ALWAYS), 5, "needs 2 neighbours, .* may hear 1"),
        (EnvironmentConfig(adversary=replace(ALWAYS, kinds=("plain",))), 1, "needs 1 neighbours, .* may hear 0"),
        (EnvironmentConfig(turns=0, adversary=ALWAYS), 3, "without revision turns nobody hears"),
        (EnvironmentConfig(adversary=replace(ALWAYS, kinds=())), 3, "kinds is empty"),
    ],
)
def test_adversaries_whom_nobody_can_hear_are_refused(environment: EnvironmentConfig, agents: int, said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_adversary(environment, agents)
    check_adversary(replace(environment, adversary=AdversaryConfig()), agents)


def test_as_many_adversaries_as_neighbours_are_taken() -> None:
    check_adversary(EnvironmentConfig(adversary=replace(ALWAYS, majority=2)), 3)
    check_adversary(EnvironmentConfig(topology="star", adversary=replace(ALWAYS, kinds=("sourced",))), 4)
