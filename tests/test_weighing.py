"""What options count by, whoever scores them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from trialign.environment import Observation
from trialign.errors import UserError
from trialign.groups import GroupSet
from trialign.models import ChatRenderer
from trialign.queries import Query
from trialign.scoring import Scoring
from trialign.weighing import Asked, Weighing

pytestmark = pytest.mark.unit


def asked_of(groups: GroupSet, queries: Sequence[Query], *names: str) -> list[Asked]:
    told = [next(query for query in queries if query.query_id == name) for name in names]
    return [
        Asked(query, group, "explicit", 0, 0, (("system", f"Help {group.name}."), ("user", query.question)))
        for query in told
        for group in groups.members[:1]
    ]


def test_without_the_question_options_are_scored_in_the_same_call(
    renderer: ChatRenderer, groups: GroupSet, queries: Sequence[Query]
) -> None:
    weighing = Weighing(renderer, Scoring(kind="pmi"), 8, 1024)
    asked = asked_of(groups, queries, "sum", "metal")
    seen = weighing.observe(asked)
    calls: list[list[tuple[int, ...]]] = []

    def score(
        observations: Sequence[Observation], actions: Sequence[Sequence[tuple[int, ...]]]
    ) -> list[tuple[float, ...]]:
        calls.append([one.prompt for one in observations])
        return [tuple(-float(10 * place + k) for k in range(len(own))) for place, own in enumerate(actions)]

    number, metal = weighing.weigh(asked, seen, score)
    [prompts] = calls
    assert prompts[:3] == [seen[0].prompt, seen[1].prompt, seen[0].prompt]
    assert len(prompts[3]) < len(seen[1].prompt)  # the question is left out
    assert (number.actions, number.scores, number.unasked) == ((), (), ())
    assert metal.scores == (-10.0, -11.0, -12.0, -13.0)
    assert metal.unasked_scores == (-30.0, -31.0, -32.0, -33.0)
    assert metal.unasked == prompts[3]
    assert metal.actions == weighing.actions(asked[1].query)


def test_a_reply_of_the_longest_length_has_to_fit(
    renderer: ChatRenderer, groups: GroupSet, queries: Sequence[Query]
) -> None:
    asked = asked_of(groups, queries, "sum")
    length = len(Weighing(renderer, Scoring(), 8, None).observe(asked)[0].prompt)
    Weighing(renderer, Scoring(), 8, length + 8).observe(asked)
    with pytest.raises(UserError, match="sum"):
        Weighing(renderer, Scoring(), 9, length + 8).observe(asked)
