"""Small tables as HTML: readable by every browser, screen reader and at every width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .markup import Markup, show

_FRAME = Markup(
    '<div class="ta-scroll" tabindex="0" role="region" aria-label="{caption}"><table class="ta-table">'
    '<caption dir="auto">{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
)
_SHORT = 18  # characters


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Draws a table whose first column names the rows.

    Args:
        caption: what it holds.
        head: names of the columns.
        rows: cells; text is escaped, `Markup` is kept.
    """
    body = Markup("").join(row(first, Markup("").join(_cell(cell) for cell in rest)) for first, *rest in rows)
    show(_FRAME.format(caption=caption, head=heads(head), body=body))


def heads(names: Iterable[str]) -> Markup:
    """Heads of columns."""
    return Markup("").join(Markup('<th scope="col" dir="auto">{}</th>').format(name) for name in names)


def row(name: object, cells: Markup) -> Markup:
    """A row under its name."""
    return Markup('<tr><th scope="row" dir="auto">{}</th>{}</tr>').format(name, cells)


def _cell(cell: object) -> Markup:
    """A cell; a short one, such as a number with its unit, stays on one line."""
    short = not isinstance(cell, Markup) and len(str(cell)) <= _SHORT
    return Markup('<td class="ta-number" dir="auto">{}</td>' if short else '<td dir="auto">{}</td>').format(cell)
