"""The names under which answers are kept."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from trialign.keeping import UNADAPTED, reply_key, score_key

pytestmark = pytest.mark.unit


def test_a_reply_has_another_name_where_anything_differs_that_it_depends_on() -> None:
    first: dict[str, Any] = {
        "prompt": (5, 6),
        "group": "north",
        "adapter": None,
        "max_new_tokens": 40,
        "seed": None,
        "measured": True,
    }
    others = {"prompt": (5, 7), "group": "south", "adapter": "a", "max_new_tokens": 41, "seed": 0, "measured": False}
    names = [reply_key(**first), *(reply_key(**{**first, name: other}) for name, other in others.items())]
    assert all(one != other for one, other in combinations(names, 2))
    assert [name.startswith(UNADAPTED) for name in names] == [True, True, True, False, True, True, True]
    assert reply_key(**{**first, "prompt": [5, 6]}) == names[0]


def test_scores_have_another_name_where_the_prompt_or_an_action_differs() -> None:
    names = [
        score_key((5, 6), ((7,), (8, 9))),
        score_key((5,), ((6, 7), (8, 9))),
        score_key((5, 6), ((7, 8), (9,))),
        score_key((5, 6), ((8, 9), (7,))),
    ]
    assert len(set(names)) == 4
    assert score_key([5, 6], [[7], [8, 9]]) == names[0]
