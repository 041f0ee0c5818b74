"""Questions by groups: a table whose cells tell the answer by a letter, and right or wrong by a sign and a colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from trialign.queries import Query

from ..reading.answers import AnswerTable
from .markup import Markup, show
from .tables import heads, row

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FRAME = Markup(
    '<div class="ta-scroll" tabindex="0" role="region" aria-label="Answers by question and group">'
    '<table class="ta-table ta-grid"><caption>{}</caption><thead><tr><th scope="col">Question</th>{}</tr></thead>'
    "<tbody>{}</tbody></table></div>"
)
KEY = (
    "Each letter is an answer: the same letter in a row is the same answer (where the options are known, A is the "
    "first). ✓ right, ✗ wrong, – no readable answer; without a sign: a matter of taste."
)


def grid(
    table: AnswerTable,
    places: Sequence[int],
    asked: Mapping[str, Query],
    labels: Mapping[str, str],
    addresses: Sequence[str],
    marked: int,
) -> None:
    """Draws it.

    Args:
        table: the audit.
        places: positions of the questions that are shown.
        asked: query id -> question, as far as known.
        labels: group -> how it is shown.
        addresses: one a question: where it is shown in detail.
        marked: position of the question whose detail is shown.
    """
    head = heads(labels.get(name, name) for name in table.groups)
    body = Markup("").join(
        _row(table, place, asked.get(table.ids[place]), address, place == marked)
        for place, address in zip(places, addresses, strict=True)
    )
    show(_FRAME.format(KEY, head, body))


def _row(table: AnswerTable, place: int, query: Query | None, address: str, marked: bool) -> Markup:
    options = list(query.options) if query else []
    cells = Markup("").join(
        _cell(letter, answer, correct)
        for letter, answer, correct in zip(
            letters(table.answers[place], options), table.answers[place], table.correct[place], strict=True
        )
    )
    current = Markup(' aria-current="true"') if marked else Markup("")
    return row(Markup('<a href="{}" target="_self"{}>{}</a>').format(address, current, table.texts[place]), cells)


def letters(answers: Sequence[str | None], options: Sequence[str]) -> list[str]:
    """A letter for each answer: that of its option; further ones in the order in which they come; a dash for none."""
    known = [option for option in options if option in answers]
    order = list(options) if len(options) <= len(_LETTERS) and known else []
    for answer in answers:
        if answer is not None and answer not in order:
            order.append(answer)
    return ["–" if answer is None else _LETTERS[order.index(answer) % len(_LETTERS)] for answer in answers]


def _cell(letter: str, answer: str | None, correct: float) -> Markup:
    if answer is None:
        style, sign = "none", ""
    elif np.isnan(correct):
        style, sign = "taste", ""
    else:
        style, sign = ("right", "✓") if correct else ("wrong", "✗")
    return Markup('<td class="ta-cell ta-cell-{}" dir="auto" title="{}">{} {}</td>').format(
        style, answer or "no readable answer", letter, sign
    )
