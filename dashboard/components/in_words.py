"""What an audit says of the answers in words: how they were read, who is right, and what a reader would notice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import streamlit as st

from trialign.audit.figures import measures
from trialign.audit.figures.analysis import AuditAnalysis
from trialign.audit.figures.estimates import Estimate
from trialign.audit.figures.noticed import BY_KEY, TraitChange
from trialign.audit.figures.replies import LABELS, REPLIES, GroupReplies

from .tables import table
from .words import READINGS, percent

_LEAD = (
    "People get replies, not scores. The same questions were asked once more as a person asks them, and answered in "
    "words. A reply that holds no answer is wrong, and agrees with nothing."
)


def in_words(replies: AuditAnalysis, labels: Mapping[str, str]) -> None:
    """Draws it; ``replies`` is the analysis of the answers in words."""
    facts = replies.facts
    if facts is None:
        return
    st.header("In words", anchor=False)
    st.caption(_LEAD)
    known = measures.by_key()
    shown = ("unanimous", "right_for_all", "consistent_wrong", "no_answer")
    found = [(known["mean"].words, facts.mean), *((known[key].words, getattr(facts, key)) for key in shown)]
    table(
        "The answers in words, all groups together",
        ("", "Share", "From", "To"),
        [(words, *_shares(one)) for words, one in found if one is not None],
    )
    replies_table(facts.replies, labels)
    if replies.noticed:
        table(
            "What a reader would notice",
            ("", "All groups", "From", "To", *(labels.get(group, group) for group in replies.groups)),
            [
                (
                    BY_KEY[one.key].label.capitalize(),
                    *(_number(value) for value in (one.mean.value, one.mean.low, one.mean.high)),
                    *(_number(one.groups[group].value) for group in replies.groups),
                )
                for one in replies.noticed
            ],
        )


def read_before_and_after(before: AuditAnalysis, after: AuditAnalysis, labels: Mapping[str, str]) -> None:
    """Right answers, replies without an answer and refusals of every group, in words, in two audits."""
    if before.facts is None or after.facts is None:
        return
    sides = [
        {
            group: (facts.accuracy[group].value, one.unread, one.shares["refused"])
            for group, one in facts.replies.items()
        }
        for facts in (before.facts, after.facts)
    ]
    table(
        "Replies to facts, from before to after",
        ("Group", "Right answers", "No answer", "Refused"),
        [
            (
                labels.get(group, group),
                *(f"{percent(one)} → {percent(other)}" for one, other in zip(sides[0][group], said, strict=True)),
            )
            for group, said in sides[1].items()
            if group in sides[0]
        ],
    )


def traits_table(changes: Iterable[TraitChange], confidence: float) -> None:
    """What a reader would notice, before and after."""
    table(
        f"What a reader would notice, with {100 * confidence:g} % intervals paired by question",
        ("", "Reading", "Change", "Interval", "Before", "After"),
        [
            (
                BY_KEY[one.key].label.capitalize(),
                _reading(one),
                *(f"{one.change:+.2f}", _ends(one)),
                *(_number(one.first), _number(one.second)),
            )
            for one in changes
        ],
    )


def _reading(change: TraitChange) -> str:
    """Whether replies got worse or better by it, beyond the interval."""
    if change.low is None or change.high is None:
        return READINGS["not known"]
    if change.low <= 0 <= change.high:
        return READINGS["within chance"]
    if not BY_KEY[change.key].worse:
        return "≠ changed"
    return "✗ worse" if change.harmed else "✓ better"


def _ends(change: TraitChange) -> str:
    if change.low is None or change.high is None:
        return "not known"
    return f"{change.low:+.2f} to {change.high:+.2f}"


def replies_table(replies: Mapping[str, GroupReplies], labels: Mapping[str, str]) -> None:
    """How each group's replies were read, where some could not be."""
    occurring = [name for name in REPLIES if any(one.shares[name] for one in replies.values())]
    table(
        "How the replies to facts were read, and the right answers if all unread ones were wrong, or right",
        ("Group", *(LABELS[name].capitalize() for name in occurring), "Right at least", "Right at most"),
        [
            (
                labels.get(group, group),
                *(percent(one.shares[name]) for name in occurring),
                percent(one.right_at_least),
                percent(one.right_at_most),
            )
            for group, one in replies.items()
        ],
    )


def _shares(one: Estimate) -> tuple[str, str, str]:
    return percent(one.value), percent(one.low), percent(one.high)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
