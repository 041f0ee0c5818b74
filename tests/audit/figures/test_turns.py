from __future__ import annotations

from typing import Any

import pytest

from trialign.audit.figures.turns import turn_flips
from trialign.audit.files.items import AuditItem, items_frame
from trialign.errors import UserError

pytestmark = pytest.mark.unit

# (right in turn 0, in turn 1, in turn 2) of groups x and y, question by question; the last one had no further turn.
ANSWERS = (
    ((1, 0, 0), (0, 1, 1)),
    ((1, 1, 0), (0, 1, 0)),
    ((0, 0, 1), (1, 1, 1)),
    ((1, 0, 1), (0, 0, 0)),
    ((1,), (1,)),
)


def item(query: int, group: str, turn: int, right: int, **changes: Any) -> AuditItem:
    values: dict[str, Any] = {
        "query_id": f"q{query}",
        "cluster": f"q{query}",
        "kind": "truth",
        "split": "test",
        "topic": "",
        "group": group,
        "profile_group": group,
        "role": "member",
        "exposure": "explicit",
        "turn": turn,
        "answer": "",
        "canonical": str(right),
        "parse_status": "",
        "correct": bool(right),
        "reward_truth": float(right),
    }
    return AuditItem(**values | changes)


ITEMS = [
    item(query, group, turn, right)
    for query, answers in enumerate(ANSWERS)
    for group, turns in zip("xy", answers, strict=True)
    for turn, right in enumerate(turns)
]


def test_flips_by_turn_by_hand() -> None:
    found = turn_flips(items_frame(ITEMS).sample(frac=1, random_state=0), ("x", "y"), "explicit")
    assert [(flips.turn, flips.group, flips.n_questions) for flips in found] == [
        (1, "x", 4),
        (1, "y", 4),
        (2, "x", 4),
        (2, "y", 4),
    ]
    assert [(flips.right_before.value, flips.right_to_wrong.value, flips.wrong_to_right.value) for flips in found] == [
        (0.75, 0.5, 0),
        (0.25, 0, 0.5),
        (0.25, 0.25, 0.5),
        (0.75, 0.25, 0),
    ]
    for flips in found:
        low, high = flips.right_to_wrong.low, flips.right_to_wrong.high
        assert low is not None
        assert high is not None
        assert 0 <= low < high <= 1


def test_answers_given_alone_have_no_flips() -> None:
    assert turn_flips(items_frame(row for row in ITEMS if row.turn == 0), ("x", "y"), "explicit") == ()
    assert turn_flips(items_frame(ITEMS), ("x", "y"), "implicit") == ()


def test_other_wordings_repeats_and_tastes_do_not_count() -> None:
    others = [
        *(item(q, g, t, 1, wording=1) for q in range(4) for g in "xy" for t in (0, 1)),
        *(item(q, g, t, 1, repeat=1) for q in range(4) for g in "xy" for t in (0, 1)),
        item(9, "x", 1, 1, kind="preference", correct=None, reward_truth=None, reward_preference=1.0),
    ]
    expected = turn_flips(items_frame(ITEMS), ("x", "y"), "explicit")
    assert turn_flips(items_frame([*ITEMS, *others]), ("x", "y"), "explicit") == expected


def test_a_turn_without_the_one_before_is_refused() -> None:
    with pytest.raises(UserError, match="no answer of group 'x' to query 'q0'"):
        turn_flips(items_frame(row for row in ITEMS if row.turn != 1), ("x", "y"), "explicit")
