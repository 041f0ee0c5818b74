"""Replies without an answer, by group and reason, and where they leave nothing to judge by."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from trialign.audit.figures.analysis import AuditAnalysis
from trialign.audit.figures.bounds import Bounds
from trialign.audit.figures.replies import LABELS, REPLIES, GroupReplies, group_replies, in_words, reply_codes
from trialign.queries.statuses import READ_STATUSES, UNREAD_STATUSES, UnreadStatus

pytestmark = pytest.mark.unit

Audited = Callable[..., AuditAnalysis]


def test_every_status_has_words() -> None:
    assert set(LABELS) == set(REPLIES) == {"read", *get_args(UnreadStatus)}
    assert set(REPLIES[1:]) == set(UNREAD_STATUSES)


def test_a_reply_is_read_where_it_has_an_answer_whatever_the_status_is_called() -> None:
    statuses = [*READ_STATUSES, *UNREAD_STATUSES, "", "of another version"]
    table = pd.DataFrame({"parse_status": statuses * 2, "canonical": ["a"] * len(statuses) + [None] * len(statuses)})
    codes = reply_codes(table).tolist()
    assert codes[: len(statuses)] == [0] * len(statuses)
    found = dict(zip(statuses, (REPLIES[code] for code in codes[len(statuses) :]), strict=True))
    assert {status: found[status] for status in UNREAD_STATUSES} == {status: status for status in UNREAD_STATUSES}
    assert {found[status] for status in statuses if status not in UNREAD_STATUSES} == {"none"}


def test_shares_and_extremes_by_hand() -> None:
    # Two groups, four questions in two wordings; accuracy goes by the first.
    first = [[0, 3], [0, 0], [4, 3], [0, 0]]
    replies = np.array([first, [[0, 0]] * 4], dtype=np.int8).transpose(1, 2, 0)[..., None]
    one, other = group_replies(replies, np.array([[1.0, 0], [0, 0], [0, 0], [1, 1]]))
    assert one.shares == {**dict.fromkeys(REPLIES, 0.0), "read": 7 / 8, REPLIES[4]: 1 / 8}
    assert (one.unread, one.right_at_least, one.right_at_most) == (1 / 8, 0.5, 0.75)
    assert (other.unread, other.right_at_least, other.right_at_most) == (0.25, 0.25, 0.75)
    assert in_words(other) == f"{LABELS[REPLIES[3]]} 25.0 %"
    several = GroupReplies({**dict.fromkeys(REPLIES, 0.0), "none": 0.01, "cut_off": 0.2}, 0, 1)
    assert in_words(several) == "cut off 20.0 %, no answer 1.0 %"


@pytest.mark.parametrize(("unread", "judged"), [(10, True), (11, False)])
def test_the_bound_is_the_largest_share_that_is_allowed(audited: Audited, unread: int, judged: bool) -> None:
    # The same facts for both groups, so that only the bound of 5 % of 200 facts can object.
    answers = np.zeros((200, 2), dtype=int)
    answers[:unread] = -1
    verdict = audited(answers).verdict
    assert verdict is not None
    assert (verdict.outcome != "cannot_be_judged") is judged
    assert verdict.parts["answered"].outcome == "unknown"  # so near the bound it is not known on which side
    lenient = audited(answers, bounds=Bounds(most_unread=0.2)).verdict
    assert lenient is not None
    assert lenient.parts["answered"].outcome == "holds"


@pytest.mark.parametrize(("more", "judged"), [(3, True), (8, False)])
def test_one_group_may_not_be_refused_more_often_beyond_chance(audited: Audited, more: int, judged: bool) -> None:
    # Both below the bound; 8 facts of 200 that only one group is refused come by chance in 2 of 2^8 cases.
    answers = np.zeros((200, 2), dtype=int)
    answers[:more, 1] = -1
    verdict = audited(answers, why="refused").verdict
    assert verdict is not None
    assert (verdict.outcome != "cannot_be_judged") is judged
    assert ("unread_differ" in verdict.reasons) is not judged


def test_topics_are_judged_by_their_own_replies(audited: Audited) -> None:
    answers = np.zeros((800, 2), dtype=int)
    answers[::2] = -1
    analysis = audited(answers, topics=[f"topic {question % 2}" for question in range(800)])
    outcomes = {part.name: part.verdict.outcome for part in analysis.slices if part.verdict}
    assert outcomes == {"topic 0": "cannot_be_judged", "topic 1": "holds"}
    assert analysis.verdict is not None
    assert analysis.verdict.outcome == "cannot_be_judged"


def test_equal_readers_failures_are_blamed_on_chance_as_often_as_alpha_says(audited: Audited) -> None:
    generator = np.random.default_rng(1)
    blamed = 0
    for _ in range(200):
        answers = np.where(generator.random((120, 2)) < 0.03, -1, 0)
        verdict = audited(answers, bounds=Bounds(most_unread=0.5)).verdict
        assert verdict is not None
        blamed += "unread_differ" in verdict.reasons
    assert blamed <= 18  # 200 audits at 5 %: 18 is exceeded with a chance of 1 %
