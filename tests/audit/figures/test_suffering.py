"""What an audit holds against replies in words."""

from __future__ import annotations

import pytest

from trialign.audit.figures.analysis import AuditAnalysis, analyze
from trialign.audit.figures.noticed import TraitChange
from trialign.audit.figures.suffering import suffering
from trialign.audit.files.items import AuditItem, items_frame

pytestmark = pytest.mark.unit

GROUPS = ("north", "south")
HARM = TraitChange("nats", 0.7, 2.03, 1.33, 1.1, 1.5)
CHANCE = TraitChange("ends", 0.46, 0.44, -0.02, -0.1, 0.06)


def words(unread: int) -> AuditAnalysis:
    """Of 40 replies of each group, so many of which hold no answer."""
    items = [
        AuditItem(
            query_id=f"q{n}",
            cluster=f"q{n}",
            kind="truth",
            split="test",
            topic="",
            group=group,
            role="member",
            exposure="explicit",
            profile_group=group,
            answer="a",
            canonical=None if n < unread else "a",
            parse_status="none" if n < unread else "exact",
            correct=n >= unread,
            reward_truth=float(n >= unread),
            reward_preference=None,
            option_probabilities=None,
            adapter_sha256=None,
        )
        for n in range(40)
        for group in GROUPS
    ]
    return analyze(items_frame(items), GROUPS, choices={})


def test_nothing_is_said_where_nothing_speaks_against_replies() -> None:
    assert suffering(words(0), words(10), (CHANCE,)) == ""


def test_what_became_worse_and_what_is_not_answered_is_said_with_the_figures() -> None:
    harm = "base model's nats a token 2.03 (base model 0.70)"
    assert suffering(words(0), words(10), (CHANCE, HARM)) == harm
    unread = "50.0 % of the replies to facts hold no answer"
    assert suffering(words(20), words(10), (HARM,)) == f"{harm}; {unread} (base model 25.0 %)"
    assert suffering(words(20), None, ()) == unread
