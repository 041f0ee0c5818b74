"""One row <-> one query: the native schema, and the checks that a single row must pass.

One row is one query. Keys (columns in Parquet, where null means absent):

- ``id``, ``split``, ``kind``, ``question``: required;
- ``cluster`` (default: the id), ``topic``, ``source``, ``answer_kind`` (default ``choice``);
- ``options``: list of texts, for ``choice``;
- ``gold``, and ``aliases`` (``text``) or ``tolerance`` (``numeric``): for truth and mixed queries;
- ``targets``: ``{group: [probability, ...]}``, for preference queries;
- ``forms``: ``{group: {max_words, min_words, layout}}``, for mixed queries.

In Parquet ``targets`` and ``forms`` are structs, maps or JSON text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, TypeVar

from trialign.errors import UserError
from trialign.queries.answers import canonical_number, normal_text
from trialign.queries.types import (
    ANSWER_KINDS,
    KINDS,
    SPLITS,
    AnswerKind,
    Form,
    MixedQuery,
    PreferenceQuery,
    Query,
    TruthQuery,
)

ROW_KEYS: tuple[str, ...] = (
    "id",
    "cluster",
    "split",
    "kind",
    "topic",
    "question",
    "answer_kind",
    "options",
    "gold",
    "aliases",
    "tolerance",
    "targets",
    "forms",
    "source",
)
_BY_GROUP = ("targets", "forms")
_FORM_KEYS = ("max_words", "min_words", "layout")
_LAYOUTS = ("list", "prose")
_UNUSED_BY_KIND: dict[str, tuple[str, ...]] = {
    "truth": ("targets", "forms"),
    "preference": ("gold", "aliases", "tolerance", "forms"),
    "mixed": ("targets",),
}
_UNUSED_BY_ANSWER: dict[str, tuple[str, ...]] = {
    "choice": ("aliases", "tolerance"),
    "numeric": ("options", "aliases"),
    "text": ("options", "tolerance"),
}
_SUM_TOLERANCE = 1e-4

Word = TypeVar("Word", bound=str)


def query_to_row(query: Query) -> dict[str, Any]:
    """The row of a query, of JSON types; it has every key of ``ROW_KEYS``, None where absent."""
    row: dict[str, Any] = dict.fromkeys(ROW_KEYS)
    row.update(
        id=query.query_id,
        cluster=query.cluster,
        split=query.split,
        kind=query.kind,
        topic=query.topic,
        question=query.question,
        answer_kind=query.answer_kind,
        options=list(query.options),
        source=query.source,
    )
    if isinstance(query, TruthQuery):
        row.update(gold=query.gold, aliases=list(query.aliases), tolerance=float(query.tolerance))
    if isinstance(query, MixedQuery):
        row["forms"] = {group: asdict(form) for group, form in query.forms.items()} or None
    if isinstance(query, PreferenceQuery):
        row["targets"] = {group: [float(p) for p in target] for group, target in query.targets.items()}
    return row


def row_to_query(row: Mapping[str, Any], groups: Sequence[str] | None = None, place: str = "row") -> Query:
    """The query of a row; the inverse of `query_to_row`.

    Args:
        row: keys of the native schema; None is the same as absent.
        groups: names of the member groups, see `trialign.queries.readers.read_queries`.
        place: where the row comes from, for the message.

    Raises:
        UserError: the row is no valid query.
    """
    cells = _open_row(row, place)
    kind = cells.one_of("kind", KINDS)
    answer_kind = cells.one_of("answer_kind", ANSWER_KINDS, "choice")
    cells.refuse(_UNUSED_BY_KIND[kind], f"a {kind} query")
    cells.refuse(_UNUSED_BY_ANSWER[answer_kind], f"a {answer_kind} answer")
    query_id = cells.text("id")
    common: dict[str, Any] = {
        "query_id": query_id,
        "cluster": cells.text("cluster", query_id),
        "split": cells.one_of("split", SPLITS),
        "topic": cells.text("topic", ""),
        "question": cells.text("question"),
        "answer_kind": answer_kind,
        "options": _options(cells, answer_kind),
        "source": cells.text("source", ""),
    }
    if kind == "preference":
        return PreferenceQuery(**common, targets=_targets(cells, common["options"], groups))
    common["gold"] = _gold(cells, answer_kind, common["options"])
    common["aliases"] = cells.texts("aliases")
    common["tolerance"] = _tolerance(cells)
    return MixedQuery(**common, forms=_forms(cells, groups)) if kind == "mixed" else TruthQuery(**common)


@dataclass(frozen=True)
class _Cells:
    """The non-null values of one row, and the place that its faults name."""

    values: Mapping[str, Any]
    place: str

    def fault(self, problem: str, remedy: str) -> UserError:
        return UserError(f"{self.place}: {problem}", remedy)

    def refuse(self, keys: Sequence[str], what: str) -> None:
        """Raise for a value that would be ignored."""
        for key in keys:
            if self.by_group(key) if key in _BY_GROUP else self.values.get(key):
                raise self.fault(f"{what} has no '{key}'", f"Take '{key}' out, or change 'kind' or 'answer_kind'")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key, "")
        if isinstance(value, str) and not value.strip():
            if default is None:
                raise self.fault(f"'{key}' is missing", f"Add a text under '{key}'")
            return default
        return self._as_text(key, value)

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key, [])
        if not isinstance(value, list | tuple):
            raise self.fault(f"'{key}' is {_shown(value)}, not a list", f"Write '{key}' as a list of texts")
        return tuple(self._as_text(key, text) for text in value)

    def one_of(self, key: str, allowed: tuple[Word, ...], default: Word | None = None) -> Word:
        value = self.values.get(key, default)
        for word in allowed:
            if value == word:
                return word
        problem = f"'{key}' is missing" if value is None else f"'{key}' is {_shown(value)}"
        raise self.fault(problem, f"Write one of: {', '.join(allowed)}")

    def by_group(self, key: str, groups: Sequence[str] | None = None) -> dict[str, Any]:
        """A mapping from group to a value, also from JSON text; null entries are left out."""
        value = self.values.get(key, {})
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError) as error:
                raise self.fault(f"'{key}' is no valid JSON ({error})", f"Write '{key}' as a JSON object") from error
        if not isinstance(value, Mapping | None):
            raise self.fault(f"'{key}' is {_shown(value)}, not a mapping", "Write it as {group: value}")
        given = {str(group): entry for group, entry in (value or {}).items() if entry is not None}
        for group in given:
            if groups is not None and group not in groups:
                raise self.fault(
                    f"'{key}' names the group '{group}', which is not among the groups",
                    f"Use the names of the groups: {', '.join(groups)}",
                )
        return given

    def _as_text(self, key: str, value: Any) -> str:
        if not isinstance(value, str):
            raise self.fault(f"'{key}' holds {_shown(value)}, not a text", "Put the value in quotes")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise self.fault(
                f"'{key}' holds half of a surrogate pair", "Write the character whole, in UTF-8"
            ) from error
        return value


def _open_row(row: Any, place: str) -> _Cells:
    if not isinstance(row, Mapping):
        raise UserError(f"{place}: the row is {_shown(row)}, not an object", "Write one JSON object a line")
    values = {key: value for key, value in row.items() if value is not None}
    cells = _Cells(values, f"{place}, query '{values['id']}'" if "id" in values else place)
    for key in row:
        if key not in ROW_KEYS:
            raise cells.fault(f"the key '{key}' is unknown", f"Take it out, or use one of: {', '.join(ROW_KEYS)}")
    return cells


def _options(cells: _Cells, answer_kind: AnswerKind) -> tuple[str, ...]:
    options = cells.texts("options")
    if answer_kind != "choice":
        return ()
    if len(options) < 2:
        raise cells.fault(f"a choice has {len(options)} option(s)", "Give at least two, or change 'answer_kind'")
    seen: set[str] = set()
    for option in options:
        if not option.strip():
            raise cells.fault("an option is empty", "Give every option a text")
        if option.strip() in seen:
            raise cells.fault(f"the option '{option}' is there twice", "Make all options different")
        seen.add(option.strip())
    return options


def _gold(cells: _Cells, answer_kind: AnswerKind, options: Sequence[str]) -> str:
    if answer_kind == "numeric":
        return _numeric_gold(cells)
    gold = cells.text("gold")
    if answer_kind == "choice" and gold not in options:
        raise cells.fault(
            f"the gold answer '{gold}' is not among the options",
            f"Write it exactly as one of: {', '.join(options)}",
        )
    if answer_kind == "text" and not normal_text(gold):
        raise cells.fault(f"the gold answer '{gold}' is punctuation only", "Give a word that a reply can match")
    return gold


def _numeric_gold(cells: _Cells) -> str:
    value = cells.values.get("gold")
    number = canonical_number(cells.text("gold") if value is None or isinstance(value, str) else str(value))
    if number is None:
        raise cells.fault(f"the gold answer {_shown(value)} is not a number", "Write one, such as 42 or 1.5")
    return number


def _tolerance(cells: _Cells) -> float:
    value = cells.values.get("tolerance", 0.0)
    tolerance = _finite(value)
    if tolerance is None or tolerance < 0:
        raise cells.fault(f"'tolerance' is {_shown(value)}", "Write a finite number that is not negative")
    return tolerance


def _targets(cells: _Cells, options: Sequence[str], groups: Sequence[str] | None) -> dict[str, tuple[float, ...]]:
    if not options:
        raise cells.fault("a preference query has no options to prefer", "Set 'answer_kind' to choice")
    given = cells.by_group("targets", groups)
    if not given:
        raise cells.fault("a preference query has no targets", "Add 'targets': {group: [probability, ...]}")
    for group in groups or ():
        if group not in given:
            raise cells.fault(f"the group '{group}' has no target", "Add its probabilities to 'targets'")
    return {group: _target(cells, group, target, len(options)) for group, target in given.items()}


def _target(cells: _Cells, group: str, target: Any, length: int) -> tuple[float, ...]:
    if not isinstance(target, list | tuple) or len(target) != length:
        raise cells.fault(
            f"the target of '{group}' is {_shown(target)}, not a list of {length} probabilities",
            "Give one probability for each option, in the order of the options",
        )
    probabilities = tuple(p for p in map(_finite, target) if p is not None and p >= 0)
    if len(probabilities) != length:
        raise cells.fault(
            f"the target of '{group}', {_shown(target)}, holds something other than a probability",
            "Write finite numbers from 0 to 1",
        )
    total = math.fsum(probabilities)
    if abs(total - 1) > _SUM_TOLERANCE:
        raise cells.fault(f"the target of '{group}' sums to {total:.6g}", "Make its probabilities sum to 1")
    return probabilities


def _forms(cells: _Cells, groups: Sequence[str] | None) -> dict[str, Form]:
    forms = {group: _form(cells, group, form) for group, form in cells.by_group("forms", groups).items()}
    absent = [group for group in groups or () if forms and group not in forms]
    if absent:
        raise cells.fault(
            f"'forms' has none for the group '{absent[0]}'", "Give every group a form, or none of them any"
        )
    return forms


def _form(cells: _Cells, group: str, form: Any) -> Form:
    unknown = [key for key in form if key not in _FORM_KEYS] if isinstance(form, Mapping) else None
    if unknown is None or unknown:
        raise cells.fault(
            f"the form of '{group}' is {_shown(form)}",
            f"Write a mapping with keys out of: {', '.join(_FORM_KEYS)}",
        )
    longest, shortest = (_word_count(cells, group, key, form.get(key)) for key in ("max_words", "min_words"))
    if longest is not None and shortest is not None and shortest > longest:
        raise cells.fault(
            f"the form of '{group}' asks for at least {shortest} and at most {longest} words",
            "Make 'min_words' no larger than 'max_words'",
        )
    layout = form.get("layout")
    if layout is not None and layout not in _LAYOUTS:
        raise cells.fault(f"the layout of '{group}' is {_shown(layout)}", f"Write one of: {', '.join(_LAYOUTS)}")
    return Form(max_words=longest, min_words=shortest, layout=layout)


def _word_count(cells: _Cells, group: str, key: str, value: Any) -> int | None:
    if value is None:
        return None
    count = _finite(value)
    if count is None or count < 1 or not count.is_integer():
        raise cells.fault(f"'{key}' of '{group}' is {_shown(value)}", "Write a whole number from 1 on")
    return int(count)


def _finite(value: Any) -> float | None:
    """The value as a float; None when it is no number, or none that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
