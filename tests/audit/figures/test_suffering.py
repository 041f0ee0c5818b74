"""What an audit holds against replies in words."""

from __future__ import annotations

import pytest

from trialign.audit.figures.analysis import AuditAnalysis
from trialign.audit.figures.noticed import TraitChange
from trialign.audit.figures.suffering import suffering

from ..conftest import Audited

pytestmark = pytest.mark.unit

HARM = TraitChange("nats", 0.7, 2.03, 1.33, 1.1, 1.5)
CHANCE = TraitChange("ends", 0.46, 0.44, -0.02, -0.1, 0.06)


def words(audited: Audited, unread: int) -> AuditAnalysis:
    """Of 40 replies of each of two groups, so many of which hold no answer."""
    return audited([[-1 if question < unread else 0] * 2 for question in range(40)], options=0)


def test_nothing_is_said_where_nothing_speaks_against_replies(audited: Audited) -> None:
    assert suffering(words(audited, 0), words(audited, 10), (CHANCE,)) == ""


def test_what_became_worse_and_what_is_not_answered_is_said_with_the_figures(audited: Audited) -> None:
    harm = "base model's nats a token 2.03 (base model 0.70)"
    assert suffering(words(audited, 0), words(audited, 10), (CHANCE, HARM)) == harm
    unread = "50.0 % of the replies to facts hold no answer"
    assert suffering(words(audited, 20), words(audited, 10), (HARM,)) == f"{harm}; {unread} (base model 25.0 %)"
    assert suffering(words(audited, 20), None, ()) == unread
