"""Pairs of replies that people label, and how far these people agree."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from trialign.audit.figures.labelling import QueuedPair, Standing, agreement
from trialign.comparing.pairs import Verdict
from trialign.queries.types import TruthQuery

from .markup import Markup, isolated
from .tables import table
from .words import interval, percent

WORDS: Mapping[Verdict, str] = {"same": "Same fact", "other": "Another fact", "cannot tell": "Cannot tell"}
_SHOWN = 10  # people who are held against each other
_PAIR = Markup(
    '<section class="ta-card" aria-label="{label}"><p class="ta-eyebrow">{label}</p>'
    '<h2 class="ta-question" dir="auto">{question}</h2><dl class="ta-facts"><div><dt>Right answer</dt>'
    '<dd dir="auto">{gold}</dd></div></dl><div class="ta-answers" style="--columns:2">{replies}</div></section>'
)
_REPLY = Markup('<section class="ta-answer"><h3>{title}</h3><p class="ta-said" dir="auto">{text}</p></section>')


def pair_card(one: QueuedPair, label: str) -> Markup:
    """A question, its right answer, and the two replies; whose they are is told to nobody.

    Args:
        one: the pair.
        label: says which pair it is.
    """
    query = one.pair.query
    assert isinstance(query, TruthQuery)
    replies = Markup("").join(
        _REPLY.format(title=title, text=text)
        for title, text in (("One reply", one.pair.first), ("The other reply", one.pair.second))
    )
    return _PAIR.format(label=label, question=query.question, gold=query.gold, replies=replies)


def told_apart(key: str, found: Standing) -> Markup:
    """Who said what of a pair on which people differ."""
    said = Markup("").join(
        Markup("<li><bdi>{}</bdi>: {}</li>").format(name, WORDS[labels[key]])
        for name, labels in found.said.items()
        if key in labels
    )
    return Markup('<ul class="ta-told">{}</ul>').format(said)


def people(found: Standing, pairs: int) -> None:
    """Draws how many pairs each person has labelled, and how far every two of them agree."""
    rows = [
        (isolated(name), f"{len(labels):,} of {pairs:,}", *(_count(labels, label) for label in WORDS))
        for name, labels in found.said.items()
    ]
    table("Who labelled how many pairs", ("Who", "Pairs", *WORDS.values()), rows)
    every_two = combinations(list(found.said)[:_SHOWN], 2)
    together = [row for one, other in every_two if (row := _together(one, other, found)) is not None]
    if together:
        table("How far they agree", ("Who", "Pairs of both", "Said the same", "Kappa"), together)


def _together(one: str, other: str, found: Standing) -> tuple[str, ...] | None:
    both = agreement(found.said[one], found.said[other])
    if both is None:
        return None
    low, high = both.share.interval()
    kappa = "– (one label throughout)"
    if both.kappa is not None:
        kappa = f"{_number(both.kappa)} ({_number(both.low)} to {_number(both.high)})"
    share = f"{percent(both.share.value)} ({interval(low, high)})"
    return f"{isolated(one)} and {isolated(other)}", f"{both.share.of:,}", share, kappa


def _count(labels: Mapping[str, Verdict], label: Verdict) -> str:
    return f"{sum(one == label for one in labels.values()):,}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")
