"""``key=value`` words of the command line, made ready for Hydra's grammar."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trialign.errors import UserError

if TYPE_CHECKING:
    from hydra.core.override_parser.overrides_parser import OverridesParser


def readable(overrides: Sequence[str]) -> list[str]:
    """Overrides that Hydra can parse: a text with characters that its grammar lacks (é, ', =, ?) is put in quotes.

    Raises:
        UserError: a word is no override, or its value opens a quote or a bracket that it does not close.
    """
    return [_readable(override) for override in overrides]


def _readable(override: str) -> str:
    key, sign, value = override.partition("=")
    if _parses(override):
        # A mapping may bring keys that the one in its place has not (`extra: {}`); unknown ones are named later.
        opens = value.startswith("{") and not key.startswith(("+", "~"))
        return f"++{override}" if opens else override
    if not sign or not _parses(f"{key}=1"):
        raise UserError(
            f"The word '{override}' is no override",
            "Write key=value, such as trainer.steps=50, and put a value with blanks in quotes",
        )
    quoted = f"{key}={_quoted(value)}"
    if value[:1] in ("[", "{", '"', "'") or not _parses(quoted):
        raise UserError(
            f"The value of {key} cannot be read: {value}",
            "Close every quote and bracket, and put texts inside a list or mapping in double quotes, the whole word in "
            f"""single ones: '{key}=["first text", "second text"]'""",
        )
    return quoted


def refuse_sweep(overrides: Sequence[str]) -> None:
    """Refuses values listed with commas where one configuration is made.

    Raises:
        UserError: names the override.
    """
    for override in overrides:
        if _parser().parse_override(override).is_sweep_override():
            key, _, value = override.partition("=")
            raise UserError(
                f"'{override}' lists several values, which only 'trialign fit -m' takes",
                f"""Put a text that holds a comma in quotes: '{key}="{value}"'""",
            )


def _parses(override: str) -> bool:
    from hydra.errors import HydraException

    try:
        _parser().parse_override(override)
    except HydraException:
        return False
    return True


def _parser() -> OverridesParser:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create()


def _quoted(text: str) -> str:
    """In Hydra's single quotes: backslashes count only before a quote, where each is doubled."""
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text)
    return f"'{escaped}'"
