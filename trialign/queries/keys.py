"""The right answer, however a row tells it: a text, a label, a number, marks, or true and false."""

from __future__ import annotations

import contextlib
import re
import string
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from trialign.errors import UserError
from trialign.queries.cell_lists import UnreadableError, parsed_cell
from trialign.queries.cells import finite, missing, shown
from trialign.queries.formats import Row
from trialign.queries.sources import FieldMap
from trialign.queries.survey import Survey

_TRUE = ("true", "t", "yes", "y", "1", "1.0", "correct", "right")
_FALSE = ("false", "f", "no", "n", "0", "0.0", "incorrect", "wrong")
_INTEGER = re.compile(r"[+-]?\d{1,9}(?:\.0*)?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+")
_WITH_COMMA = re.compile(r"([+-]?)(\d{1,3}(?:\.\d{3})+|\d+),(\d+)")


def fault(row: Row, problem: str, remedy: str) -> UserError:
    """A fault of one row, with its place."""
    return UserError(f"{row.place}: {problem}", remedy)


def clean(value: Any) -> Any:
    """A text without the blanks around it; numbers as text; NaN as None; anything else as it is, to be refused."""
    if isinstance(value, str):
        return value.strip()
    if missing(value):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or finite(value) is None:
        return value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def numbers(row: Row, value: Any, length: int, what: str) -> list[float]:
    """A list of so many finite numbers that are not negative.

    Raises:
        UserError: it is something else; names the place.
    """
    good = isinstance(value, list | tuple) and len(value) == length
    if not good or not all(_is_count(number) for number in value):
        raise fault(row, f"{what} is {shown(value)}, not {length} numbers from 0 on", "Give one number for each option")
    return [float(number) for number in value]


def gold_position(
    row: Row, fields: FieldMap, gold: Any, options: Sequence[Any], labels: Sequence[Any] | None, survey: Survey
) -> int:
    """Which of the options is right.

    Args:
        row: for messages.
        fields: says how the right answer is told.
        gold: what stands there.
        options: their texts.
        labels: their labels, where the row has some.
        survey: takes indices, to tell whether they count from 0.

    Raises:
        UserError: none of the options is told, or several are; names the place.
    """
    if fields.gold_as == "flags":
        return _flagged(row, gold, options)
    if fields.gold_as == "true_false":
        return _true_or_false(row, gold, options)
    if fields.gold_as.startswith("index"):
        return _indexed(row, fields, gold, options, survey)
    if fields.gold_as == "label":
        return _labelled(row, fields, gold, options, labels)
    return _worded(row, gold, options)


def decimal_text(row: Row, path: str, value: Any) -> Any:
    """A number of a table as Python writes it, where its column has decimal commas.

    Raises:
        UserError: it can be read in two ways, and nothing in its column tells which.
    """
    written = row.decimals.get(path, ".")
    text = value.strip() if isinstance(value, str) else ""
    comma, grouped = _WITH_COMMA.fullmatch(text), _GROUPED.fullmatch(text)
    if written == "." or not (comma or grouped):
        return value
    # A comma with other than three digits after it groups nothing.
    if written == "?" and (grouped or (comma and len(comma[3]) == 3 and "." not in comma[2])):
        raise fault(
            row, f"the number '{text}' may be written with a decimal comma or without", "Write it without grouping"
        )
    return f"{comma[1]}{comma[2].replace('.', '')}.{comma[3]}" if comma else text.replace(".", "")


def truth_of(value: Any) -> bool | None:
    """True or false, however it is written; None where it is neither."""
    word = str(value).strip().casefold() if isinstance(value, bool | int | float | str) else ""
    return True if word in _TRUE else False if word in _FALSE else None


def _worded(row: Row, gold: Any, options: Sequence[Any]) -> int:
    wanted = clean(gold)
    if isinstance(wanted, bool):
        found = [at for at, option in enumerate(options) if truth_of(option) is wanted]
        if len(found) == 1 and len(options) == 2:
            return found[0]
        raise true_false_fault(row, wanted)
    if not isinstance(wanted, str):
        raise fault(row, f"'gold' holds {shown(gold)}, not a text", "Correct 'map.gold' or 'gold_as'")
    if wanted in options:
        return list(options).index(wanted)
    found = [at for at, option in enumerate(options) if isinstance(option, str) and _same(option) == _same(wanted)]
    if len(found) == 1:
        return found[0]
    hint = ""
    if len(wanted) == 1 and wanted.upper() in string.ascii_uppercase[: len(options)]:
        hint = ", or set gold_as to label"
    elif _INTEGER.fullmatch(wanted):
        hint = ", or set gold_as to index_from_0 or index_from_1"
    raise fault(
        row,
        f"the gold answer '{wanted}' is not among the options",
        f"Write it exactly as one of: {', '.join(map(str, options))}{hint}",
    )


def true_false_fault(row: Row, gold: bool) -> UserError:
    """A key of true and false where nothing says what the answers are."""
    return fault(
        row,
        f"the right answer is {gold}, and nothing says between which answers it chooses",
        'Map fixed_options: ["Yes", "No"] with gold_as: true_false and answer_kind choice',
    )


def _same(text: str) -> str:
    """Equal for texts that differ in case, blanks and composition alone."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def _indexed(row: Row, fields: FieldMap, gold: Any, options: Sequence[Any], survey: Survey) -> int:
    first = 1 if fields.gold_as == "index_from_1" else 0
    text = str(gold).strip() if isinstance(gold, str | float) or type(gold) is int else ""
    index = int(float(text)) if _INTEGER.fullmatch(text) else None
    if index is not None and fields.gold_as == "index":
        survey.saw_index(index, len(options))
    if index is not None and first <= index < len(options) + first:
        return index - first
    hint = ""
    if index == len(options) and not first:
        hint = ", or set gold_as to index_from_1 where the data count from 1"
    if index == 0 and first:
        hint = ", or set gold_as to index where the data count from 0"
    raise fault(
        row,
        f"the right answer's index is {shown(gold)}",
        f"Write a number from {first} to {len(options) - 1 + first}{hint}",
    )


def _labelled(row: Row, fields: FieldMap, gold: Any, options: Sequence[Any], labels: Sequence[Any] | None) -> int:
    known = list(string.ascii_uppercase[: len(options)]) if labels is None else [clean(label) for label in labels]
    wanted = clean(gold)
    if known.count(wanted) == 1:
        return known.index(wanted)
    found = [at for at, label in enumerate(known) if _bare(label) == _bare(wanted) != ""]
    if not found and isinstance(wanted, str):
        # "B) sand": the label with its option's own text behind it.
        opened = re.match(r"\W*(\w+)\s*[).:\]]\s*(.+)", wanted, re.DOTALL)
        found = [
            at
            for at, label in enumerate(known)
            if opened and _bare(label) == _bare(opened[1]) and _same(str(options[at])) == _same(opened[2])
        ]
    if len(found) == 1:
        return found[0]
    counts = labels is None and isinstance(wanted, str) and _INTEGER.fullmatch(wanted)
    hint = ", or set gold_as to index_from_1 or index_from_0" if counts else ""
    raise fault(
        row, f"the right answer's label {shown(gold)} is not one of {shown(known)}", f"Write one of these{hint}"
    )


def _bare(label: Any) -> str:
    """A label without brackets, point and case: "(b)", "B." and "Option B" are b."""
    text = unicodedata.normalize("NFKC", label).casefold() if isinstance(label, str) else ""
    text = re.sub(r"^\s*(?:option|choice|answer)\s+", "", text)
    return text.strip(" \t()[]{}.:\"'*")


def _flagged(row: Row, flags: Any, options: Sequence[Any]) -> int:
    if isinstance(flags, str):
        with contextlib.suppress(UnreadableError):
            flags = parsed_cell(flags)
    if isinstance(flags, Mapping):
        flags = list(flags.values())
    if isinstance(flags, list | tuple):
        flags = [float(flag) if isinstance(flag, bool) else flag for flag in flags]
    marks = numbers(row, flags, len(options), "the list that marks the right answer")
    if sorted(marks) != [0.0] * (len(marks) - 1) + [1.0]:
        raise fault(row, f"the right answer is marked by {shown(flags)}", "Mark one option with 1, the others with 0")
    return marks.index(1.0)


def _true_or_false(row: Row, gold: Any, options: Sequence[Any]) -> int:
    truth = truth_of(gold)
    if truth is None:
        raise fault(row, f"the right answer is {shown(gold)}, neither true nor false", "Write true or false")
    if len(options) != 2:
        raise fault(row, f"a key of true and false has {len(options)} options", "Map two, the one for true first")
    meant = [truth_of(option) for option in options]
    return meant.index(truth) if set(meant) == {True, False} else 0 if truth else 1


def _is_count(value: Any) -> bool:
    # No survey has more answers; it keeps infinity, "not a number" and integers beyond floating point out.
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value < 1e15
