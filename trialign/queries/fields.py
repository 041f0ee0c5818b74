"""Foreign rows by a field map: where a path leads, and what a question, its options and its answer are there."""

from __future__ import annotations

import math
import re
import string
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trialign.errors import UserError
from trialign.queries.cell_lists import UnreadableError, parsed_cell
from trialign.queries.cells import finite, missing, shown
from trialign.queries.formats import Row
from trialign.queries.keys import clean, decimal_text, fault, gold_position, numbers, true_false_fault
from trialign.queries.sources import FieldMap, SourceConfig
from trialign.queries.survey import Survey, absent_fault, has_path


class LeftOut:
    """Stands for a row that is sound and cannot be used: the data do not say what every group answered."""


LEFT_OUT = LeftOut()
_LETTERED = re.compile(r"\(?(?:([A-Za-z])\s?[):.]|([1-9])[).](?=\s))\s*(\S.*)", re.DOTALL)
_SERIES = (string.ascii_uppercase, string.ascii_lowercase, string.digits[1:])
# (id or None, question, options) of a question on which groups were counted.
_Asked = tuple[Any, str, tuple[str, ...]]


def find(values: Any, path: str) -> Any:
    """What a dotted path leads to, see `FieldMap`; None where it leads nowhere, or to what stands for nothing."""
    if isinstance(values, Mapping) and path in values:
        return None if missing(values[path]) else values[path]
    for key in path.split("."):
        if isinstance(values, str):
            values = _in_cell(values)
        if not isinstance(values, list | tuple):
            values = _value(values, key)
        elif key.isdecimal():
            values = values[int(key)] if int(key) < len(values) else None
        else:
            values = [_value(value, key) for value in values]
    return None if missing(values) else values


def truth_row(row: Row, source: SourceConfig, fields: FieldMap, survey: Survey) -> dict[str, Any]:
    """The native row of a fact.

    Raises:
        UserError: the right answer is missing, or is none of the options; names the place.
    """
    native = {**_common(row, fields), "kind": "truth", "answer_kind": source.answer_kind}
    gold = find(row.values, fields.gold or "")
    if gold is None or (isinstance(gold, str) and not gold.strip()):
        if isinstance(row.values, Mapping) and not has_path(row.values, fields.gold or ""):
            raise absent_fault(
                f"{row.place}: the right answer, '{fields.gold}', is missing; the row",
                "gold",
                fields.gold or "",
                row.values,
            )
        raise fault(row, f"the right answer, '{fields.gold}', is missing", "Add it, or correct 'map.gold'")
    if fields.gold_after is not None:
        gold = _after(row, gold, fields.gold_after)
    if source.answer_kind != "choice":
        return {**native, **_free_answer(row, source, fields, gold)}
    options, labels = labelled_options(row, fields)
    if fields.gold_as == "flags" and fields.gold == fields.options and isinstance(gold, Mapping):
        options = [clean(text) for text in gold]  # BIG-bench: each option's text with its score
    bare = _unlettered(options)
    if bare is not None:
        survey.unlettered += 1
        if fields.gold_as == "text" and clean(gold) in options:
            gold = bare[options.index(clean(gold))]
        options = bare
    right = options[gold_position(row, fields, gold, options, labels, survey)]
    survey.saw_texts(options)
    return {**native, "options": options, "gold": right}


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


def option_texts(row: Row, fields: FieldMap) -> list[Any]:
    """The options' texts, see `labelled_options`."""
    return labelled_options(row, fields)[0]


def labelled_options(row: Row, fields: FieldMap) -> tuple[list[Any], list[Any] | None]:
    """The options' texts, and their labels where the row has some; blank columns at the end are none.

    Raises:
        UserError: there is no list of them; names the place.
    """
    labels = find(row.values, fields.labels) if fields.labels else None
    if isinstance(labels, str):
        labels = _in_cell(labels)
    if fields.fixed_options:
        return list(fields.fixed_options), _checked_labels(row, fields, labels, len(fields.fixed_options))
    if isinstance(fields.options, tuple):
        texts = _without_end([clean(find(row.values, path)) for path in fields.options])
        return texts, _checked_labels(row, fields, labels, len(texts))
    stated = find(row.values, fields.options or "")
    found = _in_cell(stated, fields.separator) if isinstance(stated, str) else stated
    if isinstance(found, Mapping):
        texts, own = _mapped_options(found)
        return texts, _checked_labels(row, fields, labels if fields.labels else own, len(texts))
    if isinstance(found, list | tuple) and found and all(isinstance(one, Mapping) and "text" in one for one in found):
        labels = labels if fields.labels else [one.get("label") for one in found]
        found = [one["text"] for one in found]
        labels = None if not isinstance(labels, list) or None in labels else labels
    if not isinstance(found, list | tuple):
        if isinstance(row.values, Mapping) and not has_path(row.values, fields.options or ""):
            raise absent_fault(f"{row.place}: the row", "options", fields.options or "", row.values)
        raise fault(row, f"the options, '{fields.options}', are {shown(stated)}, not a list", "Correct 'map.options'")
    return [clean(text) for text in found], _checked_labels(row, fields, labels, len(found))


def _mapped_options(found: Mapping[Any, Any]) -> tuple[list[Any], list[Any] | None]:
    """Texts and labels of a mapping: label -> text, or the lists ``text`` and ``label`` as the hub's ARC has them."""
    texts = found.get("text", found.get("texts"))
    if isinstance(texts, list):
        own = found.get("label", found.get("labels"))
        return [clean(text) for text in texts], own if isinstance(own, list) else None
    texts = _without_end([clean(text) for text in found.values()])
    return texts, [clean(label) for label in list(found)[: len(texts)]]


def _checked_labels(row: Row, fields: FieldMap, labels: Any, count: int) -> list[Any] | None:
    if labels is None and not fields.labels:
        return None
    if not isinstance(labels, list | tuple) or len(labels) != count:
        raise fault(row, f"the labels are {shown(labels)} for {count} options", "Give every option a label")
    return list(labels)


def _without_end(texts: list[Any]) -> list[Any]:
    while texts and texts[-1] in (None, ""):
        texts.pop()
    return texts


def _unlettered(options: Sequence[Any]) -> list[str] | None:
    """Options without the letters that stand in their own text: "A) sand", "B) ice", "C) air"; None where none do."""
    found = [_LETTERED.fullmatch(option) if isinstance(option, str) else None for option in options]
    letters = "".join(match[1] or match[2] for match in found if match)
    if len(letters) < max(len(options), 2) or not any(series.startswith(letters) for series in _SERIES):
        return None
    # "A. Smith", "B. Jones": two initials may be in order by chance.
    if len(letters) == 2 and any(re.match(r"\w\.", option) for option in options):
        return None
    return [match[3] for match in found if match]


def _free_answer(row: Row, source: SourceConfig, fields: FieldMap, gold: Any) -> dict[str, Any]:
    """The right answer of a question without options, with what else is right."""
    if isinstance(gold, bool):
        raise true_false_fault(row, gold)
    if source.answer_kind == "numeric":
        tolerance: Any = fields.tolerance
        if isinstance(tolerance, str):
            tolerance = _number(row, tolerance, find(row.values, tolerance))
        return {"gold": clean(decimal_text(row, fields.gold or "", gold)), "tolerance": tolerance}
    right = _right_texts(gold, None)
    paths = (fields.aliases,) if isinstance(fields.aliases, str) else fields.aliases or ()
    for path in paths:
        right += _right_texts(find(row.values, path), fields.separator)
    # Not by hash: what is no text is refused later.
    right = [text for at, text in enumerate(right) if text not in (None, "") and text not in right[:at]]
    if not right:
        raise fault(row, f"the right answer, '{fields.gold}', is {shown(gold)}", "Add it, or correct 'map.gold'")
    return {"gold": right[0], "aliases": right[1:]}


def _right_texts(value: Any, separator: str | None) -> list[Any]:
    found = _in_cell(value, separator) if isinstance(value, str) else value
    if isinstance(value, str) and not (isinstance(found, list) and all(isinstance(one, str) for one in found)):
        found = value
    return [clean(one) for one in found] if isinstance(found, list | tuple) else [clean(found)]


def _number(row: Row, path: str, value: Any) -> float | None:
    if value is None or value == "":
        return None
    value = decimal_text(row, path, value)
    try:
        return finite(float(value) if isinstance(value, str) else value) or float(value)
    except (ValueError, TypeError) as error:
        raise fault(row, f"'{path}' is {shown(value)}, not a number", "Write one, such as 0.5") from error


def _in_cell(text: str, separator: str | None = None) -> Any:
    """The list or mapping that a cell holds as text; the text itself where it holds none."""
    try:
        return parsed_cell(text)
    except UnreadableError:
        parts = [part.strip() for part in text.split(separator)] if separator else []
        return parts if len(parts) > 1 else text


def _value(values: Any, key: str) -> Any:
    return values.get(key) if isinstance(values, Mapping) else None


def _common(row: Row, fields: FieldMap) -> dict[str, Any]:
    if not isinstance(row.values, Mapping):
        raise fault(row, f"the row is {shown(row.values)}, not an object", "Write keys and values")
    paths = {key: getattr(fields, key) for key in ("id", "cluster", "split", "topic", "language", "source", "question")}
    found = {key: clean(find(row.values, path)) for key, path in paths.items() if path}
    for key in ("id", "cluster"):
        if key in found and found[key] in (None, ""):
            raise fault(row, f"'{paths[key]}' is missing", f"Add it, or take 'map.{key}' out")
    if found["question"] is None and not has_path(row.values, fields.question):
        raise absent_fault(f"{row.place}: 'question' is missing; the row", "question", fields.question, row.values)
    if fields.passage:
        found["question"] = _with_passage(row, fields.passage, found["question"])
    return found


def _with_passage(row: Row, path: str, question: Any) -> Any:
    """The passage, an empty line, the question; a row may be without a passage."""
    passage = find(row.values, path)
    if isinstance(passage, list | tuple) and all(isinstance(part, str) for part in passage):
        passage = "\n".join(part.strip() for part in passage)
    if passage is not None and not isinstance(passage, str):
        raise fault(row, f"the passage, '{path}', is {shown(passage)}, not a text", "Correct 'map.passage'")
    return f"{passage.strip()}\n\n{question}" if passage and passage.strip() and isinstance(question, str) else question


def _after(row: Row, gold: Any, marker: str) -> str:
    _, found, answer = str(gold).rpartition(marker)
    if not found:
        raise fault(row, f"the right answer has no {marker!r} before it", "Add it, or correct 'map.gold_after'")
    return answer.strip()


def _counted(row: Row, fields: FieldMap) -> tuple[_Asked, str, list[float]]:
    """What was asked, which group answered, and its counts."""
    native = _common(row, fields)
    options, group = option_texts(row, fields), clean(find(row.values, fields.group or ""))
    if not isinstance(group, str) or not group:
        raise fault(row, f"the group is {shown(group)}", "Name the group, or correct 'map.group'")
    if not all(isinstance(text, str) for text in (*options, native["question"])):
        raise fault(row, "the question or an option is no text", "Put it in quotes")
    stated = find(row.values, fields.counts or "")
    stated = _in_cell(stated) if isinstance(stated, str) else stated
    counts = numbers(row, stated, len(options), "the number of answers")
    return (native.get("id"), native["question"], tuple(options)), group, counts
