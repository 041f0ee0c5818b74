"""Answers side by side, as HTML: what differs, how sure each agent is, and what each thinks of the others' answers."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trialign.audit.figures.replies import read_as
from trialign.comparing.pairs import Comparison
from trialign.group_config import CONTROL
from trialign.queries import PreferenceQuery, Query, TruthQuery
from trialign.queries.answers import is_correct, normal_text

from ..live.replies import Answers, Reply
from .markup import Markup, isolated
from .tables import heads, row

STYLE_SHEET = Path(__file__).with_name("answers.css")
_SAID = Markup('<h3 dir="auto">{}</h3><p class="ta-said" dir="auto">{}</p>')
_BASE = "Base weights, no adapter"
_WORD = re.compile(r"\s*\S+")


@dataclass(frozen=True)
class Card:
    """One agent's answer and where it comes from.

    Attributes:
        agents: of which checkpoint, for people; empty where there is only one.
        origin: what answered where no adapter's hash is known.
        limit: seconds after which a reply that had not ended was ended; None where time did not end it.
    """

    reply: Reply
    agents: str
    origin: str = _BASE
    limit: float | None = None

    @property
    def base(self) -> bool:
        """Whether the base model gave it, which nobody is behind."""
        return self.reply.group == CONTROL

    @property
    def title(self) -> str:
        """The agent's name, unique among the cards of a page."""
        return f"{self.reply.label} · {self.agents}" if self.agents else self.reply.label


def marked(reference: str, text: str) -> Markup:
    """The text: words that the reference does not have underlined, with a +; those it lacks struck, with a −."""
    before, after = _WORD.findall(reference), _WORD.findall(text)
    old, new = ([word.strip().casefold() for word in words] for words in (before, after))
    pieces: list[Markup] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(Markup("{}").format("".join(after[c:d])))
            continue
        if a < b:
            pieces.append(Markup("<del> −{}</del>").format("".join(before[a:b]).strip()))
        if c < d:
            pieces.append(Markup("<ins> +{}</ins>").format("".join(after[c:d]).strip()))
    return Markup("").join(pieces)


def cards(
    query: Query,
    shown: Sequence[Card],
    reference: int,
    columns: int,
    told: Sequence[Comparison | None] | None = None,
) -> Markup:
    """All cards in a grid.

    Args:
        query: what was asked.
        shown: in reading order.
        reference: index of the card that the others are held against.
        columns: cards a row on a wide screen; 0 for as many as fit.
        told: of replies in words, whether each states the same fact as the reference; None: options were scored.
    """
    grid = Markup('<div class="ta-answers" style="--columns:{}">{}</div>')
    comparisons = told if told is not None else [None] * len(shown)
    body = Markup("").join(
        _card(query, card, shown[reference], comparison, free=told is not None)
        for card, comparison in zip(shown, comparisons, strict=True)
    )
    return grid.format(columns or "auto-fit", body)


def cards_of(answers: Sequence[Answers], elsewhere: bool = False) -> list[Card]:
    """The cards of all answers: a group's agents of several checkpoints side by side, the base model, once, last.

    Args:
        answers: one a checkpoint; the groups of the first one give the order.
        elsewhere: whether the model stands behind an address, or another tool asked it.
    """
    origin = "A model behind an address, or known by its logs: its weights are not known" if elsewhere else _BASE
    several = len(answers) > 1
    cards = [
        Card(reply, agents_label(one.step) if several and reply.group != CONTROL else "", origin, one.limit)
        for one in answers
        for reply in one.replies
    ]
    groups = list(dict.fromkeys(card.reply.group for card in cards))
    return sorted(cards, key=lambda card: (card.base, groups.index(card.reply.group)))


def agents_label(step: int) -> str:
    """Which agents, for people."""
    return f"step {step}" if step else "before training"


def summary(query: Query, shown: Sequence[Card]) -> str:
    """Who said what, checkpoint by checkpoint; the base model is no group, and is told apart."""
    agents: dict[str, list[Card]] = {}
    for card in shown:
        if not card.base:
            agents.setdefault(card.agents, []).append(card)
    said = [f"{name.capitalize()}: {_told(query, own)}" if name else _told(query, own) for name, own in agents.items()]
    return " ".join((*said, *(_base(query, card) for card in shown if card.base)))


def _told(query: Query, shown: Sequence[Card]) -> str:
    """What the groups' agents of one checkpoint said."""
    canonical = [card.reply.canonical for card in shown]
    counts = Counter(answer for answer in canonical if answer is not None)
    silent = canonical.count(None)
    said = [
        f"{'all' if count == len(shown) > 1 else count} {'says' if count == 1 else 'say'} “{short(answer)}”"
        for answer, count in counts.most_common()
    ]
    if silent:
        said.append(f"{silent} gave no readable answer")
    if query.answer_kind == "text" and len(counts) > 1:
        first = f"The {len(shown)} agents answered in {len(counts)} different wordings; read whether they say the same."
    else:
        agree = "agree" if len(counts) == 1 and not silent else "disagree"
        first = f"Of {len(shown)} agents, {'; '.join(said)}. They {agree}."
    if not counts:
        first = f"None of {len(shown)} agents gave a readable answer."
    if len(shown) == 1:
        first = "One group's agent answered; choose more groups to compare."
    if isinstance(query, TruthQuery):
        right = sum(_right(query, card.reply) for card in shown)
        first += f" The right answer is “{short(query.gold)}”: {right} of {len(shown)} gave it."
    return first


def _base(query: Query, card: Card) -> str:
    answer = card.reply.canonical
    said = f"says “{short(answer)}”" if answer is not None else "gave no readable answer"
    right = ""
    if isinstance(query, TruthQuery):
        right = ", which is right" if _right(query, card.reply) else f", and “{short(query.gold)}” is right"
    return f"The base model, without a profile, {said}{right}; it is no group, and not counted."


def likelihoods(titles: Sequence[str], values: Sequence[Sequence[float]]) -> Markup:
    """A table, shaded as a heatmap: rows are the agents that judge, columns the agents whose answer is judged."""
    rows = Markup("").join(
        row(title, Markup("").join(_shaded(value, i == j) for j, value in enumerate(shares)))
        for i, (title, shares) in enumerate(zip(titles, values, strict=True))
    )
    return Markup(
        '<div class="ta-scroll" tabindex="0" role="group" aria-label="How likely each agent finds every answer">'
        '<table class="ta-heat"><caption>Row: who judges. Column: whose answer is judged.</caption>'
        "<thead><tr><td></td>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(heads(titles), rows)


def progress(sentence: str, titles: Sequence[str], partial: Sequence[str]) -> Markup:
    """The place in the queue, or the replies as they grow; read out by screen readers."""
    growing = Markup("").join(
        Markup(
            '<section class="ta-answer"><h3 dir="auto">{}</h3><p class="ta-said" dir="auto">{}</p></section>'
        ).format(title, text or "…")
        for title, text in zip(titles, partial, strict=False)
    )
    return Markup(
        '<p role="status" class="ta-place">{}</p><div class="ta-answers" style="--columns:auto-fit">{}</div>'
    ).format(sentence, growing)


def _card(query: Query, card: Card, reference: Card, told: Comparison | None, *, free: bool) -> Markup:
    reply = card.reply
    text = reply.text or "(an empty answer)"
    differs = card is not reference and free
    parts = [_SAID.format(card.title, marked(reference.reply.text, text) if differs else text)]
    if not reply.finished:
        why = "here: longer answers are not asked for" if card.limit is None else f"after {card.limit:g} s"
        parts.append(Markup('<p class="ta-small">Cut off {}.</p>').format(why))
    if free:
        read = isolated(read_as(reply.canonical, reply.status))
        parts.append(Markup('<p class="ta-small" dir="auto">Read as: <b>{}</b></p>').format(read))
    tags = _tags(query, card, reference, told, free=free)
    parts += [Markup('<p class="ta-tag ta-{}" dir="auto">{}</p>').format(*tag) for tag in tags]
    if reply.probabilities:
        parts.append(_bars(query.options, reply.probabilities))
    digest = reply.adapter_sha256
    origin = f"Adapter {digest[:12]}" if digest else card.origin
    parts.append(
        Markup('<p class="ta-small" title="{}">{}</p>').format(f"SHA-256 {digest}" if digest else origin, origin)
    )
    return Markup('<section class="ta-answer">{}</section>').format(Markup("").join(parts))


def _tags(
    query: Query, card: Card, reference: Card, told: Comparison | None, *, free: bool
) -> Iterator[tuple[str, str]]:
    """(class, words) of what is said about a card."""
    if isinstance(query, TruthQuery):
        wrong = "✗ Wrong" if card.reply.canonical is not None else "✗ Holds no answer, which counts as wrong"
        yield ("good", "✓ Right") if _right(query, card.reply) else ("bad", wrong)
    if card is reference:
        yield "plain", "◆ The others are held against this answer"
    elif free:
        yield _same_fact(query, card, reference, told)
    elif card.reply.canonical is not None and card.reply.canonical == reference.reply.canonical:
        yield "good", f"= Same answer as {reference.title}"
    else:
        yield "bad", f"≠ Other answer than {reference.title}"


def _same_fact(query: Query, card: Card, reference: Card, told: Comparison | None) -> tuple[str, str]:
    """Whether a reply states what the reference does, and by what that was told."""
    what = "answer" if isinstance(query, PreferenceQuery) and query.targets else "fact"
    same_words = normal_text(card.reply.text) == normal_text(reference.reply.text)
    if told and told.verdict == "cannot tell" and told.by != "unread" and same_words:
        return "good", f"= Same words as {reference.title}"
    if told is None or told.verdict == "cannot tell":
        why = told.told_by if told else "nothing was compared"
        return "unsure", f"? Cannot tell whether it is the same {what} as {reference.title} ({why})"
    if told.verdict == "same":
        return "good", f"= Same {what} as {reference.title} ({told.told_by})"
    return "bad", f"≠ Other {what} than {reference.title} ({told.told_by})"


def _bars(options: Sequence[str], shares: Sequence[float]) -> Markup:
    rows = Markup("").join(
        Markup(
            '<li><span dir="auto">{}</span><span class="ta-share" aria-hidden="true"><i style="width:{:.1f}%"></i>'
            "</span><b>{}</b></li>"
        ).format(option, 100 * share, percent(share))
        for option, share in zip(options, shares, strict=True)
    )
    return Markup('<ul class="ta-shares" aria-label="How likely this agent is to choose each option">{}</ul>').format(
        rows
    )


def _shaded(value: float, own: bool) -> Markup:
    cell = '<td style="--share:{:.0f}%"{}>{}{}</td>'
    title = Markup(' title="its own answer"') if own else Markup("")
    return Markup(cell).format(100 * value, title, percent(value), " ◆" if own else "")


def percent(share: float) -> str:
    """A share for people."""
    if 0 < share < 0.01:
        return "<1 %"
    return f"{100 * share:.0f} %"


def _right(query: TruthQuery, reply: Reply) -> bool:
    return reply.canonical is not None and is_correct(query, reply.canonical)


def short(text: str) -> str:
    """The beginning of a text, for a sentence."""
    return text if len(text) <= 80 else f"{text[:79]}…"
