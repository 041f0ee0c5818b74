"""The cells of one row, and the faults that they raise."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from trialign.errors import UserError

BY_GROUP = ("targets", "forms")

Word = TypeVar("Word", bound=str)


@dataclass(frozen=True)
class Cells:
    """The non-null values of one row, and the place that its faults name."""

    values: Mapping[str, Any]
    place: str

    def fault(self, problem: str, remedy: str) -> UserError:
        """An error that names the row."""
        return UserError(f"{self.place}: {problem}", remedy)

    def refuse(self, keys: Sequence[str], what: str) -> None:
        """Raise for a value that would be ignored."""
        for key in keys:
            if self.by_group(key) if key in BY_GROUP else self.values.get(key):
                raise self.fault(f"{what} has no '{key}'", f"Take '{key}' out, or change 'kind' or 'answer_kind'")

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not blank, or the default where there is one."""
        value = self.values.get(key, "")
        if isinstance(value, str) and not value.strip():
            if default is None:
                raise self.fault(f"'{key}' is missing", f"Add a text under '{key}'")
            return default
        return self._as_text(key, value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty where absent."""
        value = self.values.get(key, [])
        if not isinstance(value, list | tuple):
            raise self.fault(f"'{key}' is {shown(value)}, not a list", f"Write '{key}' as a list of texts")
        return tuple(self._as_text(key, text) for text in value)

    def one_of(self, key: str, allowed: tuple[Word, ...], default: Word | None = None) -> Word:
        """One of some words."""
        value = self.values.get(key, default)
        for word in allowed:
            if value == word:
                return word
        problem = f"'{key}' is missing" if value is None else f"'{key}' is {shown(value)}"
        raise self.fault(problem, f"Write one of: {', '.join(allowed)}")

    def by_group(self, key: str) -> dict[str, Any]:
        """A mapping from a group's name, as it is written, to a value, also from JSON text; without null entries."""
        value = self.values.get(key, {})
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError) as error:
                raise self.fault(f"'{key}' is no valid JSON ({error})", f"Write '{key}' as a JSON object") from error
        if not isinstance(value, Mapping | None):
            raise self.fault(f"'{key}' is {shown(value)}, not a mapping", "Write it as {group: value}")
        return {str(group): entry for group, entry in (value or {}).items() if entry is not None}

    def _as_text(self, key: str, value: Any) -> str:
        if not isinstance(value, str):
            remedy = (
                "Format the column as text" if isinstance(value, date | time | timedelta) else "Put the value in quotes"
            )
            raise self.fault(f"'{key}' holds {shown(value)}, not a text", remedy)
        if any("\udc80" <= character <= "\udcff" for character in value):
            raise self.fault(
                f"'{key}' holds half of a surrogate pair: bytes that are no UTF-8",
                "Mend them, or state the file's encoding, as in data.encoding=cp1252",
            )
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise self.fault(
                f"'{key}' holds half of a surrogate pair", "Write the character whole, in UTF-8"
            ) from error
        return value


def finite(value: Any) -> float | None:
    """The value as a float; None when it is no number, or none that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


def missing(value: Any) -> bool:
    """Whether a value stands for nothing: null, or the NaN that pandas writes for it."""
    return value is None or (isinstance(value, float | Decimal) and value != value)


def shown(value: Any) -> str:
    """The value as a message shows it: in Python's notation, cut to 80 characters."""
    try:
        text = repr(value)
    except RecursionError:
        return "nested too deeply"
    return text if len(text) <= 80 else f"{text[:77]}..."
