"""Numbers as people read them; the same everywhere in a report."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from markupsafe import Markup, escape

from trialign.audit.figures.measures import Unit
from trialign.audit.report.columns import Kind
from trialign.safe_output import Cell, shortened, visible

UNDEFINED = "–"
_LONGEST = 2000  # characters of one text
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_HASH = re.compile("[0-9a-f]{64}")
_DECIMALS = {"share": 1, "distance": 1, "number": 2}


def shown(text: str) -> str:
    """A text from data, a model or a person for HTML: nothing unseen in it, and not longer than can be read."""
    return visible(shortened(text, _LONGEST))


def formatted(value: float, kind: Kind) -> str:
    """A number in words and figures.

    Args:
        value: of that kind; shares and differences of shares in units of 1.
        kind: what it is.
    """
    if kind == "count":
        return f"{value:,.0f}"
    if kind == "p_value":
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    if kind == "seconds":
        return f"{value:,.0f} s"
    size = value * (1 if kind == "number" else 100)
    text = f"{size:+.1f}" if kind == "points" else f"{size:.{_DECIMALS[kind]}f}"
    signless = text.lstrip("+-")
    if not signless.strip("0."):
        text = signless  # no minus nought
    return text.replace("-", "−") + (" %" if kind == "share" else "")


def measured(value: float, unit: Unit) -> str:
    """A measure's value: a share in per cent, a difference of shares in points."""
    return f"{formatted(value, 'distance')} points" if unit == "points" else formatted(value, "share")


def moment(iso: str) -> str:
    """A time for people, such as 26 November 2026, 18:45 UTC; what is no time stands as it is.

    Args:
        iso: ISO 8601; without a zone it is UTC.
    """
    try:
        when = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    when = (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}, {when:%H:%M} UTC"


def cell(value: Cell, kind: Kind) -> Markup:
    """A cell of a table: numbers carry their full value in ``<data value>``, texts stand for themselves."""
    if value is None:
        return Markup('<span class="none">{}</span>').format(UNDEFINED)
    if isinstance(value, str):
        if kind == "code":
            return Markup("<code>{}</code>").format(_breakable(shown(value)))
        return Markup("<bdi>{}</bdi>").format(shown(value))
    return Markup('<data value="{}">{}</data>').format(repr(value), formatted(value, kind))


def plain(value: object) -> object:
    """What a template puts out: texts as `shown` makes them; markup that a template made stays as it is."""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _breakable(text: str) -> Markup:
    """Where a line may end: a hash in its middle, for two even halves; a path after a folder."""
    if _HASH.fullmatch(text):
        return Markup("{}<wbr>{}").format(text[:32], text[32:])
    return Markup("/<wbr>").join(text.split("/"))


def html(text: str) -> Markup:
    """The text escaped, as `shown` makes it."""
    return escape(shown(text))
