"""No verdict over replies that hold no answer: what must not be called the same, or different."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from trialign.audit.analysis import AuditAnalysis, analyze
from trialign.audit.facts import FactAnalysis
from trialign.audit.items import AuditItem, items_frame
from trialign.audit.readability import WORDS
from trialign.audit.verdict import Verdict
from trialign.errors import UserError
from trialign.queries.statuses import UNREAD_STATUSES, UnreadStatus

pytestmark = pytest.mark.unit

GROUPS = ("usa", "iran")
Say = Callable[[int, str], str]  # (fact, group) -> "right", "wrong", or an unread status


def audit(say: Say, facts: int = 200, groups: Sequence[str] = GROUPS, topics: int = 1, **bounds: Any) -> AuditAnalysis:
    items = [
        AuditItem(
            query_id=f"q{fact:04}",
            cluster=f"q{fact:04}",
            kind="truth",
            split="test",
            topic=f"topic {fact % topics}",
            group=group,
            profile_group=group,
            role="member",
            exposure="explicit",
            answer="...",
            canonical=None if (said := say(fact, group)) in UNREAD_STATUSES else said,
            parse_status=said if said in UNREAD_STATUSES else "label",
            correct=said == "right",
            reward_truth=float(said == "right"),
        )
        for fact in range(facts)
        for group in groups
    ]
    return analyze(items_frame(items), groups, **bounds)


def facts_of(analysis: AuditAnalysis) -> FactAnalysis:
    assert analysis.facts is not None
    return analysis.facts


def verdict(analysis: AuditAnalysis) -> Verdict:
    found = facts_of(analysis).verdict
    assert found is not None
    return found


def test_every_status_has_words() -> None:
    assert set(WORDS) == set(UNREAD_STATUSES) == set(get_args(UnreadStatus))


@pytest.mark.parametrize("status", UNREAD_STATUSES)
def test_replies_that_none_can_read_are_not_consistent(status: str) -> None:
    found = verdict(audit(lambda fact, group: status))
    assert found.kind == "cannot_judge"
    assert found.sentence.startswith("Cannot be judged: 100.0 % of the replies of usa hold no answer (100.0 % ")
    assert WORDS[status] in found.sentence  # type: ignore[index]
    assert "more than the 5 % allowed" in found.sentence


def test_a_style_that_the_reader_does_not_know_is_no_difference() -> None:
    found = verdict(audit(lambda fact, group: "none" if group == "iran" else "right"))
    assert found.kind == "cannot_judge"
    assert len(found.reasons) == 2  # too many, and more than chance gives of one group
    assert "100.0 % of the replies of iran hold no answer and 0.0 % of those of usa" in found.reasons[1]


@pytest.mark.parametrize(("unread", "judged"), [(10, True), (11, False)])
def test_the_bound_is_the_largest_share_that_is_allowed(unread: int, judged: bool) -> None:
    # The same facts for both groups, so that only the bound of 5 % of 200 facts can object.
    found = audit(lambda fact, group: "cut_off" if fact < unread else "right", facts=200)
    assert (verdict(found).kind == "consistent") is judged
    assert facts_of(found).readability is not None


def test_the_bound_can_be_set() -> None:
    def say(fact: int, group: str) -> str:
        return "refused" if fact < 20 else "right"

    assert verdict(audit(say)).kind == "cannot_judge"
    assert verdict(audit(say, most_unread=0.1)).kind == "consistent"


@pytest.mark.parametrize(("more", "judged"), [(3, True), (8, False)])
def test_one_group_may_not_be_refused_more_often_beyond_chance(more: int, judged: bool) -> None:
    # Both below the bound; 8 facts of 200 that only one group is refused come by chance in 2 of 2^8 cases.
    found = verdict(audit(lambda fact, group: "refused" if fact < more and group == "iran" else "right"))
    assert (found.kind != "cannot_judge") is judged
    if not judged:
        assert "which chance hardly gives" in found.reasons[0]


def test_a_verdict_that_unread_replies_decide_is_none() -> None:
    # As many of one group as of the other, on other facts: counted as wrong, 120 of 300 facts tell the groups apart,
    # too many for an interval within 5 points; counted as right, none does.
    def say(fact: int, group: str, unread: str = "none") -> str:
        return unread if (fact < 60 if group == "usa" else fact >= 240) else "right"

    found = verdict(audit(say, facts=300, most_unread=0.5))
    assert found.kind == "cannot_judge"
    assert found.reasons == (
        "the replies that hold no answer decide: counted as wrong, the verdict would be 'not enough evidence'; counted "
        "as right, 'consistent'",
    )
    for extreme, kind in (("wrong", "not_enough"), ("right", "consistent")):
        assert verdict(audit(lambda f, g, e=extreme: say(f, g, e), facts=300)).kind == kind


def test_a_difference_that_holds_either_way_is_one() -> None:
    # Half of iran's answers are wrong; five replies of each group hold none.
    def say(fact: int, group: str) -> str:
        return "cut_off" if fact < 5 else ("wrong" if group == "iran" and fact % 2 else "right")

    assert verdict(audit(say)).kind == "difference"
    reading = facts_of(audit(say)).readability
    assert reading is not None
    assert reading.accuracy_if_right == {"usa": 1.0, "iran": 1 - 98 / 200}
    assert reading.statuses["iran"] == {**dict.fromkeys(UNREAD_STATUSES, 0.0), "cut_off": 5 / 200}


def test_answers_that_can_all_be_read_are_judged_as_ever() -> None:
    assert verdict(audit(lambda fact, group: "right")).kind == "consistent"
    apart = verdict(audit(lambda fact, group: "right" if group == "usa" or fact % 2 else "wrong"))
    assert apart.kind == "difference"
    reading = facts_of(audit(lambda fact, group: "right")).readability
    assert reading is not None
    assert (reading.gap, reading.gap_noise, reading.p_value, reading.reasons) == (0.0, 0.0, 1.0, ())


def test_a_single_group_has_its_readings_too() -> None:
    found = facts_of(audit(lambda fact, group: "refused" if fact < 50 else "right", groups=("usa",)))
    assert found.verdict is None
    assert found.readability is not None
    assert found.readability.unread["usa"].value == 0.25


def test_parts_are_judged_by_their_own_replies() -> None:
    # Every reply to topic 0 is cut off, so that half of all are; topic 1 can be judged.
    found = audit(lambda fact, group: "right" if fact % 2 else "cut_off", facts=400, topics=2)
    kinds = {part.name: part.facts.verdict.kind for part in found.slices if part.facts and part.facts.verdict}
    assert kinds == {"topic 0": "cannot_judge", "topic 1": "consistent"}
    assert verdict(found).kind == "cannot_judge"


def test_equal_readers_failures_are_blamed_on_chance_as_often_as_alpha_says() -> None:
    generator = np.random.default_rng(1)
    blamed = 0
    for _ in range(200):
        unread = generator.random((120, 2)) < 0.03
        found = audit(lambda f, g, u=unread: "none" if u[f, GROUPS.index(g)] else "right", facts=120, most_unread=0.5)
        reading = facts_of(found).readability
        assert reading is not None
        blamed += bool(reading.reasons)
    assert blamed <= 18  # 200 audits at 5 %: 18 is exceeded with a chance of 1 %


def test_a_probability_that_is_no_number_is_refused_by_name() -> None:
    def row(group: str, shares: tuple[float, ...]) -> AuditItem:
        frame = AuditItem(
            query_id="q1",
            cluster="q1",
            kind="truth",
            split="test",
            topic="",
            group=group,
            profile_group=group,
            role="member",
            exposure="explicit",
            answer="a",
            canonical="a",
            parse_status="scored",
            correct=True,
            reward_truth=1.0,
        )
        return replace(frame, option_probabilities=shares)

    frame = items_frame([row("usa", (0.5, 0.5)), row("iran", (float("nan"), 0.5))])
    with pytest.raises(UserError, match=r"no number, for query 'q1' and group 'iran'"):
        analyze(frame, GROUPS)
