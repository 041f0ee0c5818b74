"""Text from data and models, as a terminal may show it."""

from __future__ import annotations

from rich.text import Text


def literal(text: str) -> Text:
    """The text as it is: no markup, and no character that would steer the terminal."""
    return Text("".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text))
