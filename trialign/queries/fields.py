"""Foreign rows by a field map: where a path leads, and how the right answer is told."""

from __future__ import annotations

import math
import string
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trialign.errors import UserError
from trialign.queries.cells import shown
from trialign.queries.formats import Row
from trialign.queries.sources import FieldMap, SourceConfig


class LeftOut:
    """Stands for a row that is sound and cannot be used: the data do not say what every group answered."""


LEFT_OUT = LeftOut()
# No survey has more answers; it keeps infinity, "not a number" and integers beyond floating point out.
_COUNTLESS = 1e15
# (id or None, question, options) of a question on which groups were counted.
_Asked = tuple[Any, str, tuple[str, ...]]


def find(values: Any, path: str) -> Any:
    """What a dotted path leads to, see `FieldMap`; None where it leads nowhere."""
    if isinstance(values, Mapping) and path in values:
        return values[path]
    for key in path.split("."):
        if not isinstance(values, list | tuple):
            values = _value(values, key)
        elif key.isdecimal():
            values = values[int(key)] if int(key) < len(values) else None
        else:
            values = [_value(value, key) for value in values]
    return values


def clean(value: Any) -> Any:
    """A text without the blanks around it; numbers as text; anything else as it is, for later checks to refuse."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def fault(row: Row, problem: str, remedy: str) -> UserError:
    """A fault of one row, with its place."""
    return UserError(f"{row.place}: {problem}", remedy)


def truth_row(row: Row, source: SourceConfig, fields: FieldMap) -> dict[str, Any]:
    """The native row of a fact.

    Raises:
        UserError: the right answer is missing, or is none of the options; names the place.
    """
    native = _common(row, fields)
    options = option_texts(row, fields) if source.answer_kind == "choice" else None
    gold = find(row.values, fields.gold or "")
    if gold is None or (isinstance(gold, str) and not gold.strip()):
        raise fault(row, f"the right answer, '{fields.gold}', is missing", "Add it, or correct 'map.gold'")
    if fields.gold_after is not None:
        gold = _after(row, gold, fields.gold_after)
    if options is not None and fields.gold_as != "text":
        gold = options[_gold_position(row, fields, gold, options)]
    return {**native, "kind": "truth", "answer_kind": source.answer_kind, "options": options, "gold": clean(gold)}


def opinion_rows(rows: Iterable[Row], source: SourceConfig, fields: FieldMap, groups: Sequence[str]) -> Iterator[Row]:
    """Native rows of questions on which groups were counted, one foreign row for each question and group.

    Rows of one question need not stand together; the question takes the place of its first row.
    """
    names = source.groups or {group: group for group in groups}
    counted: dict[_Asked, dict[str, Sequence[float]]] = defaultdict(dict)
    first: dict[_Asked, Row] = {}
    for row in rows:
        try:
            if isinstance(row.values, UserError):
                raise row.values
            if source.attribute is not None and clean(find(row.values, fields.attribute or "")) != source.attribute:
                continue
            key, group, counts = _counted(row, fields)
            first.setdefault(key, row)
            if group in counted[key]:
                raise fault(row, f"the group '{group}' has answered this question before", "Keep one of the two rows")
            counted[key][group] = counts
        except UserError as error:
            yield replace(row, values=error)
    for key, row in first.items():
        targets = pooled(counted[key], names)
        native = {**_common(row, fields), "kind": "preference", "options": list(key[-1]), "targets": targets}
        yield replace(row, values=LEFT_OUT if targets is None else native)


def pooled(
    answers: Mapping[str, Sequence[float]], names: Mapping[str, str | Sequence[str]]
) -> dict[str, list[float]] | None:
    """Each group's distribution over the options, its people's answers added up.

    Args:
        answers: name in the data -> how many (or which share) chose each option.
        names: group -> its name or names in the data.

    Returns:
        Group -> probabilities; None where a group has no answers.
    """
    targets = {}
    for group, people in names.items():
        asked = [answers[name] for name in ([people] if isinstance(people, str) else people) if name in answers]
        totals = [math.fsum(column) for column in zip(*asked, strict=True)]
        if not math.fsum(totals) > 0:
            return None
        targets[group] = [total / math.fsum(totals) for total in totals]
    return targets


def numbers(row: Row, value: Any, length: int, what: str) -> list[float]:
    """A list of so many finite numbers that are not negative.

    Raises:
        UserError: it is something else; names the place.
    """
    good = isinstance(value, list | tuple) and len(value) == length
    if not good or not all(_is_count(number) for number in value):
        raise fault(row, f"{what} is {shown(value)}, not {length} numbers from 0 on", "Give one number for each option")
    return [float(number) for number in value]


def option_texts(row: Row, fields: FieldMap) -> list[Any]:
    """The options' texts; blank columns at the end are none.

    Raises:
        UserError: there is no list of them; names the place.
    """
    if isinstance(fields.options, tuple):
        texts = [clean(find(row.values, path)) for path in fields.options]
        while texts and texts[-1] in (None, ""):
            texts.pop()
        return texts
    texts = find(row.values, fields.options or "")
    if not isinstance(texts, list | tuple):
        raise fault(row, f"the options, '{fields.options}', are {shown(texts)}, not a list", "Correct 'map.options'")
    return [clean(text) for text in texts]


def _value(values: Any, key: str) -> Any:
    return values.get(key) if isinstance(values, Mapping) else None


def _common(row: Row, fields: FieldMap) -> dict[str, Any]:
    if not isinstance(row.values, Mapping):
        raise fault(row, f"the row is {shown(row.values)}, not an object", "Write keys and values")
    paths = {key: getattr(fields, key) for key in ("id", "cluster", "split", "topic", "source", "question")}
    found = {key: clean(find(row.values, path)) for key, path in paths.items() if path}
    for key in ("id", "cluster"):
        if key in found and found[key] in (None, ""):
            raise fault(row, f"'{paths[key]}' is missing", f"Add it, or take 'map.{key}' out")
    return found


def _after(row: Row, gold: Any, marker: str) -> str:
    _, found, answer = str(gold).rpartition(marker)
    if not found:
        raise fault(row, f"the right answer has no {marker!r} before it", "Add it, or correct 'map.gold_after'")
    return answer.strip()


def _gold_position(row: Row, fields: FieldMap, gold: Any, options: Sequence[Any]) -> int:
    if fields.gold_as == "flags":
        return _flagged(row, gold, options)
    if fields.gold_as == "index":
        text = str(gold).strip()
        positions = [str(position) for position in range(len(options))]
        if text in positions:
            return positions.index(text)
        raise fault(row, f"the right answer's index is {shown(gold)}", f"Write a number from 0 to {len(options) - 1}")
    labels = _labels(row, fields, options)
    wanted = clean(gold) if fields.labels else str(gold).strip().upper()
    if labels.count(wanted) != 1:
        raise fault(row, f"the right answer's label {shown(gold)} is not one of {shown(labels)}", "Write one of these")
    return labels.index(wanted)


def _flagged(row: Row, flags: Any, options: Sequence[Any]) -> int:
    marks = numbers(row, flags, len(options), "the list that marks the right answer")
    if sorted(marks) != [0.0] * (len(marks) - 1) + [1.0]:
        raise fault(row, f"the right answer is marked by {shown(flags)}", "Mark one option with 1, the others with 0")
    return marks.index(1.0)


def _labels(row: Row, fields: FieldMap, options: Sequence[Any]) -> list[Any]:
    if not fields.labels:
        return list(string.ascii_uppercase[: len(options)])
    labels = find(row.values, fields.labels)
    if not isinstance(labels, list | tuple) or len(labels) != len(options):
        raise fault(row, f"the labels are {shown(labels)} for {len(options)} options", "Give every option a label")
    return [clean(label) for label in labels]


def _counted(row: Row, fields: FieldMap) -> tuple[_Asked, str, list[float]]:
    """What was asked, which group answered, and its counts."""
    native = _common(row, fields)
    options, group = option_texts(row, fields), clean(find(row.values, fields.group or ""))
    if not isinstance(group, str) or not group:
        raise fault(row, f"the group is {shown(group)}", "Name the group, or correct 'map.group'")
    if not all(isinstance(text, str) for text in (*options, native["question"])):
        raise fault(row, "the question or an option is no text", "Put it in quotes")
    counts = numbers(row, find(row.values, fields.counts or ""), len(options), "the number of answers")
    return (native.get("id"), native["question"], tuple(options)), group, counts


def _is_count(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value < _COUNTLESS
