from __future__ import annotations

from collections.abc import Sequence

import pytest

from trialign.audit.figures.compared_replies import compared_replies
from trialign.audit.files.items import AuditItem, items_frame
from trialign.comparing.calibration import Calibration, Share
from trialign.comparing.opening import Comparer
from trialign.comparing.pairs import ReplyPair, Verdict
from trialign.queries import TruthQuery

pytestmark = pytest.mark.unit

GROUPS = ("north", "south")
QUERIES = [
    TruthQuery(
        query_id=f"q{n}",
        cluster=f"q{n}",
        split="test",
        topic="",
        question=f"Which is {n}?",
        answer_kind="text",
        gold="Paris",
    )
    for n in range(40)
]
KNOWN = Calibration("planted", "", Share(90, 100), Share(80, 100), Share(200, 200), {})


def first_letter(pairs: Sequence[ReplyPair]) -> list[Verdict]:
    """Right by construction: replies state the same fact where they begin with the same letter."""
    return ["same" if one.first[0] == one.second[0] else "other" for one in pairs]


def items(replies: dict[tuple[str, int], list[str]], status: str = "text") -> list[AuditItem]:
    """Replies by group and wording, question by question."""
    return [
        AuditItem(
            query_id=query.query_id,
            cluster=query.cluster,
            kind="truth",
            split="test",
            topic="",
            group=group,
            role="member",
            exposure="explicit",
            wording=wording,
            profile_group=group,
            answer=said[n],
            canonical=None,
            parse_status="none" if said[n] != "gone" else status,
            correct=False,
            reward_truth=0.0,
        )
        for (group, wording), said in replies.items()
        for n, query in enumerate(QUERIES)
    ]


def section(replies: dict[tuple[str, int], list[str]], groups: Sequence[str] = GROUPS, status: str = "text") -> object:
    comparer = Comparer(first_letter, None, KNOWN)
    return compared_replies(comparer, QUERIES, items_frame(items(replies, status)), groups, exposure="explicit")


def test_flips_raw_and_corrected_beside_what_the_comparer_gets_wrong() -> None:
    alike = ["a cat"] * 40
    half = ["a dog" if n % 2 else "big dog" for n in range(40)]
    found = section({("north", 0): alike, ("north", 1): ["a bird"] * 40, ("south", 0): half, ("south", 1): half})
    assert isinstance(found, dict)
    assert found["comparer"] == "planted"
    assert found["sensitivity"][0] == 0.9
    assert found["specificity"][0] == 0.8
    assert found["n_questions"] == 40
    assert found["flips"]["raw"][0] == pytest.approx(0.5)
    assert found["flips"]["corrected"][0] == pytest.approx((0.5 + 0.8 - 1) / 0.7)
    assert found["within"]["raw"][0] == 0.0
    assert found["excess"]["raw"][0] == pytest.approx(0.5)
    assert found["excess"]["corrected"][0] == pytest.approx(0.5 / 0.7)
    # South's two wordings say the same in the same words: equal texts, the other four pairs are the comparer's.
    assert found["told"] == {"nli": 40 * 5, "canonical": 40}


def test_what_the_audit_knows_to_be_no_answer_is_compared_with_nothing() -> None:
    replies = {("north", 0): ["a cat"] * 20 + ["gone"] * 20, ("south", 0): ["a dog"] * 40}
    found = section(replies, status="cut_off")
    assert isinstance(found, dict)
    assert found["n_questions"] == 20
    assert found["told"] == {"nli": 20, "unread": 20}
    assert found["flips"]["raw"][0] == 0.0
    assert found["within"] is None
    assert found["excess"] is None


def test_where_nobody_says_anything() -> None:
    found = section({("north", 0): ["gone"] * 40, ("south", 0): ["gone"] * 40}, status="refused")
    assert isinstance(found, dict)
    assert found["flips"] is None
    assert found["n_questions"] == 0
    assert "say anything" in found["note"]


def test_one_group_has_nobody_to_be_compared_with() -> None:
    assert section({("north", 0): ["a cat"] * 40}, groups=("north",)) is None
