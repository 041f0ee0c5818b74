"""One row <-> one query: the native schema, and the checks that a single row must pass.

One row is one query. Keys (columns in Parquet, where null means absent):

- ``id``, ``split``, ``kind``, ``question``: required;
- ``cluster`` (default: the id), ``topic``, ``source``, ``answer_kind`` (default ``choice``);
- ``options``: list of texts, for ``choice``;
- ``gold``, and ``folk`` (``choice``), ``aliases`` (``text``) or ``tolerance`` (``numeric``): for truth and mixed
  queries;
- ``targets``: ``{group: [probability, ...]}``, for preference queries;
- ``forms``: ``{group: {max_words, ...}}``, for mixed queries; the keys are the fields of `Form`;
- ``language``: of the texts; ``texts``: ``{language: {question, options, gold, aliases}}``, the same in others.

A group is named ``group`` or ``set:group`` (see `trialign.queries.by_group`). In Parquet ``targets`` and ``forms``
are structs, maps or JSON text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from trialign.errors import UserError
from trialign.groups import GroupSet
from trialign.queries.answers import canonical_number, normal_text
from trialign.queries.by_group import read_forms, read_targets
from trialign.queries.cells import Cells, finite, missing, shown
from trialign.queries.translated import read_texts, texts_row
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
    "folk",
    "targets",
    "forms",
    "source",
    "language",
    "texts",
)
_FIRST_FORM_KEYS = ("max_words", "min_words", "layout")
_UNUSED_BY_KIND: dict[str, tuple[str, ...]] = {
    "truth": ("targets", "forms"),
    "preference": ("gold", "folk", "aliases", "tolerance", "forms"),
    "mixed": ("targets",),
}
_UNUSED_BY_ANSWER: dict[str, tuple[str, ...]] = {
    "choice": ("aliases", "tolerance"),
    "numeric": ("options", "folk", "aliases"),
    "text": ("options", "folk", "tolerance"),
}


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
        language=query.language or None,
        texts=texts_row(query),
    )
    if isinstance(query, TruthQuery):
        row.update(gold=query.gold, aliases=list(query.aliases), tolerance=float(query.tolerance), folk=query.folk)
    if isinstance(query, MixedQuery):
        row["forms"] = {group: _form_row(form) for group, form in query.forms.items()} or None
    if isinstance(query, PreferenceQuery):
        row["targets"] = {group: [float(p) for p in target] for group, target in query.targets.items()}
    return row


def row_to_query(row: Mapping[str, Any], groups: GroupSet | None = None, place: str = "row") -> Query:
    """The query of a row; the inverse of `query_to_row`.

    Args:
        row: keys of the native schema; None is the same as absent.
        groups: the groups in use, see `trialign.queries.readers.read_queries`.
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
        "options": choice_options(cells, answer_kind),
        "source": cells.text("source", ""),
        "language": cells.text("language", ""),
    }
    common["texts"] = read_texts(cells, answer_kind, common["options"])
    if kind == "preference":
        return PreferenceQuery(**common, targets=read_targets(cells, common["options"], groups))
    common["gold"] = _gold(cells, answer_kind, common["options"])
    common["folk"] = _folk(cells, common["options"], common["gold"])
    common["aliases"] = cells.texts("aliases")
    common["tolerance"] = _tolerance(cells)
    return MixedQuery(**common, forms=read_forms(cells, groups)) if kind == "mixed" else TruthQuery(**common)


def _form_row(form: Form) -> dict[str, Any]:
    """Later keys stand in a row only where they are set: rows without them, and their hash, stay as they were."""
    return {key: value for key, value in asdict(form).items() if key in _FIRST_FORM_KEYS or value is not None}


def _open_row(row: Any, place: str) -> Cells:
    if not isinstance(row, Mapping):
        raise UserError(f"{place}: the row is {shown(row)}, not an object", "Write one JSON object a line")
    values = {key: value for key, value in row.items() if not missing(value)}
    cells = Cells(values, f"{place}, query '{values['id']}'" if "id" in values else place)
    for key in row:
        if key not in ROW_KEYS:
            raise cells.fault(f"the key '{key}' is unknown", f"Take it out, or use one of: {', '.join(ROW_KEYS)}")
    return cells


def choice_options(cells: Cells, answer_kind: AnswerKind) -> tuple[str, ...]:
    """The options of a row, checked; none unless it is a choice.

    Raises:
        UserError: they are fewer than two, or one is empty or there twice.
    """
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


def _gold(cells: Cells, answer_kind: AnswerKind, options: Sequence[str]) -> str:
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


def _folk(cells: Cells, options: Sequence[str], gold: str) -> str | None:
    folk = cells.text("folk", "")
    if not folk:
        return None
    if folk not in options:
        raise cells.fault(
            f"the folk answer '{folk}' is not among the options",
            f"Write it exactly as one of: {', '.join(options)}",
        )
    if folk == gold:
        raise cells.fault(f"the folk answer '{folk}' is the gold answer", "Name a wrong option, or take 'folk' out")
    return folk


def _numeric_gold(cells: Cells) -> str:
    value = cells.values.get("gold")
    number = canonical_number(cells.text("gold") if value is None or isinstance(value, str) else str(value))
    if number is None:
        raise cells.fault(f"the gold answer {shown(value)} is not a number", "Write one, such as 42 or 1.5")
    return number


def _tolerance(cells: Cells) -> float:
    value = cells.values.get("tolerance", 0.0)
    tolerance = finite(value)
    if tolerance is None or tolerance < 0:
        raise cells.fault(f"'tolerance' is {shown(value)}", "Write a finite number that is not negative")
    return tolerance
