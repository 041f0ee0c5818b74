"""One question: what every group answered, in scores and in words, how sure it was, and the turns behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from trialign.audit.figures.pairs import MOST_GROUPS
from trialign.audit.figures.replies import read_as
from trialign.audit.report.types import WorstItem
from trialign.queries import PreferenceQuery, Query, TruthQuery
from trialign.trajectories.records import Sample, Trajectory

from .markup import Markup, isolated, show
from .tables import table

_OPTION = Markup(
    '<span class="ta-option"><span class="ta-option-text" dir="auto">{}</span><span class="ta-track"><span '
    'class="ta-bar ta-bar-{}" style="width:{:.1f}%"></span></span><span class="ta-option-share">{:.0f} %</span></span>'
)


_SAID = 8  # different answers of very many groups

# topology -> whose answers of the turn before an agent saw
_HEARD = {
    "full": "all other agents",
    "ring": "its two neighbours in a ring",
    "star": "the first agent, or, as the first, all others",
    "random": "one other agent, drawn by lot",
}


def question_card(query_id: str, query: Query | None, kind: str, topic: str) -> None:
    """The question, its options and the right answer, as far as they are known."""
    text = query.question if query else query_id
    facts = [("Kind", {"truth": "fact", "preference": "taste", "mixed": "fact, form by group"}.get(kind, kind))]
    facts += [("Topic", topic)] if topic else []
    if isinstance(query, TruthQuery):
        facts.append(("Right answer", query.gold))
        facts += [("Where it can be checked", query.source)] if query.source else []
    facts.append(("Id", query_id))
    rows = Markup("").join(Markup('<div><dt>{}</dt><dd dir="auto">{}</dd></div>').format(*fact) for fact in facts)
    card = '<section class="ta-card"><h2 class="ta-question" dir="auto">{}</h2><dl class="ta-facts">{}</dl></section>'
    show(Markup(card).format(text, rows))


def answers_of(rows: pd.DataFrame, query: Query | None, labels: Mapping[str, str]) -> None:
    """Every group's answer in words, whether it is right, and the probability of each option.

    Args:
        rows: of one question, one a group, in the order in which they are shown.
        query: the question, if it is known.
        labels: group -> how it is shown.
    """
    table(
        "Answers given alone",
        ("Group", "Answer", "Right or wrong", "How likely each answer was"),
        [
            (
                labels.get(row["group"], row["group"]),
                row["answer"] if row["canonical"] is not None else f"{row['answer']} (not readable as an answer)",
                mark(row["correct"]),
                _options(row["option_probabilities"], query),
            )
            for row in _records(rows)
        ],
    )
    if isinstance(query, PreferenceQuery) and query.targets:
        table(
            "What each group prefers",
            ("Group", *query.options),
            [
                (labels.get(group, group), *(f"{100 * share:.0f} %" for share in target))
                for group, target in query.targets.items()
            ],
        )


def replies_of(rows: pd.DataFrame, scored: pd.DataFrame, labels: Mapping[str, str]) -> None:
    """Every group's reply in words, what it was read as, and beside it the answer that was scored.

    Args:
        rows: of one question's replies, one a group, in the order in which they are shown.
        scored: of the same question's scored answers.
        labels: group -> how it is shown.
    """
    chosen = {row["group"]: row for row in _records(scored)}
    options = sorted({str(shown) for shown in rows["options_shown"] if shown})
    how = "with its options" if options and options != ["hidden"] else "without options, as a person asks it"
    table(
        f"The same question in words, asked {how}",
        ("Group", "Reply", "Read as", "Scored answer"),
        [
            (
                labels.get(row["group"], row["group"]),
                Markup('<span class="ta-reply" dir="auto">{}</span>').format(row["answer"] or "(an empty reply)"),
                _told(read_as(row["canonical"], row["parse_status"]), row["correct"]),
                _beside(row["canonical"], chosen.get(row["group"])),
            )
            for row in _records(rows)
        ],
    )


def _told(words: str, correct: bool | None) -> Markup:
    said = mark(correct)
    below = Markup('<br><span class="ta-number">{}</span>').format(said) if said else ""
    return Markup('<span dir="auto">{}</span>{}').format(words, below)


def _beside(canonical: str | None, scored: dict[str, Any] | None) -> Markup | str:
    """The scored answer, and whether the reply says the same."""
    if scored is None:
        return "–"
    sign = "" if canonical is None else "= " if canonical == scored["canonical"] else "≠ "
    return _told(f"{sign}{scored['answer']}", scored["correct"])


def mark(correct: bool | None) -> str:
    """Right or wrong, as a sign and a word; empty for a matter of taste."""
    if correct is None or pd.isna(correct):
        return ""
    return "✓ right" if correct else "✗ wrong"


def turns_of(rows: Sequence[Trajectory], labels: Mapping[str, str]) -> None:
    """What was said in each turn: every reply of the behaviour policy, and how often it was given."""
    several = {(row.exposure, row.wording) for row in rows}
    for turn in sorted({row.turn for row in rows}):
        told = "each agent alone" if turn == 0 else f"after hearing {_heard(rows, turn)}"
        table(
            f"Turn {turn}: {told}",
            ("Group", "Profile", "Replies", "Right") if len(several) > 1 else ("Group", "Replies", "Right"),
            [
                (
                    labels.get(row.group, row.group),
                    *((f"{row.exposure}, wording {row.wording + 1}",) if len(several) > 1 else ()),
                    _replies(row.samples),
                    _right(row.samples),
                )
                for row in rows
                if row.turn == turn
            ],
        )


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    names = ["group", "answer", "canonical", "parse_status", "correct", "option_probabilities"]
    found = [dict(zip(names, values, strict=True)) for values in zip(*(rows[name] for name in names), strict=True)]
    return [{**row, "canonical": None if pd.isna(row["canonical"]) else row["canonical"]} for row in found]


def _options(shares: Sequence[float] | None, query: Query | None) -> Markup | str:
    if shares is None:
        return "not known"
    numbered = [f"option {number + 1}" for number in range(len(shares))]
    names = query.options if query and len(query.options) == len(shares) else numbered
    gold = query.gold if isinstance(query, TruthQuery) else None
    return Markup("").join(
        _OPTION.format(
            f"{name} (right)" if name == gold else name,
            "seen" if name == gold or gold is None else "other",
            100 * share,
            100 * share,
        )
        for name, share in zip(names, shares, strict=True)
    )


def _heard(rows: Sequence[Trajectory], turn: int) -> str:
    return ", or ".join(sorted({_HEARD.get(row.topology, row.topology) for row in rows if row.turn == turn}))


def _replies(samples: Sequence[Sample]) -> Markup:
    counts: dict[str, int] = {}
    for sample in samples:
        counts[sample.text] = counts.get(sample.text, 0) + 1
    return Markup("").join(
        Markup('<span class="ta-reply" dir="auto">{}{}</span>').format(text, f"  ({count} times)" if count > 1 else "")
        for text, count in counts.items()
    )


def _right(samples: Sequence[Sample]) -> str:
    known = [sample.reward_truth for sample in samples if sample.reward_truth is not None]
    return f"{sum(reward > 0 for reward in known)} of {len(known)}" if known else ""


def worst_item(one: WorstItem, labels: Mapping[str, str]) -> Markup:
    """A question of the worst in short: why it is one, and what every group was told.

    Args:
        one: as the report has it.
        labels: group -> how it is shown.
    """
    told = [(bool(answer.correct), labels.get(answer.group, answer.group), answer.answer) for answer in one.answers]
    if len(told) > MOST_GROUPS:  # who said what is on Items; here, how many said it
        alike = Counter((right, answer) for right, _, answer in told).most_common(_SAID)
        told = [(right, f"{count:,} of {len(one.answers):,} groups", answer) for (right, answer), count in alike]
    said = Markup("").join(
        Markup('<li dir="auto">{} <bdi>{}</bdi>: <bdi>{}</bdi></li>').format("✓" if right else "✗", who, answer)
        for right, who, answer in told
    )
    why = one.reason if one.gold is None else f"{one.reason}; right is: {isolated(one.gold)}"
    return Markup(
        '<p class="ta-eyebrow" dir="auto">{}</p><p dir="auto"><strong>{}</strong></p><ul class="ta-told">{}</ul>'
    ).format(why, one.question or one.query_id, said)
