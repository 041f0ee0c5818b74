"""What is said around answers: what speaks against them, how they were compared, and the same asked the other way."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ..components import answers as drawn
from ..components.markup import plain
from ..live.twice import Told, Twice, compared, counterpart
from ..reading import records
from ..reading.answers import Way
from ..reading.catalog import AuditEntry
from ..reading.stored import stored_answers
from ..reading.suffering import suffers
from .selection import Selection

_HOW = (
    "Same or other is told first by what each reply was read as, which of two open answers in other words tells "
    "nothing; then, where the run's audits use one, by a model of entailment."
)


def warn_of_suffering(chosen: Selection, step: int) -> None:
    """Says above replies in words what their checkpoint's own audit holds against them."""
    found = suffers(chosen.catalog, chosen.run, step, chosen.audit)
    if found is None:
        return
    audit, said = found
    agents = f"step {step}" if step else "the base model, told the profiles,"
    sentence = f"The replies in words of {agents} suffer, by its own audit ({audit.split} questions): {said}."
    st.warning(plain(sentence), icon=":material/warning:")


def how_told(chosen: Selection) -> str:
    """What holds replies against each other, and how often that of the chosen audit is right, where the audit says."""
    known = (records.summary(chosen.catalog, chosen.audit).get("replies") or {}).get("compared")
    if not known:
        return _HOW
    sees, same = (
        f"{100 * value:.0f} % ({100 * low:.0f} to {100 * high:.0f} %)"
        for value, low, high in (known["sensitivity"], known["specificity"])
    )
    return f"{_HOW} On labelled pairs, {sees} of other facts were not called the same, and {same} of the same were."


def both_ways(
    chosen: Selection, told: Told, groups: Sequence[str], audit: AuditEntry, remembered: Sequence[Told]
) -> None:
    """Says whether the same question, asked freely and with answers to choose from, was given the same facts.

    Args:
        chosen: the run.
        told: what is shown.
        groups: names of those that were asked.
        audit: whose record is looked into, too.
        remembered: what this session was told before.
    """
    other = counterpart(told, [*_recorded_alike(chosen, told, groups, audit), *remembered])
    if other is None:
        return
    twice = compared(told, other)
    way = "with answers to choose from" if told.free else "freely"
    sentence = f"This question was also asked {way} ({other.when}). {_held_together(twice)}"
    if twice.differing:
        st.warning(plain(sentence), icon=":material/warning:")
    else:
        st.caption(plain(sentence))


def _held_together(twice: Twice) -> str:
    if twice.differing:
        told = "; ".join(
            f"{label} said “{drawn.short(free.text)}” and chose “{drawn.short(choice.canonical or '')}”"
            for label, free, choice in twice.differing
        )
        said = f"Freely and with options, the facts differ: {told}."
    elif twice.same:
        said = f"{twice.same} said freely what they chose, and nobody another of the answers."
    else:
        said = "So it is not known whether they say the same."
    names = "reply names" if twice.unread == 1 else "replies name"
    return f"{twice.unread} free {names} none of the answers. {said}" if twice.unread else said


def _recorded_alike(chosen: Selection, told: Told, groups: Sequence[str], audit: AuditEntry) -> list[Told]:
    """What the audit recorded of the same question, answered the other way."""
    same = told.query.question.strip().casefold()
    labels = records.labels(chosen.catalog, chosen.run, audit)
    way: Way = "Scored" if told.free else "In words"
    found = []
    for name, query in records.questions(chosen.catalog, audit).items():
        if query.options and query.question.strip().casefold() == same:
            said = stored_answers(chosen.catalog, chosen.run, audit, labels, name, told.exposure, groups, way)
            found += [Told(query, told.exposure, (said,), "recorded by the audit", not told.free)] if said else []
    return found
