from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from trialign.comparing.compare import compare, flip_matrix
from trialign.comparing.pairs import Comparison, ReplyPair, Verdict
from trialign.queries import TruthQuery

pytestmark = pytest.mark.unit

CITY = TruthQuery(
    query_id="q", cluster="q", split="test", topic="", question="Which?", options=("Paris", "Lyon"), gold="Paris"
)
READ = ReplyPair(CITY, "Paris", "Lyon")
UNREAD = ReplyPair(CITY, "I cannot help with that.", "I cannot help with that.")
OPEN, HARD = ReplyPair.of_question("Who?", "She", "He"), ReplyPair.of_question("Who?", "They", "He")


class Told:
    """A teller that says what is planted, and notes what it was asked."""

    def __init__(self, **verdicts: Verdict) -> None:
        self.verdicts, self.asked = verdicts, []

    def __call__(self, pairs: Sequence[ReplyPair]) -> list[Verdict]:
        self.asked.append([one.first for one in pairs])
        return [self.verdicts[one.first] for one in pairs]


def test_each_step_is_asked_what_those_before_could_not_tell() -> None:
    nli, judge = Told(She="same", They="cannot tell"), Told(They="other")
    found = compare([HARD, READ, UNREAD, OPEN, HARD], nli=nli, judge=judge)
    hard = Comparison("other", "judge")
    said = [
        hard,
        Comparison("other", "canonical"),
        Comparison("cannot tell", "unread"),
        Comparison("same", "nli"),
        hard,
    ]
    assert found == said
    assert nli.asked == [["They", "She"]]  # equal pairs once, in the order of the first
    assert judge.asked == [["They"]]


def test_what_nobody_can_tell_says_who_was_asked_last() -> None:
    assert compare([OPEN]) == [Comparison("cannot tell", "canonical")]
    assert compare([OPEN], nli=Told(She="cannot tell")) == [Comparison("cannot tell", "nli")]
    both = compare([OPEN], nli=Told(She="cannot tell"), judge=Told(She="cannot tell"))
    assert both == [Comparison("cannot tell", "judge")]


def test_nobody_is_asked_about_nothing() -> None:
    nli = Told()
    assert compare([READ, UNREAD], nli=nli)[1].by == "unread"
    assert compare([], nli=nli) == []
    assert nli.asked == []


def test_which_replies_to_a_question_differ() -> None:
    nli = Told(Paname="same", Rome="cannot tell")
    replies = [["Paris", "It is Paris.", "Lyon"], ["Paris", "I cannot help with that.", "Paris"]]
    flips, told = flip_matrix([CITY, CITY], replies, nli=nli)
    gone = np.nan
    wanted = [[[0, 0, 1], [0, 0, 1], [1, 1, 0]], [[0, gone, 0], [gone, 0, gone], [0, gone, 0]]]
    assert np.array_equal(flips, wanted, equal_nan=True)
    assert told == {"canonical": 4, "unread": 2}
    open_question = ReplyPair.of_question("Which?", "", "").query
    flips, told = flip_matrix(
        [open_question], [["Paname", "Paris", "Rome"]], nli=Told(Paname="same", Paris="cannot tell")
    )
    assert flips[0].tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert told == {"nli": 2, "cannot tell": 1}
    assert flip_matrix([], [])[0].shape == (0, 0, 0)
